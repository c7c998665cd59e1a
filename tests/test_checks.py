"""What the system checks say, and which sinks can be loaded."""

from __future__ import annotations

from io import StringIO
from typing import Any
from unittest import mock

import pytest
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from signal_inspector.checks import PANEL, TAG, check_panel, check_settings, load_sinks
from signal_inspector.sinks import Sink


class Quiet(Sink):
    """A sink that can be used."""


class Picky(Sink):
    """A sink that cannot be made without arguments."""

    def __init__(self, url: str) -> None:
        self.url = url


class NoSink:
    """Not a sink."""


quiet = Quiet()


def messages_for(raw: object) -> list[checks.CheckMessage]:
    # Not override_settings(), which would have the app load the sinks.
    with mock.patch.object(settings, "SIGNAL_INSPECTOR", raw, create=True):
        return check_settings(None)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"INCLUDE": ["matches.nothing"]},
        {"SINKS": [f"{__name__}.Quiet"]},
        {"TOOLBAR": {"EDITOR_URL": "vscode://file/{path}:{line}"}},
        {"TRACING": {"X": 1}, "AUDIT": {}},
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
            "E001",
            "SIGNAL_INSPECTOR must be a dict, not a string.",
            "Write a dict",
        ),
        (
            {"INCLUDE": "shop.*"},
            "E001",
            'SIGNAL_INSPECTOR["INCLUDE"] must be a list of strings, not a string.',
            "Put the string in a list",
        ),
        (
            {"EXLCUDE": []},
            "E002",
            'SIGNAL_INSPECTOR["EXLCUDE"] is not a setting of Signal Inspector.',
            "Did you mean EXCLUDE?",
        ),
        (
            {"TOOLBAR": {"EDITOR_URL": "vscode://file/{path}"}},
            "E003",
            'SIGNAL_INSPECTOR["TOOLBAR"]["EDITOR_URL"] lacks {line}.',
            "Write a template that holds {path} and {line}",
        ),
    ],
    ids=["type", "list", "key", "value"],
)
def test_each_kind_of_mistake(raw: object, number: str, message: str, hint: str) -> None:
    """A wrong type is E001, an unknown key E002, a wrong value E003, each with its hint."""
    (found,) = messages_for(raw)
    assert found.id == f"signal_inspector.{number}"
    assert found.level == checks.ERROR
    assert found.msg == message
    assert found.hint is not None
    assert found.hint.startswith(hint)


BROKEN_SINKS = [
    ("Sink", "cannot be imported: ImportError: Sink doesn't look like a module path"),
    (
        "no.such.Sink",
        "cannot be imported: ModuleNotFoundError: No module named 'no'",
    ),
    (f"{__name__}.Gone", "cannot be imported: ImportError: "),
    (f"{__name__}.NoSink", "is not a subclass of signal_inspector.sinks.Sink."),
    (f"{__name__}.quiet", "is not a subclass of signal_inspector.sinks.Sink."),
]


@pytest.mark.parametrize(("path", "cause"), BROKEN_SINKS)
def test_a_sink_that_cannot_be_used(path: str, cause: str) -> None:
    """E004 and load_sinks() name the setting, the path and the cause."""
    sentence = f'SIGNAL_INSPECTOR["SINKS"]: {path!r} {cause}'
    paths = [f"{__name__}.Quiet", path]
    (found,) = messages_for({"SINKS": paths})
    assert found.id == "signal_inspector.E004"
    assert found.msg.startswith(sentence)
    assert found.hint == 'Name the class by its dotted path, like "shop.sinks.AuditSink".'
    with pytest.raises(ImproperlyConfigured) as raised:
        load_sinks(paths)
    assert str(raised.value).startswith(sentence)


def test_a_sink_whose_module_fails(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its module raises, the sentence tells it and the cause is chained."""
    (tmp_path / "failing_sinks.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        ImproperlyConfigured, match="ZeroDivisionError: division by zero"
    ) as raised:
        load_sinks(["failing_sinks.Sink"])
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_sink_that_wants_arguments() -> None:
    """A sink that cannot be made is refused with its name and the cause."""
    with pytest.raises(
        ImproperlyConfigured,
        match=r"'tests.test_checks.Picky' could not be made without arguments: TypeError: .*'url'",
    ):
        load_sinks([f"{__name__}.Picky"])


def test_sinks_are_made_in_order() -> None:
    """One instance of each class, in the order of the setting."""
    first, second = load_sinks([f"{__name__}.Quiet", "signal_inspector.sinks.Sink"])
    assert type(first) is Quiet
    assert type(second) is Sink
    assert load_sinks([]) == []


def test_a_wrong_list_of_sinks_is_told_once() -> None:
    """A SINKS that is no list gives one message, about the list."""
    (found,) = messages_for({"SINKS": "shop.sinks.Audit"})
    assert found.id == "signal_inspector.E001"


@pytest.mark.parametrize("panels", [[PANEL], ("x", PANEL)], ids=str)
def test_the_panel_without_its_app(monkeypatch: pytest.MonkeyPatch, panels: object) -> None:
    """The panel in a project that did not install the app is W001."""
    monkeypatch.setattr(settings, "DEBUG_TOOLBAR_PANELS", panels)
    monkeypatch.setattr("signal_inspector.checks.apps.is_installed", lambda name: False)
    (found,) = check_panel(None)
    assert found.id == "signal_inspector.W001"
    assert found.level == checks.WARNING
    assert PANEL in found.msg
    assert "INSTALLED_APPS" in found.msg
    assert found.hint == 'Add "signal_inspector" to INSTALLED_APPS.'


@pytest.mark.parametrize("panels", [None, [], ["debug_toolbar.panels.sql.SQLPanel"], 3], ids=str)
def test_without_the_panel(monkeypatch: pytest.MonkeyPatch, panels: object) -> None:
    """A project that does not list the panel gets no W001."""
    monkeypatch.setattr(settings, "DEBUG_TOOLBAR_PANELS", panels)
    monkeypatch.setattr("signal_inspector.checks.apps.is_installed", lambda name: False)
    assert check_panel(None) == []


def test_the_panel_with_its_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel beside its app gets no W001."""
    monkeypatch.setattr(settings, "DEBUG_TOOLBAR_PANELS", [PANEL])
    monkeypatch.setattr("signal_inspector.checks.apps.is_installed", "signal_inspector".__eq__)
    assert check_panel(None) == []


def test_manage_py_check_tells() -> None:
    """Registered by the app, the check stops `manage.py check` with its message."""
    with (
        override_settings(SIGNAL_INSPECTOR={"LIMITS": {"DISPATCH": 1}}),
        pytest.raises(SystemCheckError, match="Did you mean DISPATCHES"),
    ):
        call_command("check", tags=[TAG], stderr=StringIO())
