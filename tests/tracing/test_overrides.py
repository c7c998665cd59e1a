"""Subclasses of Signal that override a send method, traced."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.dispatch import Signal
from django.test import TestCase

from signal_inspector import capture
from tests.listening import Chained
from tests.tracing.spans import Traces


def receives(**kwargs: Any) -> str:
    return "received"


def fails(**kwargs: Any) -> None:
    raise LookupError("no stock")


async def notifies(**kwargs: Any) -> None:
    await asyncio.sleep(0)


class Calls(Signal):
    """Calls Signal's own method from a span of its own."""

    def __init__(self, traces: Traces) -> None:
        super().__init__()
        self.tracer = traces.tracer

    def send(self, sender: Any, **named: Any) -> Any:
        with self.tracer.start_as_current_span("override"):
            responses = super().send(sender, **named)
        with self.tracer.start_as_current_span("afterwards"):
            return responses

    async def asend(self, sender: Any, **named: Any) -> Any:
        with self.tracer.start_as_current_span("override"):
            await asyncio.sleep(0)
            responses = await super().asend(sender, **named)
            await asyncio.sleep(0)
        with self.tracer.start_as_current_span("afterwards"):
            await asyncio.sleep(0)
        return responses


class Alone(Signal):
    """Does it all itself."""

    def send(self, sender: Any, **named: Any) -> Any:
        receivers = self._live_receivers(sender)[0]
        return [(each, each(signal=self, sender=sender, **named)) for each in receivers]

    def send_robust(self, sender: Any, **named: Any) -> Any:
        responses: list[Any] = []
        for each in self._live_receivers(sender)[0]:
            try:
                responses.append((each, each(signal=self, sender=sender, **named)))
            except LookupError as error:
                responses.append((each, error))
        return responses


@pytest.mark.parametrize("is_async", [False, True])
def test_one_that_calls_super(is_async: bool, traces: Traces) -> None:
    """One dispatch span, open until the override ends; its own spans lie around the receivers."""
    signal = Calls(traces)
    signal.connect(receives)
    signal.connect(notifies)
    with traces.listening():
        if is_async:
            asyncio.run(signal.asend(None))
        else:
            signal.send(None)
    dispatch = next(span for span in traces.spans if "django.signal.method" in span.attributes)
    override, after = traces.named("override"), traces.named("afterwards")
    assert len(traces.spans) == 5
    assert override.parent == after.parent == dispatch.context
    for name in ("receives", "notifies"):
        assert traces.named(name).parent == override.context
    assert dispatch.end_time >= after.end_time
    assert dispatch.attributes["django.signal.receiver.count"] == 2


def test_one_that_does_not(traces: Traces) -> None:
    """Its receivers have no spans, as nobody saw them run; the dispatch counts them."""
    signal = Alone()
    signal.connect(receives)
    with traces.listening():
        signal.send(None)
    [span] = traces.spans
    assert span.attributes["django.signal.receiver.count"] == 1


def test_one_that_raises(traces: Traces) -> None:
    """What a receiver raised through an override is recorded on the dispatch span."""
    signal = Alone()
    signal.connect(fails)
    with traces.listening(), pytest.raises(LookupError):
        signal.send(None)
    [span] = traces.spans
    assert span.attributes["error.type"] == "LookupError"
    assert span.attributes["django.signal.receiver.failed_count"] == 1
    assert [event.name for event in span.events] == ["exception"]


def test_one_that_swallows(traces: Traces) -> None:
    """What an override's own robust send swallowed is recorded, and is no error of it."""
    signal = Alone()
    signal.connect(fails)
    signal.connect(receives)
    with traces.listening():
        signal.send_robust(None)
    [span] = traces.spans
    assert "error.type" not in span.attributes
    assert span.attributes["django.signal.receiver.failed_count"] == 1
    assert [event.attributes["exception.type"] for event in span.events] == ["LookupError"]


def test_a_sending_method_of_its_own(traces: Traces) -> None:
    """A span by the method's name, around what its receivers do; none where it calls nobody."""
    signal = Chained()

    def works(value: int, **kwargs: Any) -> int:
        with traces.tracer.start_as_current_span("work"):
            return value + 1

    with traces.listening():
        with traces.tracer.start_as_current_span("request"):
            signal.send_chained(None, 1)
        signal.connect(works)
        assert signal.send_chained(None, 1) == 2
    [dispatch] = [span for span in traces.spans if span.name.startswith("send_chained")]
    assert traces.named("work").parent == dispatch.context
    assert dispatch.attributes["django.signal.method"] == "send_chained"
    assert dispatch.attributes["django.signal.dispatch.outcome"] == "untold"


def test_one_that_is_put_off(traces: Traces) -> None:
    """The span says so, and no number of receivers, which none received."""
    signal = Chained()
    signal.connect(receives)
    with traces.listening():
        signal.send(None)
    [dispatch] = traces.spans
    assert dispatch.attributes["django.signal.dispatch.outcome"] == "put off"
    assert "django.signal.receiver.count" not in dispatch.attributes


class Roundabout(Signal):
    """Reaches Signal's own methods, each time by another way than send() to send()."""

    def send(self, sender: Any, **named: Any) -> Any:
        return super().send_robust(sender, **named)

    def send_robust(self, sender: Any, **named: Any) -> Any:
        return async_to_sync(super().asend_robust)(sender, **named)

    async def asend(self, sender: Any, **named: Any) -> Any:
        await asyncio.sleep(0)
        return await super().asend_robust(sender, **named)

    def send_on_commit(self, sender: Any) -> None:
        later = super().send
        transaction.on_commit(lambda: later(sender))


WAYS: dict[str, Any] = {
    "send_robust": lambda signal: signal.send(None),
    "asend_robust": lambda signal: signal.send_robust(None),
    "from asend to asend_robust": lambda signal: async_to_sync(signal.asend)(None),
    "send in on_commit": lambda signal: signal.send_on_commit(None),
}


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_one_that_reaches_super_by_a_way_round(way: Any, traces: Traces) -> None:
    """Its receivers are timed, have their SQL and their spans, as if sent without the override."""
    signal = Roundabout()

    def asks(**kwargs: Any) -> None:
        with traces.tracer.start_as_current_span("work"), connection.cursor() as cursor:
            cursor.execute("SELECT 17")

    async def notes(**kwargs: Any) -> None:
        await asyncio.sleep(0)

    signal.connect(asks)
    signal.connect(notes)
    committing = TestCase.captureOnCommitCallbacks(execute=True)
    with traces.listening(), capture() as dispatches, committing:
        way(signal)
    [dispatch] = dispatches
    assert dispatch.unseen is None
    assert [call.timed for call in dispatch.calls] == [True, True]
    assert [[query.sql for query in call.queries] for call in dispatch.calls] == [
        ["SELECT 17"],
        [],
    ]
    span = next(span for span in traces.spans if "django.signal.method" in span.attributes)
    receiver = traces.named("asks")
    assert receiver.parent == traces.named("notes").parent == span.context
    assert traces.named("work").parent == receiver.context
