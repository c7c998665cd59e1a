"""Threads: whose trace a dispatch belongs to, and that no thread takes another's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier, Event, Thread

import pytest
from django.dispatch import Signal
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from signal_inspector.core.listening import sinks
from signal_inspector.tracing import TracingSink
from tests.tracing.processes import Span, linked, roots
from tests.tracing.project.telemetry import plain

knocked = Signal()
KNOCKED = f"send {__name__}.knocked"
ANSWER = f"receive {__name__}.answer"


def answer(sender: object, **kwargs: object) -> None:
    """Receive the signal."""


class Traces:
    """A provider of its own, and what it has seen."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("tests")

    def roots(self) -> list[Span]:
        spans = [Span(**plain(span), pid=0) for span in self._exporter.get_finished_spans()]
        return roots(linked(spans))


@pytest.fixture
def traces() -> Iterator[Traces]:
    traces = Traces()
    sink = TracingSink(tracer_provider=traces.provider)
    sinks.add_sink(sink)
    knocked.connect(answer)
    yield traces
    knocked.disconnect(answer)
    sinks.remove_sink(sink)
    traces.provider.shutdown()


def knock() -> None:
    knocked.send(sender=None)


def in_pool(call: Callable[..., object], *args: object) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(call, *args).result()


def test_a_thread_with_a_copied_context_stays_in_the_trace(traces: Traces) -> None:
    """``copy_context().run`` in a pool keeps a dispatch below the span that asked for it."""
    with traces.tracer.start_as_current_span("request"):
        in_pool(copy_context().run, knock)

    assert [root.outline() for root in traces.roots()] == [
        ("request", ((KNOCKED, ((ANSWER, ()),)),))
    ]


def test_a_thread_without_one_starts_a_trace(traces: Traces) -> None:
    """A plain pool thread has no current span, so its dispatch begins a trace of its own."""
    with traces.tracer.start_as_current_span("request"):
        in_pool(knock)

    outlines = sorted(root.outline() for root in traces.roots())
    assert outlines == [("request", ()), (KNOCKED, ((ANSWER, ()),))]


def test_a_thread_of_asyncio_stays_in_the_trace(traces: Traces) -> None:
    """``asyncio.to_thread`` copies the context by itself."""

    async def serve() -> None:
        with traces.tracer.start_as_current_span("request"):
            await asyncio.to_thread(knock)

    asyncio.run(serve())

    assert [root.outline() for root in traces.roots()] == [
        ("request", ((KNOCKED, ((ANSWER, ()),)),))
    ]


def test_a_pool_thread_keeps_no_span_from_the_job_before(traces: Traces) -> None:
    """After a dispatch that returned or raised, a thread has no current span again."""

    def fail(sender: object, **kwargs: object) -> None:
        raise ValueError("failed")

    def knock_and_fail() -> None:
        knocked.connect(fail)
        try:
            with pytest.raises(ValueError, match="failed"):
                knock()
        finally:
            knocked.disconnect(fail)

    with ThreadPoolExecutor(1) as pool:
        for job in (knock, knock_and_fail):
            pool.submit(job).result()
            assert pool.submit(trace.get_current_span).result() is trace.INVALID_SPAN

    assert len(traces.roots()) == 2


def test_threads_that_send_at_the_same_time_do_not_mix(traces: Traces) -> None:
    """Eight requests whose receivers wait for each other keep their spans apart."""
    crowd = 8
    together = Barrier(crowd)

    def meet(sender: object, token: str, **kwargs: object) -> None:
        together.wait(20)
        with traces.tracer.start_as_current_span("work", attributes={"token": token}):
            together.wait(20)

    def serve(token: str) -> None:
        with traces.tracer.start_as_current_span("request", attributes={"token": token}):
            knocked.send(sender=None, token=token)

    knocked.connect(meet)
    try:
        with ThreadPoolExecutor(crowd) as pool:
            list(pool.map(serve, map(str, range(crowd))))
    finally:
        knocked.disconnect(meet)

    assert len(traces.roots()) == crowd
    for root in traces.roots():
        receivers = (
            (ANSWER, ()),
            (f"receive {meet.__module__}.{meet.__qualname__}", (("work", ()),)),
        )
        assert root.outline() == ("request", ((KNOCKED, receivers),))
        assert root.tokens() == {root.attributes["token"]}


def test_a_thread_that_outlives_the_dispatch_stays_below_its_receiver(traces: Traces) -> None:
    """Work that a receiver leaves behind, with its context, is a child of the ended receiver."""
    go_on = Event()
    left: list[Thread] = []

    def leave_behind(sender: object, **kwargs: object) -> None:
        def later() -> None:
            go_on.wait(20)
            with traces.tracer.start_as_current_span("later"):
                pass

        left.append(Thread(target=copy_context().run, args=[later]))
        left[0].start()

    knocked.connect(leave_behind)
    try:
        knock()
    finally:
        knocked.disconnect(leave_behind)
        go_on.set()
    left[0].join(20)

    [root] = traces.roots()
    name = f"receive {leave_behind.__module__}.{leave_behind.__qualname__}"
    assert root.outline() == (KNOCKED, ((ANSWER, ()), (name, (("later", ()),))))
