"""Dispatches that are not sampled, and processes without an SDK."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from django.dispatch import Signal
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import (
    NonRecordingSpan,
    NoOpTracerProvider,
    SpanContext,
    TraceFlags,
    get_current_span,
    set_span_in_context,
    use_span,
)

from signal_inspector import capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.captures import NO_CAPTURES
from signal_inspector.core.record import recorder
from signal_inspector.core.record.values import SendMethod
from signal_inspector.tracing import TracingSink
from tests.listening import listening, run_python
from tests.tracing.spans import Traces, metrics_of


class Tells:
    """Receivers that write down what is current while they run."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.signal = Signal()
        self.signal.connect(self.sync)

    def sync(self, **kwargs: Any) -> None:
        self.seen.append(get_current_span())

    async def notifies(self, **kwargs: Any) -> None:
        self.seen.append(get_current_span())
        await asyncio.sleep(0)
        self.seen.append(get_current_span())

    def send(self, method: SendMethod) -> None:
        sending = getattr(self.signal, method)(None)
        if method.is_async:
            asyncio.run(sending)


@pytest.mark.parametrize("method", list(SendMethod))
@pytest.mark.parametrize("with_async", [False, True])
class TestUnsampled:
    def test_a_root_stays_current(self, method: SendMethod, with_async: bool) -> None:
        """An unsampled decision is kept: what receivers start does not become a new root."""
        traces, tells = Traces(ParentBased(ALWAYS_OFF)), Tells()
        if with_async:
            tells.signal.connect(tells.notifies)
        with traces.listening():
            tells.send(method)
        contexts = [span.get_span_context() for span in tells.seen]
        assert len(contexts) == (3 if with_async else 1)
        assert all(each.is_valid and not each.trace_flags.sampled for each in contexts)
        assert len({each.trace_id for each in contexts}) == 1
        assert traces.spans == []

    def test_an_unsampled_request_stays_current(
        self, method: SendMethod, with_async: bool
    ) -> None:
        """Under an unsampled span that one stays current, and is so afterwards."""
        traces, tells = Traces(ParentBased(ALWAYS_OFF)), Tells()
        if with_async:
            tells.signal.connect(tells.notifies)
        with traces.listening(), traces.tracer.start_as_current_span("request") as request:
            tells.send(method)
            assert get_current_span() is request
        assert {span.get_span_context().trace_id for span in tells.seen} == {
            request.get_span_context().trace_id
        }


def test_no_record_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unsampled send to sync receivers is not recorded where nobody else listens."""
    traces, tells = Traces(ParentBased(ALWAYS_OFF)), Tells()
    monkeypatch.setattr(recorder, "RunningDispatch", None)
    with traces.listening():
        tells.send(SendMethod.SEND)
    assert len(tells.seen) == 1


@pytest.mark.parametrize("method", list(SendMethod))
@pytest.mark.parametrize("in_request", [True, False])
@pytest.mark.parametrize("with_metrics", [True, False])
def test_an_unsampled_dispatch_keeps_the_id_of_its_trace(
    method: SendMethod, in_request: bool, with_metrics: bool
) -> None:
    """It is what receivers find current, so it stands in their logs; it is marked as unsampled."""
    traces, tells = Traces(ParentBased(ALWAYS_OFF)), Tells()
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    around = traces.tracer.start_as_current_span("request") if in_request else nullcontext()
    sink = traces.listening(meter_provider=meters if with_metrics else None)
    with sink, around, capture() as dispatches:
        tells.send(method)
    [dispatch] = dispatches
    assert dispatch.trace_id == f"{tells.seen[0].get_span_context().trace_id:032x}"
    assert dispatch.trace_sampled is False
    assert dispatch.as_dict()["trace_sampled"] is False


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
def test_without_a_sink_a_dispatch_has_the_trace_around_it(sampler: Sampler) -> None:
    """What OpenTelemetry has current is noted, though there is no span of the dispatch."""
    traces, tells = Traces(ParentBased(sampler)), Tells()
    with traces.tracer.start_as_current_span("request") as request, capture() as dispatches:
        tells.send(SendMethod.SEND)
    assert dispatches[0].trace_id == f"{request.get_span_context().trace_id:032x}"
    assert dispatches[0].span_id == ""
    assert dispatches[0].trace_sampled is (sampler is ALWAYS_ON)


@pytest.mark.parametrize("method", list(SendMethod))
@pytest.mark.parametrize("in_request", [True, False])
def test_a_dispatch_is_measured_though_the_sampler_fails(
    method: SendMethod, in_request: bool
) -> None:
    """What a sampler raises is reported, and keeps no dispatch from being measured."""

    class Broken(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            raise LookupError("no rule")

        def get_description(self) -> str:
            return "broken"

    traces, tells, reader = Traces(Broken()), Tells(), InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    around = nullcontext()
    if in_request:
        around = use_span(NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(1))))
    with traces.listening(meter_provider=meters), around:
        tells.send(method)
    counts = {
        metric.name: sum(getattr(point, "count", 0) for point in metric.data.data_points)
        for metric in metrics_of(reader)
    }
    assert counts["django.signal.send.duration"] == 1
    assert counts["django.signal.receiver.duration"] == 1
    assert internal_errors.counts()["starting the span of a dispatch"] == 1
    internal_errors.reset()


def test_without_a_trace_there_is_none() -> None:
    """Nothing is said of a trace where none is current."""
    tells = Tells()
    with capture() as dispatches:
        tells.send(SendMethod.SEND)
    [dispatch] = dispatches
    assert (dispatch.trace_id, dispatch.span_id, dispatch.trace_sampled) == ("", "", None)


def test_metrics_are_recorded_all_the_same() -> None:
    """What is not sampled is measured."""
    traces, tells, reader = Traces(ParentBased(ALWAYS_OFF)), Tells(), InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    with traces.listening(meter_provider=meters):
        tells.send(SendMethod.SEND)
        tells.send(SendMethod.ASEND)
    counts = {
        metric.name: sum(point.count for point in metric.data.data_points)
        for metric in metrics_of(reader)
        if metric.name.endswith("duration")
    }
    assert counts == {"django.signal.send.duration": 2, "django.signal.receiver.duration": 2}


def test_a_sampler_sees_the_attributes() -> None:
    """What is known at the start is there for the sampler to decide by."""
    asked: list[Any] = []

    class Asks(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
            asked.append((args, kwargs))
            return SamplingResult(Decision.DROP)

        def get_description(self) -> str:
            return "asks"

    traces = Traces(Asks())
    with traces.listening():
        Signal().send(None)
    assert "django.signal.receiver.count" in str(asked)


class Counted(ParentBased):
    """A sampler that tells how often it was asked."""

    asked = 0
    description = ""

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        self.asked += 1
        return super().should_sample(*args, **kwargs)

    def get_description(self) -> str:
        return self.description or super().get_description()


class TestAskingTheSampler:
    def test_an_unsampled_request_settles_it(self) -> None:
        """Where sampling follows the parent, an unsampled one costs no question."""
        sampler = Counted(ALWAYS_OFF)
        traces, tells = Traces(sampler), Tells()
        with traces.listening(), traces.tracer.start_as_current_span("request"):
            assert sampler.asked == 1
            tells.send(SendMethod.SEND)
            tells.send(SendMethod.ASEND)
        assert sampler.asked == 1

    def test_a_root_is_asked_for(self) -> None:
        """Without a parent there is nothing to follow."""
        sampler = Counted(ALWAYS_OFF)
        traces, tells = Traces(sampler), Tells()
        with traces.listening():
            tells.send(SendMethod.SEND)
        assert sampler.asked == 1

    @pytest.mark.parametrize("is_sampled", [True, False])
    def test_a_sampled_request_has_its_dispatches_sampled(self, is_sampled: bool) -> None:
        """The other way round, the same: also under a parent in another process."""
        traces, tells = Traces(ParentBased(ALWAYS_OFF)), Tells()
        remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(int(is_sampled)))
        token = attach(set_span_in_context(NonRecordingSpan(remote)))
        with traces.listening():
            tells.send(SendMethod.SEND)
        detach(token)
        assert len(traces.spans) == (2 if is_sampled else 0)

    @pytest.mark.parametrize("sampler", [ALWAYS_ON, ParentBased(ALWAYS_OFF, ALWAYS_ON)])
    def test_another_sampler_is_asked(self, sampler: Sampler) -> None:
        """One that may sample under an unsampled parent is asked each time."""
        kept = ParentBased(ALWAYS_OFF, local_parent_not_sampled=sampler)
        traces, tells = Traces(kept), Tells()
        with traces.listening(), traces.tracer.start_as_current_span("request"):
            tells.send(SendMethod.SEND)
        assert len(traces.spans) == (2 if sampler is ALWAYS_ON else 0)

    def test_one_that_describes_itself_otherwise_is_asked(self) -> None:
        """What a sampler of somebody's own does is not guessed."""
        sampler = Counted(ALWAYS_OFF)
        sampler.description = "by name"
        traces, tells = Traces(sampler), Tells()
        with traces.listening(), traces.tracer.start_as_current_span("request"):
            tells.send(SendMethod.SEND)
        assert sampler.asked == 2


class TestApiOnly:
    def test_it_is_idle(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a provider that makes no spans, nothing is recorded or asked."""
        tells = Tells()
        sink = TracingSink(tracer_provider=NoOpTracerProvider())
        monkeypatch.setattr(recorder, "RunningDispatch", None)
        with listening(sink):
            assert NO_CAPTURES.now().is_idle()
            for method in SendMethod:
                tells.send(method)

    def test_the_global_provider_may_come_later(self) -> None:
        """In a process without an SDK the sink is idle until there is one."""
        printed = run_python(
            "from django.conf import settings; settings.configure(); import django\n"
            "django.setup()\n"
            "from django.dispatch import Signal\n"
            "from signal_inspector.core.wrapper import instrument\n"
            "from signal_inspector.core.listening import sinks\n"
            "from signal_inspector.tracing import TracingSink\n"
            "from opentelemetry import trace\n"
            "from opentelemetry.sdk.trace import TracerProvider\n"
            "from opentelemetry.sdk.trace.export import SimpleSpanProcessor\n"
            "from opentelemetry.sdk.trace.export.in_memory_span_exporter import *\n"
            "instrument.install(); sink = TracingSink(); sinks.add_sink(sink)\n"
            "signal = Signal(); signal.connect(print_ := lambda **kwargs: None)\n"
            "signal.send(None); print(sink.is_idle())\n"
            "exporter = InMemorySpanExporter(); provider = TracerProvider()\n"
            "provider.add_span_processor(SimpleSpanProcessor(exporter))\n"
            "trace.set_tracer_provider(provider)\n"
            "print(sink.is_idle()); signal.send(None)\n"
            "print(len(exporter.get_finished_spans()))\n"
        )
        assert printed.split() == ["True", "False", "2"]


def test_an_empty_context_is_kept() -> None:
    """Where nothing is current, nothing is current afterwards."""
    traces, tells = Traces(), Tells()
    token = attach(Context())
    with traces.listening():
        tells.send(SendMethod.SEND)
    assert get_current() == {}
    detach(token)


GLOBALS = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["signal_inspector"], SIGNAL_INSPECTOR={
    "SINKS": ["signal_inspector.tracing.TracingSink"], "TRACING": {"METRICS": False}})
django.setup()
from django.dispatch import Signal
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util._once import Once
signal = Signal()
signal.connect(lambda **kwargs: None, weak=False)

def spans_of_a_test():
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    signal.send(None)
    signal.send(None)
    trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, Once()
    return len(exporter.get_finished_spans())

print(spans_of_a_test(), spans_of_a_test())
signal.send(None)
print(spans_of_a_test())
"""


def test_a_global_provider_in_place_of_another_is_taken() -> None:
    """Test aids of OpenTelemetry set the globals anew for each test: each sees its own spans."""
    assert run_python(GLOBALS).split() == ["4", "4", "4"]
