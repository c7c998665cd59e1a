"""What the checks say of how the audit is installed; those of the log are in test_gaps."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.checks import run_checks
from django.db import connection
from django.test import override_settings

from signal_inspector.audit import middleware
from signal_inspector.audit.checks import check_cachalot, check_installation, check_log
from signal_inspector.audit.models import AuditedDispatch
from tests.listening import ROOT

OURS = "signal_inspector.audit.middleware.AuditMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
TOOLBAR = "debug_toolbar.middleware.DebugToolbarMiddleware"


class OwnMiddleware(middleware.AuditMiddleware):
    """A project's own."""


def loud_middleware(get_response: Any) -> Any:
    """A project's middleware, which may send signals."""
    return get_response


OWN = f"{__name__}.OwnMiddleware"
LOUD = f"{__name__}.loud_middleware"


def found(middleware: list[str], **others: Any) -> list[str]:
    """The ids of what is said of these settings."""
    with override_settings(MIDDLEWARE=middleware, **others):
        return [each.id or "" for each in check_installation(None)]


class TestMiddleware:
    @pytest.mark.parametrize(
        "middleware",
        [
            [OURS],
            [OURS, SESSIONS, LOUD],
            [OWN, SESSIONS],
            [SECURITY, TOOLBAR, "whitenoise.middleware.WhiteNoiseMiddleware", OURS, SESSIONS],
        ],
        ids=["alone", "first", "subclass", "behind quiet ones"],
    )
    def test_in_its_place(self, middleware: list[str]) -> None:
        """First, or behind middleware that sends no signals, it is right."""
        assert found(middleware) == []

    @pytest.mark.parametrize(
        "middleware",
        [[], [SECURITY, SESSIONS], [SESSIONS, OURS], [SECURITY, LOUD, OURS], [LOUD, OWN]],
        ids=["no middleware", "missing", "behind sessions", "behind a project's", "subclass"],
    )
    def test_missing_or_late(self, middleware: list[str]) -> None:
        """Without it, or behind what may send signals, W007 says so."""
        assert found(middleware) == ["signal_audit.W007"]

    def test_the_first_that_may_send_is_named(self) -> None:
        """The message names what has to go behind it."""
        with override_settings(MIDDLEWARE=[SECURITY, LOUD, SESSIONS, OURS]):
            (message,) = check_installation(None)
        assert message.msg.startswith(f"{LOUD} comes before AuditMiddleware")
        assert message.hint == f'Put "{OURS}" first.'

    def test_a_middleware_that_cannot_be_imported(self) -> None:
        """A wrong path is for Django to tell of."""
        assert found(["no.such.Middleware", OURS]) == ["signal_audit.W007"]

    def test_a_middleware_whose_module_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever a module raises while it is imported, the check goes on."""
        (tmp_path / "failing_middleware.py").write_text("1 / 0\n")
        monkeypatch.syspath_prepend(tmp_path)
        assert found(["failing_middleware.Middleware", OURS]) == ["signal_audit.W007"]

    def test_a_project_that_answers_no_requests(self) -> None:
        """Without URLs there is no request to know of."""
        assert found([], ROOT_URLCONF=None) == []


def test_the_audit_without_the_core(monkeypatch: pytest.MonkeyPatch) -> None:
    """W006 says that nothing is recorded without signal_inspector in INSTALLED_APPS."""
    installed = {config.name for config in apps.get_app_configs()} - {"signal_inspector"}
    monkeypatch.setattr(apps, "is_installed", installed.__contains__)
    with override_settings(MIDDLEWARE=[OURS]):
        (message,) = check_installation(None)
    assert message.id == "signal_audit.W006"
    assert message.hint == 'Add "signal_inspector" to INSTALLED_APPS, in first place.'


def test_it_is_registered() -> None:
    """`manage.py check` runs it."""
    with override_settings(MIDDLEWARE=[LOUD, OURS]):
        assert "signal_audit.W007" in [each.id for each in run_checks()]


def test_every_id_is_in_the_document() -> None:
    """docs/audit.md has a row for each id, and for none that there is not."""
    sources = (ROOT / "signal_inspector" / "audit").rglob("*.py")
    given = {
        id_ for path in sources for id_ in re.findall(r"signal_audit\.[EW]\d+", path.read_text())
    }
    told = re.findall(r"`(signal_audit\.[EW]\d+)`", (ROOT / "docs" / "audit.md").read_text())
    assert set(told) == given


class TestCachalot:
    """django-cachalot keeps what it has read, and does not hear of what the log writes."""

    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = apps.is_installed
        monkeypatch.setattr(apps, "is_installed", lambda name: name == "cachalot" or real(name))

    def test_is_told_of(self) -> None:
        """It is warned of, with the setting that helps."""
        [warning] = check_cachalot(None)
        assert warning.id == "signal_audit.W009"
        assert "CACHALOT_UNCACHABLE_APPS" in (warning.hint or "")

    @pytest.mark.parametrize(
        "settings",
        [
            {"CACHALOT_UNCACHABLE_APPS": frozenset(["signal_audit"])},
            {"CACHALOT_ENABLED": False},
            {"CACHALOT_ONLY_CACHABLE_APPS": frozenset(["shop"])},
            {"CACHALOT_ONLY_CACHABLE_TABLES": frozenset(["shop_order"])},
            {"CACHALOT_DATABASES": {"other"}},
            {
                "CACHALOT_UNCACHABLE_TABLES": {
                    model._meta.db_table
                    for model in apps.get_app_config("signal_audit").get_models()
                }
            },
        ],
        ids=lambda settings: next(iter(settings)),
    )
    def test_that_leaves_the_log_alone(self, settings: dict[str, Any]) -> None:
        """Nothing is said where its tables are not cached."""
        with override_settings(**settings):
            assert check_cachalot(None) == []

    def test_of_other_apps(self) -> None:
        """Leaving out other apps does not help, and is told of."""
        with override_settings(CACHALOT_UNCACHABLE_APPS=frozenset(["auth"])):
            assert len(check_cachalot(None)) == 1


def test_without_cachalot() -> None:
    """Nothing is said where it is not installed."""
    assert check_cachalot(None) == []


@pytest.mark.django_db(transaction=True)
def test_a_log_that_was_not_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    """``check --database`` says that the tables are missing, and what to run.

    ``migrate``, which runs the same checks before it begins, does not.
    """
    table, name = AuditedDispatch._meta.db_table, connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {name(table)} RENAME TO {name('away')}")
        try:
            [warning] = check_log(None, databases=["default"])
            monkeypatch.setattr(sys, "argv", ["manage.py", "migrate"])
            assert check_log(None, databases=["default"]) == []
        finally:
            cursor.execute(f"ALTER TABLE {name('away')} RENAME TO {name(table)}")
    assert warning.id == "signal_audit.W003"
    assert "manage.py migrate signal_audit" in (warning.hint or "")
    assert check_log(None, databases=["default"]) == []
