"""Tracing without any change to the project: the class that ``opentelemetry-instrument`` loads.

The class has the interface of an instrumentor of opentelemetry-instrumentation without being a
subclass of one: that package is a beta, pins a pre-release of the conventions, and we would need
it only for this. The class is loaded while the interpreter starts, before Django has settings,
so nothing here may read them; the sink reads them when a signal is sent.

What ``apps`` sets up besides the wrapper is not needed here. Without "signal_inspector"
in ``INSTALLED_APPS``, the ``TRACING``, ``INCLUDE`` and ``EXCLUDE`` settings apply as they are when
the first signal is sent, and the following is missing: system checks of the settings, the sinks
listed in ``SINKS``, support for ``override_settings``, counts of queries, and whether transactions
were rolled back (in a trace, queries are spans of the database's own instrumentation).
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
    """Turns the tracing of signals on and off for the process.

    It is a singleton, like every instrumentor. If ``BaseInstrumentor`` is imported, the
    instrumentor counts as an instance of it.
    """

    _instance: ClassVar[Self | None] = None
    _sink: TracingSink | None = None
    _has_installed = False
    _is_instrumented_by_opentelemetry = False  # BaseInstrumentor has it too, and tools set it

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
        """The requirements without which there is nothing to trace."""
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
        """Trace signals from now on, whether or not the app and the sink are in the settings.

        For a provider, None means the global one; for a hook, None means the one in the settings.
        Raises nothing. A second call changes nothing. Other arguments that loaders pass
        (``skip_dep_check``, ``raise_exception_on_conflict``) are ignored: this package cannot be
        installed together with an unsupported version of Django.
        """
        if self._is_instrumented_by_opentelemetry:
            logger.warning("Signals are already traced: instrument() has no effect.")
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
        except Exception as error:  # raising it would keep other instrumentors from loading
            internal_errors.report("instrumenting", error)
            self.uninstrument()

    def uninstrument(self, **_others: Any) -> None:
        """Undo ``instrument()``. A tracing sink listed in the settings works again.

        Counters that a meter provider reads stay with it: the API has no way to remove them.
        """
        if not self._is_instrumented_by_opentelemetry:
            logger.warning("Signals are not traced: uninstrument() has no effect.")
            return
        self._is_instrumented_by_opentelemetry = False
        sink, self._sink = self._sink, None
        has_installed, self._has_installed = self._has_installed, False
        if sink is not None:
            sinks.remove_sink(sink)
        if has_installed and not _is_app():
            instrument.uninstall()


def _is_app() -> bool:
    """Whether the app is installed, in which case it needs the wrapper itself."""
    configs = apps.app_configs.copy().values()  # other threads may be setting up the apps
    return any(config.name == "signal_inspector" for config in configs)
