"""A clock that a test has frozen, or moved, is the application's: we neither move nor trust it."""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import time_machine
from django.dispatch import Signal
from freezegun import freeze_time
from freezegun.api import StepTickTimeFactory

from signal_inspector import capture
from signal_inspector.audit.testing import audited
from signal_inspector.core.record import ids
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import instrument
from tests.listening import unknown_django
from tests.tracing.spans import Traces

PAST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
placed = Signal()


@contextlib.contextmanager
def bare() -> Iterator[None]:
    instrument.uninstall()
    try:
        yield
    finally:
        instrument.install()


@contextlib.contextmanager
def traced() -> Iterator[None]:
    with Traces().listening():
        yield


@contextlib.contextmanager
def in_djangos_loop() -> Iterator[None]:
    with unknown_django(), capture():
        yield


WAYS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "idle": contextlib.nullcontext,
    "captured": capture,
    "captured in Django's own loop": in_djangos_loop,
    "audited": lambda: audited("after_transaction"),
    "traced": traced,
}


def times_seen(method: SendMethod, way: Callable[[], AbstractContextManager[Any]]) -> list[str]:
    """What the application reads from a clock that moves on by a second when it is read."""
    seen: list[str] = []

    def look(**kwargs: Any) -> None:
        seen.append(f"{dt.datetime.now(dt.UTC):%H:%M:%S}")

    def look_and_send(**kwargs: Any) -> None:
        look()
        nested.send(None)

    def look_and_fail(**kwargs: Any) -> None:
        look()
        raise LookupError

    signal, nested = Signal(), Signal()
    receivers = [look, look_and_send, *([look_and_fail] if method.is_robust else []), look]
    for receiver in receivers:
        signal.connect(receiver, dispatch_uid=object())
    nested.connect(look, weak=False)
    with freeze_time(PAST, auto_tick_seconds=1), way():
        look()
        getattr(signal, method)(None)
        look()
    return seen


@pytest.fixture
def _clock_of_this_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The ticking clock moves on when this thread reads it, not for what other tests have left.

    Nor for what is finalized here meanwhile.
    """
    tick, here = StepTickTimeFactory.tick, threading.get_ident()

    def tick_here(clock: StepTickTimeFactory, delta: Any = None) -> dt.datetime:
        return tick(clock, delta) if threading.get_ident() == here else clock.time_to_freeze

    monkeypatch.setattr(StepTickTimeFactory, "tick", tick_here)
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.django_db
@pytest.mark.usefixtures("_clock_of_this_thread")
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("method", [SendMethod.SEND, SendMethod.SEND_ROBUST])
def test_a_clock_that_ticks_when_it_is_read(method: SendMethod, name: str) -> None:
    """The application sees the times that it sees without us."""
    times_seen(method, WAYS[name])  # what is imported at first, here and by freezegun, reads it
    assert times_seen(method, WAYS[name]) == times_seen(method, bare)


@pytest.mark.parametrize("name", ["captured", "captured in Django's own loop"])
@pytest.mark.parametrize(
    "frozen",
    [freeze_time(PAST), freeze_time(PAST, tick=True), time_machine.travel(PAST, tick=False)],
    ids=["freezegun", "freezegun, ticking", "time-machine"],
)
def test_a_duration_is_the_real_one(frozen: Any, name: str) -> None:
    """A receiver that takes two milliseconds is said to have taken them."""

    def dawdle(**kwargs: Any) -> None:
        time.sleep(0.002)  # which nobody freezes

    signal = Signal()
    signal.connect(dawdle)
    with frozen, contextlib.ExitStack() as stack:
        if name != "captured":
            stack.enter_context(unknown_django())
        with capture() as sent:
            signal.send(None)
    assert sent[0].calls[0].duration_ns >= 2_000_000
    assert sent[0].duration_ns >= 2_000_000


def test_a_record_tells_the_real_time_where_freezegun_has_frozen_it() -> None:
    """Nobody can ask freezegun for its time without moving a clock of it that ticks."""
    before = ids.time_ns()
    with freeze_time(PAST), capture() as sent:
        placed.send(None)
    assert sent[0].started_at.timestamp() * 1e9 >= before - 1e6


def test_a_record_tells_the_time_of_time_machine() -> None:
    """It moves the clock of the whole process, ours too."""
    with time_machine.travel(PAST, tick=False), capture() as sent:
        placed.send(None)
    assert sent[0].started_at.year == 2000
