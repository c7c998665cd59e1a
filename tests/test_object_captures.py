"""Object captures: what they are told, what they ask for, and that their failures stay with us."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.dispatch import Signal

from signal_inspector import Details, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import captures, context
from signal_inspector.core.listening.captures import ObjectCapture, ObjectObserver
from signal_inspector.core.record.values import SendMethod
from tests.listening import Quiet, listening


def works(**kwargs: Any) -> str:
    return "done"


def fails(**kwargs: Any) -> None:
    raise KeyError("k")


async def works_later(**kwargs: Any) -> str:
    return "later"


class Telling(ObjectCapture):
    """Writes down what its observers are told."""

    def __init__(self, asked: Signal | None = None) -> None:
        super().__init__()
        self.asked = asked
        self.told: list[tuple[Any, ...]] = []

    def asks_for(self, signal: Signal) -> bool:
        return signal is self.asked

    def observer_for(
        self, signal: Signal, sender: Any, named: Mapping[str, Any], receivers: Sequence[Any]
    ) -> ObjectObserver:
        self.told.append(("sent", sender, named, *receivers))
        return Told(self.told)


class Told(ObjectObserver):
    def __init__(self, told: list[tuple[Any, ...]]) -> None:
        self.told = told

    def called(self, receivers: Sequence[Any]) -> None:
        self.told.append(("called", *receivers))

    def returned(self, index: int, response: Any) -> None:
        self.told.append(("returned", index, response))

    def raised(self, index: int, error: BaseException) -> None:
        self.told.append(("raised", index, type(error)))

    def withdrawn(self) -> None:
        self.told.append(("withdrawn",))

    def finished(self, error: BaseException | None) -> None:
        self.told.append(("finished",))


class Failing(ObjectCapture):
    def observer_for(self, *args: Any) -> ObjectObserver:
        return Fails()


class Fails(ObjectObserver):
    def started(self, *args: Any) -> None:
        raise RuntimeError("of ours")

    called = returned = raised = finished = started


@pytest.fixture
def signal() -> Signal:
    signal = Signal()
    signal.connect(fails)
    signal.connect(works)
    return signal


def test_our_own_loop(signal: Signal) -> None:
    """What is raised is told as it happens, what is returned when the send has ended."""
    object_capture = Telling()
    context.open_capture(object_capture)
    signal.send_robust(object, number=1)
    context.close_capture(object_capture)
    signal.send_robust(object, number=2)
    assert object_capture.told == [
        ("sent", object, {"number": 1}, fails, works),
        ("raised", 0, KeyError),
        ("returned", 1, "done"),
        ("finished",),
    ]


def test_the_async_path(signal: Signal) -> None:
    """With async receivers, each is told of as it ends; the last word on receivers counts."""
    signal.connect(works_later)
    object_capture = Telling()
    context.open_capture(object_capture)
    asyncio.run(signal.asend_robust(None))
    context.close_capture(object_capture)
    assert ("called", fails, works, works_later) in object_capture.told
    assert ("returned", 2, "later") in object_capture.told


def test_no_record_is_kept(signal: Signal) -> None:
    """An object capture collects no records: one that listens for hours must not grow."""
    object_capture = Telling()
    context.open_capture(object_capture)
    signal.send_robust(None)
    context.close_capture(object_capture)
    assert list(object_capture.dispatches) == []
    assert object_capture.dropped == 0


def test_everywhere(signal: Signal) -> None:
    """One of the whole process hears of a context that knows nothing of it, until closed."""
    import contextvars

    before = contextvars.copy_context()
    object_capture = Telling()
    context.capture_everywhere(object_capture)
    before.run(signal.send_robust, None)
    assert len(object_capture.told) == 4
    context.close_capture(object_capture)
    before.run(signal.send_robust, None)
    assert len(object_capture.told) == 4
    assert not captures.NO_CAPTURES.now().object_captures


@pytest.mark.parametrize("method", SendMethod)
def test_nothing_is_asked_about_them_while_none_is_open(
    method: SendMethod, signal: Signal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What tests need costs other sends nothing."""

    def send() -> None:
        try:
            sent = getattr(signal, method)(None)
            if method.is_async:
                asyncio.run(sent)
        except KeyError:
            assert not method.is_robust

    def asked(hearers: captures.Hearers) -> None:
        raise AssertionError

    with listening(Quiet()), capture(details=Details.RESPONSE) as dispatches:
        send()  # which works out who hears
        monkeypatch.setattr(captures.Hearers, "object_captures", property(asked))
        send()
    monkeypatch.undo()
    assert len(dispatches) == 2


def test_a_signal_that_settings_leave_out() -> None:
    """It is told to the object capture that asks for it, and to no other."""
    asking, other = Telling(got_request_exception), Telling()
    context.open_capture(asking)
    context.open_capture(other)
    got_request_exception.send(None, request=None)
    context.close_capture(other)
    context.close_capture(asking)
    assert asking.told[0] == ("sent", None, {"request": None})
    assert other.told == []


def test_an_object_capture_that_fails(signal: Signal) -> None:
    """The signal is sent as usual, and the failure is counted as ours."""
    object_capture = Failing()
    context.open_capture(object_capture)
    responses = signal.send_robust(None)
    context.close_capture(object_capture)
    assert [receiver for receiver, _ in responses] == [fails, works]
    assert internal_errors.counts() == {"keeping what a test captures": 4}
