"""What receivers attach to the context of OpenTelemetry reaches the same code as without us."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import attach, detach, get_current
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import NoOpTracerProvider, get_current_span, set_span_in_context

from signal_inspector.core import internal_errors
from signal_inspector.core.listening.sinks import add_sink, remove_sink
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import instrument
from signal_inspector.tracing import TracingSink
from tests.listening import SHARES_CONTEXT, Live, unknown_django
from tests.tracing.spans import Traces


@contextlib.contextmanager
def bare(traces: Traces) -> Iterator[None]:
    instrument.uninstall()
    try:
        yield
    finally:
        instrument.install()


@contextlib.contextmanager
def traced(traces: Traces) -> Iterator[None]:
    with traces.listening():
        yield


@contextlib.contextmanager
def traced_on_an_unknown_django(traces: Traces) -> Iterator[None]:
    with unknown_django(), traces.listening():
        yield


@contextlib.contextmanager
def traced_beside_another(traces: Traces) -> Iterator[None]:
    live = Live()
    add_sink(live)
    try:
        with traces.listening():
            yield
    finally:
        remove_sink(live)


@contextlib.contextmanager
def traced_without_receivers(traces: Traces) -> Iterator[None]:
    without = override_settings(SIGNAL_INSPECTOR={"TRACING": {"RECEIVER_SPANS": False}})
    with without, traces.listening():
        yield


@contextlib.contextmanager
def traced_and_measured(traces: Traces) -> Iterator[None]:
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    with traces.listening(meter_provider=meters):
        yield


@contextlib.contextmanager
def measured(traces: Traces) -> Iterator[None]:
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    sink = TracingSink(tracer_provider=NoOpTracerProvider(), meter_provider=meters)
    add_sink(sink)
    try:
        yield
    finally:
        remove_sink(sink)


MODES = [
    traced,
    traced_on_an_unknown_django,
    traced_beside_another,
    traced_without_receivers,
    traced_and_measured,
    measured,
]


@dataclass
class Receiver:
    is_async: bool
    steps: list[str]


class Through(Signal):
    """Attaches something on the way to Signal's own method."""

    def send(self, sender: Any, **named: Any) -> Any:
        attach(baggage.set_baggage("through", "send"))
        return super().send(sender, **named)

    async def asend(self, sender: Any, **named: Any) -> Any:
        attach(baggage.set_baggage("through", "asend"))
        responses = await super().asend(sender, **named)
        await asyncio.sleep(0)
        return responses


class Past(Signal):
    """Calls receivers by itself."""

    def send(self, sender: Any, **named: Any) -> Any:
        sync, _ = self._live_receivers(sender)  # type: ignore[attr-defined]
        return [(each, each(signal=self, sender=sender, **named)) for each in sync]

    async def asend(self, sender: Any, **named: Any) -> Any:
        sync, others = self._live_receivers(sender)  # type: ignore[attr-defined]
        for each in sync:
            each(signal=self, sender=sender, **named)
        return [(each, await each(signal=self, sender=sender, **named)) for each in others]


@dataclass
class Sending:
    kind: type[Signal]
    method: SendMethod
    receivers: list[Receiver]


#: What one receiver leaves open, another or the sender may end.
STEPS = ["begin", "tag", "end", "span", "look", "raise"]


class World:
    """Runs a program, and writes down what its code finds in the context."""

    def __init__(self, traces: Traces) -> None:
        self.traces = traces
        self.open: list[tuple[Any, Any]] = []
        self.seen: list[tuple[Any, Any]] = []
        self.count = 0

    def step(self, step: str) -> None:
        self.count += 1
        name = f"{step} {self.count}"
        if step == "begin":
            span = self.traces.tracer.start_span(name)
            self.open.append((attach(set_span_in_context(span)), span))
        elif step == "tag":
            self.open.append((attach(baggage.set_baggage(name, "on")), None))
        elif step == "end" and self.open:
            token, span = self.open.pop()
            detach(token)
            if span is not None:
                span.end()
        elif step == "span":
            with self.traces.tracer.start_as_current_span(name):
                self.look()
        elif step == "raise":
            raise LookupError(name)
        self.look()

    def look(self) -> None:
        self.seen.append((baggage.get_all(), get_current_span().get_span_context().span_id))

    def receiver(self, receiver: Receiver) -> Callable[..., Any]:
        def run(**kwargs: Any) -> None:
            for step in receiver.steps:
                self.step(step)

        async def arun(**kwargs: Any) -> None:
            for step in receiver.steps:
                if step == "await":
                    await asyncio.sleep(0)
                else:
                    self.step(step)

        return arun if receiver.is_async else run

    async def run(self, program: list[Sending | str]) -> None:
        for each in program:
            if isinstance(each, str):
                self.step(each)
                continue
            signal = each.kind()
            for receiver in each.receivers:
                signal.connect(self.receiver(receiver), weak=False)
            with contextlib.suppress(LookupError, ExceptionGroup):
                sending = getattr(signal, each.method)(None)
                if each.method.is_async:
                    await sending
            self.look()
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)  # the siblings of a failure, before Django 6.1
                [task.exception() for task in others]
        while self.open:
            self.step("end")

    def told(self) -> list[tuple[Any, str]]:
        """What was seen: baggage, and the user's span that is nearest."""
        spans = {span.context.span_id: span for span in self.traces.spans}

        def nearest(span_id: int) -> str:
            while span_id in spans:
                span = spans[span_id]
                assert span.instrumentation_scope is not None
                if span.instrumentation_scope.name == "user":
                    return span.name
                span_id = 0 if span.parent is None else span.parent.span_id
            return ""

        parents = [
            (span.name, nearest(span.parent.span_id) if span.parent else "")
            for span in self.traces.spans
            if span.name.startswith(("begin", "span"))
        ]
        return [*((tags, nearest(span_id)) for tags, span_id in self.seen), *parents]


def receivers(is_async: bool, *more: str) -> st.SearchStrategy[Receiver]:
    steps = st.lists(st.sampled_from([*STEPS, *more]), max_size=4)
    return st.builds(Receiver, st.just(is_async), steps)


def sendings(method: SendMethod) -> st.SearchStrategy[Sending]:
    kinds = st.sampled_from([Signal, Signal, Through, Past])
    sync = st.lists(receivers(is_async=False), max_size=4)
    if not method.is_async:
        return st.builds(Sending, kinds, st.just(method), sync)
    # Not both, as those would run at once in two threads.
    several = st.lists(receivers(is_async=True), max_size=3)
    alone = st.lists(receivers(True, "await"), max_size=1)
    return st.builds(Sending, kinds, st.just(method), st.one_of(sync, several, alone))


#: On Django 6.1, where siblings share a context, a span that is open over an await would be
#: found by them without us, and is not with us: so receivers that wait are alone here.
PROGRAMS = st.lists(
    st.one_of(st.sampled_from(list(SendMethod)).flatmap(sendings), st.sampled_from(STEPS[:-1])),
    max_size=5,
)


def outcome(
    program: list[Sending | str], mode: Any, traces: Traces, caplog: pytest.LogCaptureFixture
) -> Any:
    """What a program's code finds, and what is logged meanwhile."""
    caplog.clear()
    world = World(traces)

    async def main() -> None:
        with traces.tracer.start_as_current_span("request"):
            await world.run(program)

    with mode(traces):
        contextvars.Context().run(asyncio.run, main())
    assert internal_errors.counts() == {}
    return world.told(), [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(program=PROGRAMS)
def test_code_finds_the_context_that_it_finds_without_us(
    mode: Any, sampler: Any, caplog: pytest.LogCaptureFixture, program: list[Sending | str]
) -> None:
    """Baggage, the nearest span of the user's own, and what is logged are as on bare Django."""
    caplog.set_level(logging.WARNING)
    found = outcome(program, mode, Traces(ParentBased(sampler)), caplog)
    assert found == outcome(program, bare, Traces(ParentBased(sampler)), caplog)


pre_execute = Signal()
post_execute = Signal()


class Queue:
    """Traces its tasks by its own signals, as the integrations of queues do."""

    def __init__(self, traces: Traces) -> None:
        self.tracer = traces.tracer
        self.open: dict[str, Any] = {}

    def begin(self, task: str, **kwargs: Any) -> None:
        span = self.tracer.start_span(f"task {task}")
        self.open[task] = span, attach(set_span_in_context(span))

    def end(self, task: str, **kwargs: Any) -> None:
        span, token = self.open.pop(task)
        detach(token)
        span.end()

    def run(self, send: Callable[..., Any]) -> None:
        pre_execute.connect(self.begin)
        post_execute.connect(self.end)
        try:
            before = get_current()
            send(pre_execute)
            with self.tracer.start_as_current_span("SELECT"):
                pass
            send(post_execute)
            assert get_current() is before
            with self.tracer.start_as_current_span("after"):
                pass
        finally:
            pre_execute.disconnect(self.begin)
            post_execute.disconnect(self.end)


@pytest.mark.parametrize("method", ["send", "send_robust"])
@pytest.mark.parametrize("mode", MODES)
def test_a_span_from_one_signal_to_the_next_holds_what_is_between(
    mode: Any, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a receiver begins stays current until another ends it; then all is as before."""
    traces = Traces()
    queue = Queue(traces)
    with mode(traces):
        contextvars.Context().run(
            queue.run, lambda signal: getattr(signal, method)(None, task="a")
        )
    assert traces.named("SELECT").parent == traces.named("task a").context
    assert traces.named("after").parent is None
    assert caplog.records == []


@pytest.mark.parametrize("mode", MODES)
def test_baggage_goes_out_with_what_the_sender_calls_next(mode: Any) -> None:
    """A header that a downstream service gets does not hang on what is sampled or measured."""
    traces, signal = Traces(), Signal()
    found: list[Any] = []

    def tags(**kwargs: Any) -> None:
        attach(baggage.set_baggage("tenant", "acme"))

    def looks(**kwargs: Any) -> None:
        found.append(baggage.get_baggage("tenant"))

    def sends() -> None:
        signal.connect(tags)
        signal.connect(looks)
        signal.send(None)
        headers: dict[str, str] = {}
        W3CBaggagePropagator().inject(headers)
        found.append(headers)

    with mode(traces):
        contextvars.Context().run(sends)
    assert found == ["acme", {"baggage": "tenant=acme"}]


@pytest.mark.parametrize("mode", [bare, *MODES])
def test_what_async_receivers_attach_stays_where_django_shares_the_context(mode: Any) -> None:
    """Since Django 6.1 the next receiver and the sender find it, before nobody does."""
    traces, signal = Traces(), Signal()
    found: list[Any] = []

    async def tags(**kwargs: Any) -> None:
        attach(baggage.set_baggage("tenant", "acme"))
        await asyncio.sleep(0)

    async def looks(**kwargs: Any) -> None:
        found.append(baggage.get_baggage("tenant"))

    async def main() -> None:
        signal.connect(tags)
        signal.connect(looks)
        await signal.asend(None)
        found.append(baggage.get_baggage("tenant"))

    with mode(traces):
        contextvars.Context().run(asyncio.run, main())
    assert found == (["acme", "acme"] if SHARES_CONTEXT else [None, None])


@pytest.mark.parametrize("mode", MODES[:-1])
def test_a_span_that_is_open_over_an_await_is_that_receivers_alone(mode: Any) -> None:
    """Receivers that wait at the same time do not find each other's spans, nor does the sender."""
    traces, signal = Traces(), Signal()

    async def first(**kwargs: Any) -> None:
        with traces.tracer.start_as_current_span("in first"):
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def second(**kwargs: Any) -> None:
        with traces.tracer.start_as_current_span("in second"):
            await asyncio.sleep(0)

    async def main() -> None:
        signal.connect(first)
        signal.connect(second)
        with traces.tracer.start_as_current_span("request") as request:
            await signal.asend(None)
            assert get_current_span() is request

    with mode(traces):
        asyncio.run(main())
    inner = {traces.named(f"in {each}").context.span_id for each in ("first", "second")}
    assert inner.isdisjoint({span.parent.span_id for span in traces.spans if span.parent})


def test_spans_of_later_receivers_follow_the_span_that_was_left() -> None:
    """The next receiver's span is in the span that its sibling has left current."""
    traces, signal = Traces(), Signal()

    def begins(**kwargs: Any) -> None:
        span = traces.tracer.start_span("left open")
        attach(set_span_in_context(span))
        span.end()

    def follows(**kwargs: Any) -> None:
        """Receives."""

    def sends() -> None:
        signal.connect(begins)
        signal.connect(follows)
        signal.send(None)

    with traces.listening():
        contextvars.Context().run(sends)
    assert traces.named("follows").parent == traces.named("left open").context


def test_an_overriding_send_carries_on_what_was_attached() -> None:
    """What an override, and a receiver under it, attach reaches the sender."""
    traces = Traces()

    class Tagged(Signal):
        def send(self, sender: Any, **named: Any) -> Any:
            attach(baggage.set_baggage("override", "on"))
            return super().send(sender, **named)

    signal = Tagged()

    def tags(**kwargs: Any) -> None:
        attach(baggage.set_baggage("receiver", "on"))

    def sends() -> None:
        signal.connect(tags)
        signal.send(None)
        assert baggage.get_all() == {"override": "on", "receiver": "on"}
        assert not get_current_span().get_span_context().is_valid

    with traces.listening():
        contextvars.Context().run(sends)
