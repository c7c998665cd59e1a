"""``TracingSink``: decides for each dispatch which observer traces it for OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, Final, TypeAlias

from django.apps import apps
from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracer,
    Span,
    SpanContext,
    TraceFlags,
    Tracer,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)

from signal_inspector.conf import Config, get_config, is_inspected
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import sinks
from signal_inspector.core.listening.sinks import Observer, Sink
from signal_inspector.core.record import details
from signal_inspector.core.record.dispatch import TraceIds
from signal_inspector.core.record.ids import time_ns
from signal_inspector.core.record.values import Details, SendMethod
from signal_inspector.tracing import metrics, otel
from signal_inspector.tracing.attributes import Attributes, Described, of_dispatch
from signal_inspector.tracing.exceptions import FailureLog
from signal_inspector.tracing.measured import SPAN_KEY, Attached, Measured, Tools
from signal_inspector.tracing.metrics import Meters
from signal_inspector.tracing.otel import SUPPRESSED, SUPPRESSED_PLAINLY, Tracing, untraced
from signal_inspector.tracing.spans import DispatchSpan, ReceiverSpans

_SAMPLED: Final = TraceFlags.SAMPLED

#: The failures that code of the project, given to OpenTelemetry or to us, may cause.
_FAILURES: Final = (
    "starting the span of a dispatch",
    "starting the span of a receiver",
    "tracing DISPATCH_HOOK",
    "tracing RECEIVER_HOOK",
)

_MOST_DESCRIBED: Final = 2_000  # code may make names as it runs, without limit

_Key: TypeAlias = tuple[str, str, int | None, int]  # signal, sender, receivers, id of the method


class TracingSink(Sink):
    """Makes spans, metrics and log records of dispatches, through OpenTelemetry's API.

    A provider that is not given is the global one; a hook that is not given is the one in
    ``TRACING``. A subclass may pass them, and be listed in ``SINKS``. If no SDK is set up in the
    process, the sink costs next to nothing.
    """

    #: A project's own subclass in ``SINKS`` replaces the sink that ``instrument()`` adds: nothing
    #: is traced twice, and what the subclass changes stays in force.
    stands_for_its_bases: ClassVar[bool] = True

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: Any = None,
        logger_provider: Any = None,
        dispatch_hook: Callable[..., Any] | None = None,
        receiver_hook: Callable[..., Any] | None = None,
    ) -> None:
        # None is the global provider.
        self._tracers = tracer_provider
        self._meters = meter_provider
        self._loggers = logger_provider
        self._given = {
            "DISPATCH_HOOK": dispatch_hook,
            "RECEIVER_HOOK": receiver_hook,
        }
        self._described: dict[_Key, Described] = {}
        self._tracer: Tracer | None = None
        self._tools: Tools
        self._sleeping: Meters | None = None  # until there is an SDK to measure for
        internal_errors.announce(failures=_FAILURES, drops=["metric attributes"])
        internal_errors.add_suppressor(
            untraced
        )  # what the audit writes is not part of the user's traces
        self._use(get_config())

    @property
    def details(self) -> Details:  # type: ignore[override]
        details = Details.PAYLOAD if self._settings.payload_attributes else Details.NONE
        # Spans name the code that sends. Without a provider there are no spans.
        has_spans = self._is_global or self._tracer is not None
        return details | Details.CALLER if has_spans else details

    def is_idle(self) -> bool:
        if get_config() is not self._config or (self._puts_off and apps.models_ready):
            self._use(get_config())
            sinks.refresh_sinks()  # other details may be needed now
        return (
            self._tracer is None
            and not (self._is_global and _global_provider() is not self._provider)
            and self._tools.meters is None
            and (self._sleeping is None or self._sleeping.is_idle())
            and not self._logs()
        )

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        # The id of the method, because hashing an Enum member calls a function written in Python.
        key = signal, sender, receivers, id(method)
        name, attributes = known = self._described.get(key) or self._describe(key, method)
        here = get_current()
        if not name or here.get(SUPPRESSED) or here.get(SUPPRESSED_PLAINLY):
            return None
        if self._sleeping is not None and not self._sleeping.is_idle():
            self._wake_meters(self._sleeping)
        span = None
        if self._is_global and _global_provider() is not self._provider:
            self._take_provider()
        tracer = self._tracer
        parent: TraceIds | None = _parent(here)
        outer = None
        if parent is None:
            parent = outer = details.outer_trace.get()
        if tracer is None or (parent is None and not self._settings.start_traces):
            pass
        elif parent is not None and outer is None and self._tools.follows_parent:
            if parent.trace_flags & _SAMPLED:
                return self._spans(self._tools, known, here, receivers)
        else:
            around = here if outer is None else _in_trace_of(outer, here)
            span = _started(tracer, name, around, attributes)
            if span is not None and span.is_recording():
                return self._spans(self._tools, span, here, receivers)
            if parent is not None and outer is None and not parent.trace_flags & _SAMPLED:
                span = None  # the current span already says all that this one would
        if self._tools.meters is not None or self._logs():
            return Measured(self._tools, span, here, receivers)
        return None if span is None else Attached(span, here, receivers)

    def _wake_meters(self, meters: Meters) -> None:
        """Start measuring, as an SDK has been set up."""
        self._sleeping = None
        self._tools = replace(self._tools, meters=meters)

    def _use(self, config: Config) -> None:
        """Read the settings, and prepare what they ask for."""
        self._config = config  # first: finding a hook may import code that sends signals
        self._puts_off = False
        self._settings = settings = config.room(Tracing)
        self._described = {}
        self._spans = ReceiverSpans if settings.receiver_spans else DispatchSpan
        tracer = get_tracer(otel.NAME, otel.VERSION, self._tracers, otel.SCHEMA_URL)
        self._is_global = self._tracers is None
        self._provider = _global_provider()  # None until there is an SDK
        waits = self._is_global and self._provider is None
        self._tracer = None if waits or isinstance(tracer, NoOpTracer) else tracer
        self._tools = Tools(
            settings=settings,
            tracer=tracer,
            meters=None,
            log=FailureLog(self._loggers),
            dispatch_hook=otel.guarded(self._find("DISPATCH_HOOK"), "DISPATCH_HOOK"),
            receiver_hook=otel.guarded(self._find("RECEIVER_HOOK"), "RECEIVER_HOOK"),
        )
        self._sleeping = None
        if settings.metrics:
            self._sleeping = Meters(self._meters)
            metrics.observe(self._meters)

    def _find(self, key: str) -> Any:
        """The hook that was given to the constructor, or the one in the settings."""
        given = self._given[key]
        if given is not None:
            return given
        named = getattr(self._settings, key.lower())
        if isinstance(named, str) and not apps.models_ready:
            # An agent makes the sink before Django loads the apps. The module of the hook may
            # import models, which is not possible yet, so the hook is imported later.
            self._puts_off = True
            return None
        return otel.found(named, key)

    def _take_provider(self) -> None:
        """Use the global provider, which has been set or replaced."""
        if self._provider is not None:  # tests replace it, and those for metrics and logs too
            self._use(self._config)
            return
        self._provider = _global_provider()
        # Get a new tracer, because the proxy would look up the real one for every span.
        tracer = get_tracer(otel.NAME, otel.VERSION, None, otel.SCHEMA_URL)
        self._tools = replace(self._tools, tracer=tracer)
        self._tracer = None if isinstance(tracer, NoOpTracer) else tracer

    def _logs(self) -> bool:
        return self._settings.log_failures and not self._tools.log.is_idle()

    def _describe(self, key: _Key, method: SendMethod) -> Described:
        """The name and attributes of a dispatch span; the name is "" if settings exclude it."""
        signal, sender, receivers, _ = key
        settings = self._settings
        described: Described = ("", {})
        if is_inspected(signal, settings.include, settings.exclude):
            described = of_dispatch(signal, sender, method, receivers)
        if len(self._described) < _MOST_DESCRIBED:
            self._described[key] = described
        return described


def _in_trace_of(outer: TraceIds, here: Context) -> Context:
    """The context with a span that has ended, such as a request's while its body is streamed."""
    flags = TraceFlags(outer.trace_flags)
    known = SpanContext(outer.trace_id, outer.span_id, is_remote=False, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(known), here)


def _started(tracer: Tracer, name: str, here: Context, attributes: Attributes) -> Span | None:
    """Start the span of a dispatch; None if that fails, as the dispatch can still be measured."""
    try:
        return tracer.start_span(name, here, attributes=attributes, start_time=time_ns())
    except Exception as error:  # raised by a sampler or a processor
        internal_errors.report("starting the span of a dispatch", error)
        return None


def _parent(here: Context) -> SpanContext | None:
    """The context of the current span, if there is one."""
    span: Any = here.get(SPAN_KEY)
    if span is None:
        return None
    found: SpanContext = span.get_span_context()
    return found if found.is_valid else None


def _global_provider() -> object:
    """The provider of the SDK that is set up; None if there is none. Called for every dispatch."""
    try:
        return trace._TRACER_PROVIDER
    except AttributeError:  # the public way reads the environment first, each time
        provider = trace.get_tracer_provider()
        return None if isinstance(provider, trace.ProxyTracerProvider) else provider
