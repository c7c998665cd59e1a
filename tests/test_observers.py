"""What observers are told of a dispatch, and what is not done where nobody observes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector import Dispatch, Outcome, Sink, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import sinks
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record import recorder
from signal_inspector.core.record.values import SendMethod
from tests.clocks import moments
from tests.listening import Live, Quiet, listening, unknown_django

pytestmark = pytest.mark.usefixtures("nothing_left")

METHODS = list(SendMethod)
SYNC = [SendMethod.SEND, SendMethod.SEND_ROBUST]

Told = list[tuple[Any, ...]]


class Telling(Observer):
    """Writes down what it is told."""

    def __init__(self, told: Told, **settings: Any) -> None:
        self.told = told
        vars(self).update(settings)

    def started(self, dispatch: Dispatch) -> None:
        super().started(dispatch)
        self.told.append(("started",))

    def entered(self, index: int | None) -> None:
        self.told.append(("entered", index))

    def left(self, index: int | None, ended: bool) -> None:
        self.told.append(("left", index, ended))

    def finished(self, error: BaseException | None) -> None:
        self.told.append(("finished", type(error).__name__))


class Sending(Sink):
    """Answers with observers that one function makes."""

    def __init__(self, make: Callable[[], Observer | None], idle: bool = False) -> None:
        self.make = make
        self.idle = idle
        self.asked: list[tuple[Any, ...]] = []

    def is_idle(self) -> bool:
        return self.idle

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        self.asked.append((signal, sender, method, receivers))
        return self.make()


def returns(**kwargs: Any) -> str:
    return "returned"


def returns_too(**kwargs: Any) -> str:
    return "returned too"


def raises(**kwargs: Any) -> None:
    raise ValueError


async def waits(**kwargs: Any) -> None:
    await asyncio.sleep(0)


def connected(*receivers: Callable[..., Any], kind: type[Signal] = Signal) -> Signal:
    signal = kind()
    for receiver in receivers:
        signal.connect(receiver, weak=False)
    return signal


def send(signal: Signal, method: SendMethod) -> Any:
    try:
        sending = getattr(signal, method)(None)
        return asyncio.run(sending) if method.is_async else sending
    except ValueError:
        return None


def told_of(signal: Signal, method: SendMethod, **settings: Any) -> Told:
    told: Told = []
    with listening(Sending(lambda: Telling(told, **settings))):
        send(signal, method)
    return told


class TestInOurLoop:
    def test_the_send_is_bracketed_and_each_receiver_in_it(self) -> None:
        """Sync receivers are entered and left one by one inside the send as a whole."""
        assert told_of(connected(returns, returns_too), SendMethod.SEND) == [
            ("started",),
            ("entered", None),
            ("entered", 0),
            ("left", 0, True),
            ("entered", 1),
            ("left", 1, True),
            ("left", None, True),
            ("finished", "NoneType"),
        ]

    def test_a_failure_ends_it(self) -> None:
        """A receiver that raises is left, the next one never entered, and the error is told."""
        told = told_of(connected(returns, raises, returns), SendMethod.SEND)
        assert told[4:] == [
            ("entered", 1),
            ("left", 1, True),
            ("left", None, True),
            ("finished", "ValueError"),
        ]

    def test_a_robust_failure_does_not(self) -> None:
        """Under send_robust the next receiver is entered, and no error is told."""
        told = told_of(connected(raises, returns), SendMethod.SEND_ROBUST)
        assert told[2:] == [
            ("entered", 0),
            ("left", 0, True),
            ("entered", 1),
            ("left", 1, True),
            ("left", None, True),
            ("finished", "NoneType"),
        ]

    def test_receivers_are_told_only_to_who_wants_them(self) -> None:
        """Without by_receiver the whole is told, and recorded all the same."""
        told = told_of(connected(returns, returns_too), SendMethod.SEND, by_receiver=False)
        assert told == [
            ("started",),
            ("entered", None),
            ("left", None, True),
            ("finished", "NoneType"),
        ]

    def test_stepped_takes_the_place_of_both(self) -> None:
        """An observer that overrides stepped() is told by it between two receivers."""

        class Stepped(Telling):
            def stepped(self, index: int, is_last: bool) -> None:
                self.told.append(("stepped", index, is_last))

        told: Told = []
        with listening(Sending(lambda: Stepped(told))):
            send(connected(returns, returns_too), SendMethod.SEND)
        assert told[2:-2] == [("entered", 0), ("stepped", 0, False), ("stepped", 1, True)]

    def test_what_is_told_takes_no_receivers_time(self) -> None:
        """The time that an observer takes between two receivers is neither's."""

        class Slow(Telling):
            def left(self, index: int | None, ended: bool) -> None:
                began = perf_counter_ns()
                super().left(index, ended)
                taken.append((began, perf_counter_ns()))

        taken: list[tuple[int, int]] = []
        with listening(Sending(lambda: Slow([]))), capture() as dispatches:
            send(connected(returns, returns_too), SendMethod.SEND)
        (_, first), (second, last) = (moments(dispatches[0], call) for call in dispatches[0].calls)
        assert first <= taken[0][0] < taken[0][1] <= second
        assert last <= taken[1][0]


@pytest.mark.parametrize("method", METHODS)
class TestEverywhere:
    def test_how_a_receiver_ended_is_known_when_it_is_left(self, method: SendMethod) -> None:
        """end_of() tells outcome, failure and duration of the receiver that has just ended."""
        ends: list[tuple[Any, ...]] = []

        class Reads(Telling):
            def left(self, index: int | None, ended: bool) -> None:
                if index is not None and ended:
                    outcome, failure, ns = self.dispatch.end_of(index)
                    raised = None if failure is None else failure.exception_class
                    ends.append((index, outcome, raised, ns > 0))

        with listening(Sending(lambda: Reads([]))):
            send(connected(returns, raises), method)
        assert ends == [
            (0, Outcome.RETURNED, None, True),
            (1, Outcome.RAISED, "ValueError", True),
        ]

    def test_an_exception_is_told_while_its_receiver_is_entered(self, method: SendMethod) -> None:
        """raised() gives the exception itself, after entered() and before left()."""
        told: Told = []

        class Tells(Telling):
            def raised(self, index: int, error: BaseException) -> None:
                self.told.append(("raised", index, type(error), self.dispatch.end_of(index)[0]))

        with listening(Sending(lambda: Tells(told))):
            send(connected(raises), method)
        at = told.index(("raised", 0, ValueError, Outcome.RAISED))
        assert told[at - 1] == ("entered", 0)
        assert told[at + 1][:2] in (("left", 0), ("entered", 0))  # again for Django's log

    def test_a_robust_failure_is_logged_while_its_receiver_is_entered(
        self, method: SendMethod
    ) -> None:
        """Django's log of what a robust send swallowed falls between entered and left."""
        told: Told = []

        class Tells(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                told.append(("logged",))

        logger, handler = logging.getLogger("django.dispatch"), Tells()
        logger.addHandler(handler)
        try:
            with listening(Sending(lambda: Telling(told))):
                send(connected(raises), method)
        finally:
            logger.removeHandler(handler)
        if method.is_robust:
            at = told.index(("logged",))
            assert told[at - 1] == ("entered", 0)
            assert told[at + 1][:2] == ("left", 0)
        else:
            assert ("logged",) not in told

    def test_orphans_are_observed(self, method: SendMethod) -> None:
        """A dispatch without receivers has a start and an end, and their number is known."""
        told: Told = []
        sink = Sending(lambda: Telling(told))
        with listening(sink):
            send(Signal(), method)
        assert told == [("started",), ("finished", "NoneType")]
        assert sink.asked[0][3] == 0

    def test_nobody_who_observes_leaves_no_record(
        self, method: SendMethod, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where a sink that only observes answers None, no Dispatch is made."""
        monkeypatch.setattr(recorder, "RunningDispatch", None)
        with listening(Sending(lambda: None)):
            assert send(connected(returns), method) == [(returns, "returned")]

    def test_an_idle_sink_is_not_asked(self, method: SendMethod) -> None:
        """observer_for() is not called on a sink that says it is idle, whoever else listens."""
        sink = Sending(lambda: Telling([]), idle=True)
        with listening(sink):
            send(connected(returns), method)
            with capture() as dispatches:
                send(connected(returns), method)
        assert sink.asked == []
        assert len(dispatches) == 1


class TestPassing:
    @pytest.fixture
    def told(self) -> Told:
        return []

    @pytest.fixture
    def sink(self, told: Told) -> Sending:
        return Sending(lambda: Telling(told, needs_record=False, by_receiver=False))

    @pytest.mark.parametrize("method", SYNC)
    def test_the_loop_of_the_idle_wrapper_runs(
        self, method: SendMethod, told: Told, sink: Sending, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An observer that needs no record is told of the whole, and no Dispatch is made."""
        monkeypatch.setattr(recorder, "RunningDispatch", None)
        with listening(sink):
            assert send(connected(returns), method) == [(returns, "returned")]
        assert told == [("entered", None), ("left", None, True)]

    @pytest.mark.parametrize("method", SYNC)
    def test_it_is_left_however_the_send_ends(
        self, method: SendMethod, told: Told, sink: Sending
    ) -> None:
        """Also where a receiver raises."""
        with listening(sink):
            send(connected(raises), method)
        assert told == [("entered", None), ("left", None, True)]

    @pytest.mark.parametrize("method", SYNC)
    def test_without_receivers_there_is_nothing_to_pass(
        self, method: SendMethod, told: Told, sink: Sending
    ) -> None:
        """An orphan that needs no record is not told of."""
        with listening(sink):
            send(Signal(), method)
        assert told == []

    def test_others_who_listen_get_their_record(self, told: Told, sink: Sending) -> None:
        """With a capture() open it is recorded, and the observer is told as any other."""
        with listening(sink), capture() as dispatches:
            send(connected(returns), SendMethod.SEND)
        assert [call.receiver for call in dispatches[0].calls] == [f"{__name__}.returns"]
        assert told[0] == ("started",)

    def test_async_receivers_are_entered_each(self, told: Told, sink: Sending) -> None:
        """Where the loop is not ours nothing can stay set for the whole: receivers are told."""
        with listening(sink):
            send(connected(waits), SendMethod.SEND)
        assert told == [
            ("started",),
            ("entered", 0),
            ("left", 0, False),
            ("entered", 0),
            ("left", 0, True),
            ("finished", "NoneType"),
        ]

    def test_an_unknown_django_records(self, told: Told, sink: Sending) -> None:
        """Nor does it pass where Django's own method runs the receivers."""
        with unknown_django(), listening(sink):
            send(connected(returns), SendMethod.SEND)
        assert told == [("started",), ("entered", 0), ("left", 0, True), ("finished", "NoneType")]


class Calls(Signal):
    def send(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, **named)


class Alone(Signal):
    def send(self, sender: Any, **named: Any) -> Any:
        return [(receiver, receiver(signal=self, sender=sender, **named)) for receiver in ours]


ours = [returns]


class TestOverrides:
    def test_one_that_calls_super_is_the_whole(self) -> None:
        """The code of the override is bracketed once, its receivers inside."""
        assert told_of(connected(returns, kind=Calls), SendMethod.SEND) == [
            ("started",),
            ("entered", None),
            ("entered", 0),
            ("left", 0, True),
            ("finished", "NoneType"),
            ("left", None, True),
        ]

    def test_one_that_does_it_all_itself_is_told_as_a_whole(self) -> None:
        """Its receivers are not told of, but run inside."""
        assert told_of(connected(returns, kind=Alone), SendMethod.SEND) == [
            ("started",),
            ("entered", None),
            ("finished", "NoneType"),
            ("left", None, True),
        ]


class TestAddedSinks:
    def test_what_is_added_outlives_what_settings_name(self) -> None:
        """A sink added by code stays when the settings' sinks change, until it is removed."""
        added, named = Quiet(), Live()
        sinks.add_sink(added)
        sinks.use_sinks((named,))
        both = sinks.process_sinks()
        sinks.use_sinks(())
        send(connected(returns), SendMethod.SEND)
        sinks.remove_sink(added)
        assert both == (added, named)
        assert sinks.process_sinks() == ()
        assert [what for what, _ in added.heard] == ["started", "finished"]

    def test_one_of_a_class_is_enough(self) -> None:
        """While a sink is added, one of the same class that settings name is set aside."""
        added, named = Quiet(), Quiet()
        with listening(named):
            sinks.add_sink(added)
            assert sinks.process_sinks() == (added,)
            sinks.remove_sink(added)
            assert sinks.process_sinks() == (named,)


def test_what_a_capture_dropped_is_counted_for_the_process() -> None:
    """Dispatches beyond the limit are in internal_errors.drops()."""
    with capture(limit=1):
        for _ in range(3):
            send(connected(returns), SendMethod.SEND)
    assert internal_errors.drops() == {"dispatches": 2}
