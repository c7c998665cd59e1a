"""The system check of the panel."""

from __future__ import annotations

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004 - Django's name for it

PANEL = "signal_inspector.toolbar.SignalInspectorPanel"


def check_panel() -> list[CheckMessage]:
    """W004: the panel is listed, but its app is not installed.

    The app cannot register this one: it is not there when it matters. The panel hands it to the
    toolbar, which asks its panels for their checks.
    """
    panels = getattr(settings, "DEBUG_TOOLBAR_PANELS", None)
    if not isinstance(panels, (list, tuple)) or PANEL not in panels:
        return []
    if apps.is_installed("signal_inspector"):
        return []
    return [
        Warning(
            f"DEBUG_TOOLBAR_PANELS holds {PANEL}, but INSTALLED_APPS lacks signal_inspector: "
            "no dispatch will be recorded.",
            hint='Add "signal_inspector" to INSTALLED_APPS.',
            id="signal_inspector.W004",
        )
    ]
