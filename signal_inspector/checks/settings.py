"""System checks of the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Warning  # noqa: A004 - Django's name for it
from django.core.exceptions import ImproperlyConfigured

from signal_inspector.conf import SETTING, config_problems, get_config, import_named
from signal_inspector.setting_rules import Problem, ProblemKind

TAG = "signal_inspector"
_PANEL = "signal_inspector.toolbar.SignalInspectorPanel"
_IDS = {
    ProblemKind.WRONG_TYPE: "signal_inspector.W001",
    ProblemKind.UNKNOWN_KEY: "signal_inspector.W002",
    ProblemKind.WRONG_VALUE: "signal_inspector.W003",
}


def check_settings(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """Check ``SIGNAL_INSPECTOR``; to be registered with ``TAG``.

    W001 wrong type, W002 unknown key, W003 wrong value; each names the key and has a hint. They
    are warnings and stop no command: the default is used instead of a wrong value. A sink that
    cannot be used is not checked here: it stops the start (``core.listening.sinks.load_sinks``).
    """
    from signal_inspector.checks import findings  # noqa: F401, PLC0415 - knows CHECKS

    problems = config_problems(getattr(settings, SETTING, {}))
    return [
        Warning(problem.message, hint=problem.hint, id=_IDS[problem.kind])
        for problem in (*problems, *_lost_hooks())
    ]


def _lost_hooks() -> Iterator[Problem]:
    """The paths in ``DESCRIBE`` that lead to no callable, as recording imports them only later."""
    for name, hook in (get_config().describe or {}).items():
        if not isinstance(hook, str):
            continue
        why = f"{hook!r} is not callable"
        try:
            if callable(import_named(hook, repr(hook))):
                continue
        except ImproperlyConfigured as error:
            why = str(error)
        yield Problem(
            key=f'{SETTING}["DESCRIBE"]',
            kind=ProblemKind.WRONG_VALUE,
            message=f'{SETTING}["DESCRIBE"]["{name}"]: {why}.',
            hint=(
                "Write the dotted path of a callable. Until then, values of the type are "
                "described as if there were no hook."
            ),
        )


def check_toolbar(
    app_configs: Sequence[AppConfig] | None,
    **kwargs: Any,
) -> list[CheckMessage]:
    """W005: the panel is listed, but the toolbar is not installed; to be registered with ``TAG``.

    The toolbar itself checks what else it needs, and the panel checks for our app (W004).
    """
    panels = getattr(settings, "DEBUG_TOOLBAR_PANELS", None)
    if not isinstance(panels, (list, tuple)) or _PANEL not in panels:
        return []
    if apps.is_installed("debug_toolbar"):
        return []
    return [
        Warning(
            f"DEBUG_TOOLBAR_PANELS contains {_PANEL}, but INSTALLED_APPS does not contain "
            "debug_toolbar: no panel will be shown.",
            hint=(
                'Add "debug_toolbar" to INSTALLED_APPS, or list panels only where the toolbar '
                "is installed."
            ),
            id="signal_inspector.W005",
        )
    ]
