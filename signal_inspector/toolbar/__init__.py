"""The panel for django-debug-toolbar. ``debug_toolbar`` is imported in this package alone."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signal_inspector.toolbar.panel import SignalInspectorPanel

__all__ = ["SignalInspectorPanel"]


def __getattr__(name: str) -> Any:
    # Late: apps needs this package at start-up where the toolbar is installed, not its panel.
    if name != "SignalInspectorPanel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("signal_inspector.toolbar.panel").SignalInspectorPanel
