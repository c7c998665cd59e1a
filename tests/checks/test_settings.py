"""What the system checks say, and which sinks can be loaded."""

from __future__ import annotations

from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.apps import apps
from django.conf import settings
from django.core import checks
from django.core.management import call_command
from django.test import override_settings

from signal_inspector.audit.settings import Audit
from signal_inspector.checks import TAG, check_settings, check_toolbar
from signal_inspector.checks.findings import Checks
from signal_inspector.conf import Config, Limits, Toolbar
from signal_inspector.setting_rules import keys
from signal_inspector.tracing.otel import Tracing
from signal_inspector.watch.wire import Watch


def messages_for(raw: object) -> list[checks.CheckMessage]:
    # Not override_settings(), which would have the app load the sinks.
    with mock.patch.object(settings, "SIGNAL_INSPECTOR", raw, create=True):
        return check_settings(None)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"INCLUDE": ["matches.nothing"]},
        {"TOOLBAR": {"EDITOR_URL": "vscode://file/{path}:{line}"}},
        {"TRACING": {"RECEIVER_SPANS": False}, "AUDIT": {}},
        {"DESCRIBE": {"shop.Money": "signal_inspector.checks.check_settings", "Sum": str}},
    ],
    ids=str,
)
def test_right_settings(raw: dict[str, Any]) -> None:
    """Right settings give no message."""
    assert messages_for(raw) == []


@override_settings()
def test_without_the_setting() -> None:
    """A project that sets nothing gets no message."""
    if hasattr(settings, "SIGNAL_INSPECTOR"):
        del settings.SIGNAL_INSPECTOR
    assert check_settings(None) == []


@pytest.mark.parametrize(
    ("raw", "number", "message", "hint"),
    [
        (
            "on",
            "W001",
            "SIGNAL_INSPECTOR must be a dict, not a string.",
            "Write a dict",
        ),
        (
            {"INCLUDE": "shop.*"},
            "W001",
            'SIGNAL_INSPECTOR["INCLUDE"] must be a list of strings, not a string.',
            "Put the string in a list",
        ),
        (
            {"EXLCUDE": []},
            "W002",
            'SIGNAL_INSPECTOR["EXLCUDE"] is not a setting of Signal Inspector.',
            "Did you mean EXCLUDE?",
        ),
        (
            {"TOOLBAR": {"EDITOR_URL": "vscode://file/{path}"}},
            "W003",
            'SIGNAL_INSPECTOR["TOOLBAR"]["EDITOR_URL"] does not contain {line}.',
            "Write a template that contains {path} and {line}",
        ),
        (
            {"DESCRIBE": {"shop.Money": "tests.checks.nowhere.describe"}},
            "W003",
            (
                'SIGNAL_INSPECTOR["DESCRIBE"]["shop.Money"]: '
                "'tests.checks.nowhere.describe' cannot be imported: "
                "ModuleNotFoundError: No module named 'tests.checks.nowhere'."
            ),
            "Write the dotted path of a callable",
        ),
        (
            {"DESCRIBE": {"shop.Money": "signal_inspector.checks.TAG"}},
            "W003",
            (
                'SIGNAL_INSPECTOR["DESCRIBE"]["shop.Money"]: '
                "'signal_inspector.checks.TAG' is not callable."
            ),
            "Write the dotted path of a callable",
        ),
    ],
    ids=["type", "list", "key", "value", "lost hook", "no hook"],
)
def test_each_kind_of_mistake(raw: object, number: str, message: str, hint: str) -> None:
    """A wrong type is W001, an unknown key W002, a wrong value W003, each with its hint."""
    (found,) = messages_for(raw)
    assert found.id == f"signal_inspector.{number}"
    assert found.level == checks.WARNING
    assert found.msg == message
    assert found.hint is not None
    assert found.hint.startswith(hint)


def test_a_wrong_list_of_sinks_is_told_once() -> None:
    """A SINKS that is no list gives one message, about the list."""
    (found,) = messages_for({"SINKS": "shop.sinks.Audit"})
    assert found.id == "signal_inspector.W001"


def test_manage_py_check_tells() -> None:
    """Registered by the app, the check speaks in `manage.py check` and does not stop it."""
    said = StringIO()
    with override_settings(SIGNAL_INSPECTOR={"LIMITS": {"DISPATCH": 1}}):
        call_command("check", tags=[TAG], stderr=said)
    assert "Did you mean DISPATCHES" in said.getvalue()


class TestToolbar:
    PANEL = "signal_inspector.toolbar.SignalInspectorPanel"

    def found(self, panels: object) -> list[str | None]:
        with override_settings(DEBUG_TOOLBAR_PANELS=panels):
            return [each.id for each in check_toolbar(None)]

    @pytest.mark.parametrize("panels", [[PANEL], ("x", PANEL)], ids=str)
    def test_the_panel_without_the_toolbar(
        self, monkeypatch: pytest.MonkeyPatch, panels: object
    ) -> None:
        """The panel in a project that did not install the toolbar is W005."""
        monkeypatch.setattr(apps, "is_installed", "signal_inspector".__eq__)
        assert self.found(panels) == ["signal_inspector.W005"]

    @pytest.mark.parametrize("panels", [None, [], ["debug_toolbar.panels.sql.SQLPanel"], 3])
    def test_no_panel(self, monkeypatch: pytest.MonkeyPatch, panels: object) -> None:
        """A project that does not list the panel needs no toolbar."""
        monkeypatch.setattr(apps, "is_installed", "signal_inspector".__eq__)
        assert self.found(panels) == []

    def test_the_panel_with_the_toolbar(self) -> None:
        """The panel beside the toolbar is right."""
        assert self.found([self.PANEL]) == []


def test_there_are_few_settings() -> None:
    """A project has at most forty keys to choose from, beside those of a rule of the audit."""
    sections = (Limits, Toolbar, Tracing, Audit, Checks, Watch)
    plain = set(keys(Config)) - {"LIMITS", "TOOLBAR"}
    assert len(plain) + sum(len(keys(section)) for section in sections) <= 40
