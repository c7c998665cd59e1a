"""Random trees of dispatches: each span hangs where it was caused, and nothing stays current."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from django.dispatch import Signal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.context import get_current
from opentelemetry.trace import get_current_span

from signal_inspector import capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import current
from signal_inspector.core.record.values import SendMethod
from tests.tracing.spans import Traces

SYNC = [SendMethod.SEND, SendMethod.SEND_ROBUST]
ASYNC = [SendMethod.ASEND, SendMethod.ASEND_ROBUST]


@dataclass
class Receiver:
    """Waits, sends on, and may fail at last."""

    is_async: bool
    steps: list[Sending | None]  # None: an async receiver waits
    fails: bool


@dataclass
class Sending:
    method: SendMethod
    receivers: list[Receiver] = field(default_factory=list)


def sendings(depth: int, in_async: bool) -> st.SearchStrategy[Sending]:
    methods = st.sampled_from([*SYNC, *ASYNC] if in_async else SYNC)
    return methods.flatmap(
        lambda method: st.builds(
            Sending,
            st.just(method),
            st.lists(receivers(depth - 1, method.is_async), max_size=3),
        )
    )


def receivers(depth: int, in_async: bool) -> st.SearchStrategy[Receiver]:
    kinds = st.booleans() if in_async else st.just(False)
    return kinds.flatmap(
        lambda is_async: st.builds(
            Receiver, st.just(is_async), steps(depth, is_async), st.booleans()
        )
    )


def steps(depth: int, is_async: bool) -> st.SearchStrategy[list[Sending | None]]:
    kinds: list[st.SearchStrategy[Sending | None]] = [st.none()] if is_async else []
    if depth > 0:
        kinds.append(sendings(depth, is_async))
    return st.lists(st.one_of(kinds), max_size=3) if kinds else st.just([])


class World:
    """Sends what a tree says, and knows which span ought to be whose parent."""

    def __init__(self, traces: Traces) -> None:
        self.traces = traces
        self.numbers = count()
        self.parents: dict[str, str] = {}  # of spans by their names
        self.wrong: list[str] = []

    def receiver(self, receiver: Receiver) -> Callable[..., Any]:
        name = f"r{next(self.numbers)}"

        def run(**kwargs: Any) -> None:
            with self.traces.tracer.start_as_current_span(f"in {name}") as span:
                self.parents[f"in {name}"] = name
                for step in receiver.steps:
                    assert step is not None
                    self.send(step)
                    self.check(span)
                if receiver.fails:
                    raise LookupError(name)

        async def arun(**kwargs: Any) -> None:
            with self.traces.tracer.start_as_current_span(f"in {name}") as span:
                self.parents[f"in {name}"] = name
                for step in receiver.steps:
                    if step is None:
                        await asyncio.sleep(0)
                    elif step.method.is_async:
                        await self.asend(step)
                    else:
                        self.send(step)
                    self.check(span)
                if receiver.fails:
                    raise LookupError(name)

        made: Callable[..., Any] = arun if receiver.is_async else run
        made.__qualname__ = name
        return made

    def check(self, span: Any) -> None:
        if get_current_span() is not span:
            self.wrong.append(f"{get_current_span()} is current, not {span}")

    def send(self, sending: Sending) -> None:
        signal = self.connected(sending)
        with contextlib.suppress(LookupError):
            getattr(signal, sending.method)(None)

    async def asend(self, sending: Sending) -> None:
        signal = self.connected(sending)
        with contextlib.suppress(LookupError, ExceptionGroup):
            await getattr(signal, sending.method)(None)

    def connected(self, sending: Sending) -> Signal:
        signal = Signal()
        for receiver in sending.receivers:
            made = self.receiver(receiver)
            self.parents[made.__qualname__] = get_current_span().name  # type: ignore[attr-defined]
            signal.connect(made, weak=False)
        return signal


@pytest.mark.parametrize("captured", [False, True])
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sending=sendings(3, in_async=True))
def test_every_span_has_the_parent_that_caused_it(
    captured: bool, caplog: pytest.LogCaptureFixture, sending: Sending
) -> None:
    """Receivers hang under their dispatch, dispatches where they were sent; all is put back."""
    traces = Traces()
    world = World(traces)
    before, here = get_current(), current.get()

    async def main() -> None:
        with traces.tracer.start_as_current_span("request") as request:
            context = get_current()
            if sending.method.is_async:
                await world.asend(sending)
            else:
                world.send(sending)
            world.check(request)
            assert get_current() is context
            await others_end()

    with traces.listening():
        if captured:
            with capture():
                asyncio.run(main())
        else:
            asyncio.run(main())
    assert world.wrong == []
    check_parents(world, traces)
    assert get_current() is before
    assert current.get() is here
    assert internal_errors.counts() == {}
    assert "Failed to detach context" not in caplog.text


async def others_end() -> None:
    """Wait for the siblings of a failure, which run on before Django 6.1."""
    while others := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(others)
        for task in others:
            task.exception()


def check_parents(world: World, traces: Traces) -> None:
    """Each span's parent is the one that the world knows of."""
    spans = {span.name.rpartition(".")[2]: span for span in traces.spans if is_named(span.name)}
    by_id = {span.context.span_id: span for span in traces.spans}
    for name, span in spans.items():
        if name == "request":
            continue
        assert span.parent is not None
        parent = by_id[span.parent.span_id]
        if name.startswith("in "):
            assert parent.name.endswith(f".{world.parents[name]}")
        else:
            assert "send" in parent.name
            assert parent.parent is not None
            assert by_id[parent.parent.span_id].name == world.parents[name]
    assert all(
        f"in {name}" in spans for name in spans if name.startswith("r") and name != "request"
    )


def is_named(name: str) -> bool:
    return name.startswith(("in ", "receive ", "request"))
