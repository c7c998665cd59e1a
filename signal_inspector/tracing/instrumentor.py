"""Tracing for a project that does not know of us: what ``opentelemetry-instrument`` loads.

The class is what an instrumentor of opentelemetry-instrumentation is, without being derived from
one: that package is a beta, pins a pre-release of the conventions and would be the only reason
to install it. It is loaded while the interpreter starts, before Django has settings, so nothing
here may ask for them; the sink reads them when a signal is sent.

What ``apps`` sets up beside the wrapper is not needed here. Without "signal_inspector" in
``INSTALLED_APPS`` the ``TRACING``, ``INCLUDE`` and ``EXCLUDE`` settings hold as they are when
the first signal is sent, and these are missing: the system checks of the settings, the sinks
that ``SINKS`` names, the following of ``override_settings``, counts of queries and what became
of transactions (in a trace, queries are spans of the database's own instrumentation).
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Self

from django.apps import apps
from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider

from signal_inspector.core import internal_errors
from signal_inspector.core.listening import sinks
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.wrapper import instrument
from signal_inspector.tracing.sink import TracingSink

logger = logging.getLogger("signal_inspector")


class SignalInstrumentor:
    """Turns the tracing of signals on and off for the process. There is one, as of each
    instrumentor; where ``BaseInstrumentor`` is imported, it is an instance of that.
    """

    _instance: ClassVar[Self | None] = None
    _sink: TracingSink | None = None
    _has_installed = False
    _is_instrumented_by_opentelemetry = False  # as BaseInstrumentor has it, and tools set it

    def __new__(cls) -> Self:
        contrib: Any = sys.modules.get("opentelemetry.instrumentation.instrumentor")
        if hasattr(contrib, "BaseInstrumentor"):
            contrib.BaseInstrumentor.register(cls)
        if cls._instance is None:
            cls._instance = super().__new__(cls)
        return cls._instance

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether signals are traced because of ``instrument()``."""
        return self._is_instrumented_by_opentelemetry

    def instrumentation_dependencies(self) -> Collection[str]:
        """What has to be installed for there to be anything to trace."""
        return ("Django >= 5.2",)

    def instrument(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        dispatch_hook: Callable[[Span, Dispatch], object] | None = None,
        receiver_hook: Callable[[Span, Dispatch, int], object] | None = None,
        **_others: Any,
    ) -> None:
        """Trace signals from now on, with or without the app and the sink in the settings.

        A provider that is None is the global one; a hook that is None is the one that settings
        name. Nothing is raised. A second call changes nothing. What else the loaders
        pass (``skip_dep_check``, ``raise_exception_on_conflict``) is not looked at: a Django that
        does not do would not have let this package be installed.
        """
        if self._is_instrumented_by_opentelemetry:
            logger.warning("Signals are traced already: instrument() changes nothing.")
            return
        try:
            self._is_instrumented_by_opentelemetry = True
            self._has_installed = not instrument.is_installed()
            instrument.install()
            self._sink = TracingSink(
                tracer_provider=tracer_provider,
                meter_provider=meter_provider,
                logger_provider=logger_provider,
                dispatch_hook=dispatch_hook,
                receiver_hook=receiver_hook,
            )
            sinks.add_sink(self._sink)
        except Exception as error:  # raised, it would keep other instrumentors from loading
            internal_errors.report("instrumenting", error)
            self.uninstrument()

    def uninstrument(self, **_others: Any) -> None:
        """Put back what ``instrument()`` found. A sink that settings name is heard again.

        Counters that a meter provider reads stay with it: the API knows no way to take them back.
        """
        if not self._is_instrumented_by_opentelemetry:
            logger.warning("Signals are not traced: uninstrument() changes nothing.")
            return
        self._is_instrumented_by_opentelemetry = False
        sink, self._sink = self._sink, None
        has_installed, self._has_installed = self._has_installed, False
        if sink is not None:
            sinks.remove_sink(sink)
        if has_installed and not _is_app():
            instrument.uninstall()


def _is_app() -> bool:
    """Whether the project lists the app, which then needs the wrapper for itself."""
    configs = apps.app_configs.copy().values()  # other threads may be setting up the apps
    return any(config.name == "signal_inspector" for config in configs)
