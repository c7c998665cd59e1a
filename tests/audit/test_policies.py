"""``signal_inspector.audit.settings``, ``settings`` and ``routers``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import checks
from django.db import router
from django.test import override_settings

from signal_inspector.audit.models import AuditedCall, AuditedDispatch
from signal_inspector.audit.settings import (
    Audit,
    Policy,
    forget_policies,
    get_settings,
    policies,
    policy_for,
    wanted_details,
)
from signal_inspector.checks import check_settings
from signal_inspector.conf import config_problems
from signal_inspector.core.record.values import Details
from signal_inspector.setting_rules import keys

ROUTER = "signal_inspector.audit.routers.AuditRouter"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_policies()
    yield
    forget_policies()


def audit(**settings: Any) -> Any:
    return override_settings(SIGNAL_INSPECTOR={"AUDIT": settings})


def policy_named(signal: str) -> Policy:
    policy = policy_for(signal)
    assert policy is not None
    return policy


class TestPolicies:
    def test_the_default(self) -> None:
        """Without settings every inspected signal is kept, with payload and for ever."""
        policy = policy_named("shop.signals.order_placed")
        assert (policy.payload, policy.responses, policy.tracebacks) == ("full", False, True)
        assert (policy.keep_days, policy.keep_failures_days, policy.max_rows) == (None, None, None)

    def test_what_is_not_audited(self) -> None:
        """INCLUDE and EXCLUDE work as for what is inspected: the more specific one counts."""
        with audit(INCLUDE=["shop.*"], EXCLUDE=["shop.noise.*"]):
            assert policy_for("blog.posted") is None
            assert policy_for("shop.noise.tick") is None
            assert policy_for("shop.signals.order_placed") is not None

    def test_the_first_rule_counts(self) -> None:
        """Of several rules that match the first is taken, and it alone."""
        rules = {
            "shop.signals.payment_*": {"PAYLOAD": "none", "KEEP_DAYS": 7},
            "shop.*": {"PAYLOAD": "objects", "MAX_ROWS": 100, "KEEP_FAILURES_DAYS": 90},
        }
        with audit(RULES=rules):
            payment, order, other = map(
                policy_named, ("shop.signals.payment_failed", "shop.x", "y")
            )
            globs = [policy.glob for policy in policies()]
        assert (payment.payload, payment.keep_days, payment.max_rows) == ("none", 7, None)
        assert payment.keep_failures_days == 7
        assert (order.payload, order.keep_days, order.keep_failures_days) == ("objects", None, 90)
        assert order.max_rows == 100
        assert other.payload == "full"
        assert globs == ["shop.signals.payment_*", "shop.*", ""]

    def test_decided_once(self) -> None:
        """The same signal gets the same object, until the settings change."""
        first = policy_for("shop.x")
        assert policy_for("shop.x") is first
        with audit(RULES={"*": {"RESPONSES": True}}):
            assert policy_named("shop.x").responses

    @pytest.mark.parametrize(
        ("rules", "unwanted", "wanted"),
        [
            ({}, Details.RESPONSE, Details.PAYLOAD | Details.TRACEBACK | Details.CALLER),
            ({"a.*": {"RESPONSES": True}}, Details.STACK, Details.RESPONSE),
            (
                {"*": {"PAYLOAD": "none", "TRACEBACKS": False}, "a.*": {"RESPONSES": True}},
                Details.RESPONSE | Details.PAYLOAD | Details.TRACEBACK,
                Details.CALLER | Details.TRANSACTION,
            ),
        ],
    )
    def test_only_what_is_kept_is_gathered(
        self, rules: dict[str, Any], unwanted: Details, wanted: Details
    ) -> None:
        """Details that some rule keeps are asked for, and no others."""
        with audit(RULES=rules):
            details = wanted_details()
        assert details & wanted == wanted
        assert not details & unwanted


class TestSettings:
    def test_no_complaint(self) -> None:
        """A section with every key is read as it stands, and nothing is held against it."""
        section = {
            "DATABASE": "other",
            "DELIVERY": "shop.Deliver",
            "INCLUDE": ["shop.*"],
            "EXCLUDE": [],
            "RULES": {"*": {"PAYLOAD": "objects", "RESPONSES": True, "TRACEBACKS": False}},
            "QUEUE_SIZE": 10,
            "SPOOL_DIR": "spool",
            "REQUEST_ID_HEADER": "",
            "PATHS": "path",
            "TRUSTED_PROXIES": 0,
            "CLIENT_HEADER": "X-Real-IP",
            "ACTOR_LABELS": False,
            "RETRY_MINIMUM_AGE": 0,
        }
        assert set(section) == set(keys(Audit))
        assert config_problems({"AUDIT": section}) == []
        with audit(**section):
            settings = get_settings()
        read = {key: getattr(settings, each.name) for key, each in keys(Audit).items()}
        assert read == {**section, "INCLUDE": ("shop.*",), "EXCLUDE": ()}

    @pytest.mark.parametrize(
        ("section", "said"),
        [
            ({"DATABASE": ""}, '["DATABASE"] is empty'),
            ({"DATABASE": 3}, '["DATABASE"] must be a string'),
            ({"RETRY_MINIMUM_AGE": -1}, '["RETRY_MINIMUM_AGE"] must be at least 0'),
            ({"RETRY_MINIMUM_AGE": True}, '["RETRY_MINIMUM_AGE"] must be a number of seconds'),
            ({"PATHS": "url"}, '["PATHS"] must be one of "route", "path"'),
            ({"TRUSTED_PROXIES": -1}, '["TRUSTED_PROXIES"] must be at least 0'),
            ({"TRUSTED_PROXIES": True}, '["TRUSTED_PROXIES"] must be a whole number'),
            ({"QUEUE_SIZE": 0}, '["QUEUE_SIZE"] must be at least 1'),
            ({"RULES": []}, '["RULES"] must be a dict'),
            ({"RULES": None}, '["RULES"] must be a dict'),
            ({"RULES": {3: {}}}, '["RULES"] must have globs'),
            ({"RULES": {"a.*": []}}, '["RULES"] is wrong at ["a.*"]: it must be a dict'),
            (
                {"RULES": {"a.*": {"PAYLOAD": "some"}}},
                'at ["a.*"]["PAYLOAD"]: it must be one of "full", "objects", "none"',
            ),
            ({"RULES": {"a": {"KEEP_DAYS": 0}}}, 'at ["a"]["KEEP_DAYS"]: it must be at least 1'),
            ({"RULES": {"a": {"KEEP_DAY": 1}}}, 'at ["a"]["KEEP_DAY"]: it is not a setting'),
            ({"DELIVER": "auto"}, '["DELIVER"] is not a setting'),
        ],
    )
    def test_what_is_wrong_is_told(self, section: dict[str, Any], said: str) -> None:
        """A wrong key or value is named by the check, and the default holds in its place."""
        (problem,) = config_problems({"AUDIT": section})
        assert said in problem.message
        assert problem.hint
        with audit(**section):
            assert get_settings() == Audit()
            (message,) = check_settings(None)
        assert isinstance(message, checks.Warning)
        assert message.msg == problem.message

    def test_a_hint_for_a_misspelt_key(self) -> None:
        """A misspelt key of a rule gets the key that was meant."""
        (problem,) = config_problems({"AUDIT": {"RULES": {"a": {"KEEP_DAY": 1}}}})
        assert "KEEP_DAYS" in problem.hint


class TestRouter:
    def test_a_database_of_its_own(self) -> None:
        """With the router the log, and nothing else, is in the database that AUDIT names."""
        with override_settings(DATABASE_ROUTERS=[ROUTER]), audit(DATABASE="other"):
            assert router.db_for_read(AuditedDispatch) == "other"
            assert router.db_for_write(AuditedCall) == "other"
            assert router.db_for_read(User) == "default"
            assert router.allow_migrate("other", "signal_audit")
            assert not router.allow_migrate("default", "signal_audit")
            assert router.allow_migrate("default", "auth")
            assert router.allow_migrate("other", "auth")

    def test_relations(self) -> None:
        """Rows of the log relate to each other and to nothing else."""
        with override_settings(DATABASE_ROUTERS=[ROUTER]), audit(DATABASE="other"):
            dispatch, call = AuditedDispatch(), AuditedCall()
            assert router.allow_relation(dispatch, call)
            dispatch._state.db, user = "other", User()
            user._state.db = "default"
            assert not router.allow_relation(dispatch, user)
