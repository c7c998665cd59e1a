"""What is said of a panel in a project that did not install its app."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core import checks

from signal_inspector.toolbar import SignalInspectorPanel
from signal_inspector.toolbar.panel import PANEL, check_panel


@pytest.mark.parametrize("panels", [[PANEL], ("x", PANEL)], ids=str)
def test_the_panel_without_its_app(monkeypatch: pytest.MonkeyPatch, panels: object) -> None:
    """The panel in a project that did not install the app is W004."""
    monkeypatch.setattr(settings, "DEBUG_TOOLBAR_PANELS", panels)
    monkeypatch.setattr("signal_inspector.toolbar.panel.apps.is_installed", lambda name: False)
    (found,) = check_panel()
    assert found.id == "signal_inspector.W004"
    assert found.level == checks.WARNING
    assert PANEL in found.msg
    assert "INSTALLED_APPS" in found.msg
    assert found.hint == 'Add "signal_inspector" to INSTALLED_APPS.'


@pytest.mark.parametrize("panels", [None, [], ["debug_toolbar.panels.sql.SQLPanel"], 3], ids=str)
def test_without_the_panel(monkeypatch: pytest.MonkeyPatch, panels: object) -> None:
    """A project that does not list the panel gets no W004."""
    monkeypatch.setattr(settings, "DEBUG_TOOLBAR_PANELS", panels)
    monkeypatch.setattr("signal_inspector.toolbar.panel.apps.is_installed", lambda name: False)
    assert check_panel() == []


def test_the_panel_with_its_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """The panel beside its app gets no W004."""
    monkeypatch.setattr(settings, "DEBUG_TOOLBAR_PANELS", [PANEL])
    monkeypatch.setattr(
        "signal_inspector.toolbar.panel.apps.is_installed", "signal_inspector".__eq__
    )
    assert check_panel() == []


def test_the_toolbar_asks_the_panel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check reaches Django through the toolbar's own one."""
    monkeypatch.setattr(settings, "DEBUG_TOOLBAR_PANELS", [PANEL])
    monkeypatch.setattr("signal_inspector.toolbar.panel.apps.is_installed", lambda name: False)
    assert [message.id for message in SignalInspectorPanel.run_checks()] == [
        "signal_inspector.W004"
    ]
