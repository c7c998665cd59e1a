"""The panel for django-debug-toolbar. ``debug_toolbar`` is imported in this package alone."""

from __future__ import annotations

from signal_inspector.toolbar.panel import SignalInspectorPanel

__all__ = ["SignalInspectorPanel"]
