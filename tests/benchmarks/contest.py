"""Who is timed: bare Django, ours idle and recording, and sentry-sdk's instrumentation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import process_time_ns
from typing import Any, Final

from django.dispatch import Signal

from signal_inspector import Details, capture
from signal_inspector.core.listening.captures import Capture
from signal_inspector.core.listening.context import close_capture, open_capture
from signal_inspector.core.listening.sinks import add_sink, remove_sink
from signal_inspector.core.wrapper import connection_log, instrument
from signal_inspector.watch import WatchSink
from tests.benchmarks.measure import FIRST, SENDS, Contestant, Sender, Turn, turn

BARE: Final = "bare Django"
IDLE: Final = "installed, nobody listening"
CAPTURE: Final = "recording: capture()"
COLLECTOR: Final = "recording: the toolbar's way"
EVERYTHING: Final = "recording: all details, as the panel"
SENTRY: Final = "sentry-sdk's spans"
WATCHABLE: Final = "watchable, nobody watching"
API_ONLY: Final = "tracing, API only"
UNSAMPLED: Final = "tracing, unsampled"
SAMPLED: Final = "tracing, sampled"
SAMPLED_BY_HAND: Final = "tracing, sampled: by hand"
CONNECTING: Final = "connect(), added µs"

# At module level, as in any project: a signal that no module holds is looked up again and again.
signal_0 = Signal()
signal_1 = Signal()
signal_5 = Signal()
signal_20 = Signal()
signal_async_0 = Signal()
signal_async_1 = Signal()
signal_async_5 = Signal()

SIGNALS: Final = {0: signal_0, 1: signal_1, 5: signal_5, 20: signal_20}
ASYNC_SIGNALS: Final = {0: signal_async_0, 1: signal_async_1, 5: signal_async_5}

#: So many receivers are there already where one more is connected.
CONNECTED: Final = (1, 100, 1_000, 3_000)

_bare: Final = {
    name: Signal.__dict__[name] for name in ("send", "asend", "connect", "_live_receivers")
}


def prepare() -> None:
    """Connect receivers that do nothing, and install the wrapper.

    Bare Django is timed beside it by calling the function that Signal had before: what it calls
    in turn is Django's own. Patching and unpatching for each turn would have Python forget, and
    in time give up, what it knows of the class.
    """
    for count, signal in SIGNALS.items():
        for receiver in sync_receivers(count):
            signal.connect(receiver, weak=False)
    for count, signal in ASYNC_SIGNALS.items():
        for receiver in _async_receivers(count):
            signal.connect(receiver, weak=False)
    instrument.install()
    assert Signal.__dict__["send"] is not _bare["send"]
    assert Signal.__dict__["_live_receivers"] is _bare["_live_receivers"]


def sync_receivers(count: int) -> Iterator[Callable[..., None]]:
    """So many receivers that do nothing."""
    for _ in range(count):

        def receiver(sender: object, **named: object) -> None:
            pass

        yield receiver


def _async_receivers(count: int) -> Iterator[Callable[..., Any]]:
    for _ in range(count):

        async def receiver(sender: object, **named: object) -> None:
            pass

        yield receiver


@contextmanager
def _collecting() -> Iterator[None]:
    """As the panel does it, but for the details."""
    opened = Capture(Details.NONE)
    open_capture(opened)
    try:
        yield
    finally:
        close_capture(opened)
        assert len(opened.dispatches) == FIRST + SENDS


@contextmanager
def _watchable() -> Iterator[None]:
    """With the sink of ``signals watch``, which looks for watchers and finds none."""
    sink = WatchSink()
    add_sink(sink)
    try:
        yield
    finally:
        remove_sink(sink)
        assert sink.is_idle()


@contextmanager
def _capturing(details: Details) -> Iterator[None]:
    with capture(details=details) as dispatches:
        yield
    assert len(dispatches) == FIRST + SENDS


def sync_contestants(receivers: int) -> list[Contestant]:
    """Those who send to so many sync receivers."""
    signal = SIGNALS[receivers]
    ours = Signal.send
    contestants = [
        Contestant(BARE, turn(_bare["send"], signal)),
        Contestant(IDLE, turn(ours, signal)),
    ]
    if receivers:
        contestants.append(Contestant(WATCHABLE, turn(ours, signal, _watchable)))
        contestants += [
            Contestant(CAPTURE, turn(ours, signal, lambda: _capturing(Details.NONE))),
            Contestant(COLLECTOR, turn(ours, signal, _collecting)),
            Contestant(
                EVERYTHING, turn(ours, signal, lambda: _capturing(Details.ALL)), apart=True
            ),
        ]
    return contestants


def async_contestants(receivers: int, runner: asyncio.Runner) -> list[Contestant]:
    """Those who asend to so many async receivers, all in one event loop."""
    signal = ASYNC_SIGNALS[receivers]
    return [
        Contestant(BARE, _async_turn(_bare["asend"], signal, runner, records=False)),
        Contestant(IDLE, _async_turn(Signal.asend, signal, runner, records=False)),
        Contestant(CAPTURE, _async_turn(Signal.asend, signal, runner, records=True)),
    ]


def _async_turn(asend: Any, signal: Signal, runner: asyncio.Runner, *, records: bool) -> Turn:
    async def sends() -> int:
        for _ in range(FIRST):
            await asend(signal, Sender, number=1)
        began = process_time_ns()
        for _ in range(SENDS):
            await asend(signal, Sender, number=1)
        return process_time_ns() - began

    async def take() -> int:
        if not records:
            return await sends()
        with capture(details=Details.NONE):
            return await sends()

    return lambda: runner.run(take())


def connecting_contestants(connected: int) -> list[Contestant]:
    """Those who connect receivers to a signal that has so many.

    They connect to the same signal, one receiver each in turn. Django goes through all receivers
    at each connect, and where thousands of them lie in memory, and what else the machine does,
    makes more of a difference to that than all that a wrapper adds.
    """
    signal = Signal()
    kept = list(sync_receivers(connected))
    for receiver in kept:
        signal.connect(receiver)
    connects = {BARE: _bare["connect"], CONNECTING: Signal.connect}
    taken: dict[str, int] = {}

    def take() -> None:
        """A turn of both: each receiver is connected for the first time, and taken out then."""
        passing = list(sync_receivers(2 * (FIRST + SENDS)))
        taken.update(dict.fromkeys(connects, 0))
        order = list(connects.items())
        for number in range(FIRST + SENDS):
            for name, connect in order:
                receiver = passing[2 * number + (name == CONNECTING)]
                began = process_time_ns()
                connect(signal, receiver)
                if number >= FIRST:
                    taken[name] += process_time_ns() - began
            order.reverse()
        assert len(signal.receivers) == len(kept) + len(passing)
        del signal.receivers[len(kept) :]  # Django's disconnect() goes through all of them
        for receiver in passing[1::2]:
            connection_log.note_disconnect(signal, receiver, None, None)

    def turn_of(name: str) -> Turn:
        def turn() -> int:
            if name not in taken:
                take()
            return taken.pop(name)

        return turn

    return [Contestant(name, turn_of(name)) for name in connects]


def name_of(receivers: int) -> str:
    """What the signal with so many sync receivers is called."""
    return f"{__name__}.signal_{receivers}"


def bare_send() -> Any:
    """The ``Signal.send`` of Django."""
    return _bare["send"]
