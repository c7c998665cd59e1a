"""Installs the wrapper, once for the process."""

from __future__ import annotations

from types import ModuleType

from django.apps import AppConfig, apps
from django.core import checks
from django.core.signals import setting_changed

from signal_inspector.checks import TAG, check_settings, check_signals, check_toolbar
from signal_inspector.conf import SETTING, forget_config, get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import sinks
from signal_inspector.core.listening.sinks import load_sinks
from signal_inspector.core.record import queries, recorder, transactions
from signal_inspector.core.wrapper import instrument


class SignalInspectorConfig(AppConfig):
    """List it first in INSTALLED_APPS: it then sees every receiver being connected."""

    name = "signal_inspector"
    verbose_name = "Signal Inspector"

    def __init__(self, app_name: str, app_module: ModuleType) -> None:
        super().__init__(app_name, app_module)
        # Here, not in ready(): models.py and the ready() of other apps connect receivers too.
        instrument.install()

    def ready(self) -> None:
        transactions.install()
        queries.install()
        checks.register(check_settings, TAG)
        checks.register(check_toolbar, TAG)
        checks.register(check_signals, TAG, checks.Tags.signals)
        setting_changed.connect(
            _setting_changed, weak=False, dispatch_uid="signal_inspector.settings"
        )
        if apps.is_installed("debug_toolbar"):
            from signal_inspector.toolbar import unlogged  # noqa: PLC0415 - nobody else needs it

            internal_errors.add_suppressor(unlogged)
        _apply_settings()


def _setting_changed(setting: str, **kwargs: object) -> None:
    if setting == SETTING:
        _apply_settings()


def _apply_settings() -> None:
    forget_config()
    recorder.forget_decisions()
    sinks.use_sinks(tuple(load_sinks(get_config().sinks)))
