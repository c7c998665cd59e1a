"""System checks, and the sinks that the settings name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name for it
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from signal_inspector.conf import SETTING, config_problems, read_config
from signal_inspector.setting_rules import ProblemKind
from signal_inspector.sinks import Sink

TAG = "signal_inspector"
PANEL = "signal_inspector.toolbar.SignalInspectorPanel"
_SINKS = f'{SETTING}["SINKS"]'
_IDS = {
    ProblemKind.WRONG_TYPE: "signal_inspector.E001",
    ProblemKind.UNKNOWN_KEY: "signal_inspector.E002",
    ProblemKind.WRONG_VALUE: "signal_inspector.E003",
}
_SINK_ID = "signal_inspector.E004"
_PANEL_ID = "signal_inspector.W001"


def check_settings(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """What is wrong in ``SIGNAL_INSPECTOR``; to be registered with ``TAG``.

    E001 wrong type, E002 unknown key, E003 wrong value, E004 a sink that cannot be used. Every
    message names the key, and every one has a hint.
    """
    raw = getattr(settings, SETTING, {})
    messages: list[CheckMessage] = [
        Error(problem.message, hint=problem.hint, id=_IDS[problem.kind])
        for problem in config_problems(raw)
    ]
    return messages + _check_sinks(read_config(raw).sinks)


def check_panel(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """W001: the panel is listed, but its app is not installed.

    The app cannot register this one: it is not there when it matters. The panel has to.
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
            id=_PANEL_ID,
        )
    ]


def load_sinks(paths: Iterable[str]) -> list[Sink]:
    """One instance of each sink class; ImproperlyConfigured says which path fails, and why."""
    return [_load_sink(path) for path in paths]


def _load_sink(path: str) -> Sink:
    sink_class = _sink_class(path)
    try:
        return sink_class()
    except Exception as error:
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} could not be made without arguments: {_cause(error)}"
        ) from error


def _sink_class(path: str) -> type[Sink]:
    try:
        found = import_string(path)
    except Exception as error:  # a module may raise anything while it is imported
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} cannot be imported: {_cause(error)}"
        ) from error
    if not isinstance(found, type) or not issubclass(found, Sink):
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} is not a subclass of signal_inspector.sinks.Sink."
        )
    return found


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _check_sinks(paths: Iterable[str]) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    for path in paths:
        try:
            _sink_class(path)
        except ImproperlyConfigured as error:
            hint = 'Name the class by its dotted path, like "shop.sinks.AuditSink".'
            messages.append(Error(str(error), hint=hint, id=_SINK_ID))
    return messages
