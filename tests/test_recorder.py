"""What is recorded of a dispatch, for whom, and what happens when that fails."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import logging
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from types import FrameType
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import Group
from django.db.models.signals import post_save, pre_save
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector import Details, Dispatch, Outcome, Sink, capture, names, payload
from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import current
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record import callers, recorder
from signal_inspector.core.record.values import SendMethod
from tests.clocks import moments
from tests.fixed import fixed
from tests.listening import Live, ObservedBy, Quiet, listening, unknown_django

order_placed = Signal()
parcel_sent = Signal()

WAYS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "fast": nullcontext,
    "observed": lambda: listening(Live()),
    "unknown": unknown_django,
}
METHODS = list(SendMethod)
SYNC = [SendMethod.SEND, SendMethod.SEND_ROBUST]


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """Nothing of ours is left in the context, and no receiver on this module's signals."""
    before = current.get()
    yield
    assert current.get() is before
    order_placed.receivers = []
    parcel_sent.receivers = []


@pytest.fixture(params=["fast", "observed", "unknown"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each way that a recorded sync dispatch may take."""
    with WAYS[request.param]():
        yield request.param


class Web:
    """A sender."""


def on_order(**kwargs: Any) -> str:
    return "done"


def on_order_too(**kwargs: Any) -> None: ...


def fails(**kwargs: Any) -> None:
    raise ValueError("no")


def slow(**kwargs: Any) -> None:
    time.sleep(0.01)


class Office:
    def method(self, **kwargs: Any) -> None: ...

    @classmethod
    def class_method(cls, **kwargs: Any) -> None: ...

    def __call__(self, **kwargs: Any) -> None: ...


OFFICE = Office()


def send(signal: Signal, method: SendMethod, sender: object = None, **named: Any) -> Any:
    sending = getattr(signal, method)(sender, **named)
    return asyncio.run(sending) if method.is_async else sending


def connected(*receivers: Any) -> Signal:
    """A signal with these receivers, held strongly."""
    signal = Signal()
    for number, receiver in enumerate(receivers, 1):
        signal.connect(receiver, weak=False, dispatch_uid=number)
    return signal


def record(signal: Signal, method: SendMethod = SendMethod.SEND, **named: Any) -> Dispatch:
    """Send, whatever that raises; the one dispatch that was recorded."""
    with capture() as dispatches:
        try:
            send(signal, method, Web, **named)
        except ValueError:
            assert not method.is_robust
    assert len(dispatches) == 1
    return dispatches[0]


def outcomes(dispatch: Dispatch) -> list[str]:
    return [call.outcome.value for call in dispatch.calls]


class TestDispatch:
    @pytest.mark.parametrize("method", METHODS)
    def test_signal_sender_and_method(self, method: SendMethod) -> None:
        """A record names the signal by its module, the sender's class and the method."""
        order_placed.connect(on_order)
        dispatch = record(order_placed, method)
        found = (dispatch.signal, dispatch.sender, dispatch.method)
        assert found == (f"{__name__}.order_placed", f"{__name__}.Web", method)

    @pytest.mark.parametrize(
        ("sender", "name"),
        [
            (None, "None"),
            (Web(), f"{__name__}.Web instance"),
            ("checkout", "'checkout'"),
            (sys.modules[__name__], __name__),
            (42, "builtins.int instance"),
            (Group, "django.contrib.auth.models.Group"),
        ],
    )
    def test_senders_of_any_kind_have_names(self, sender: object, name: str) -> None:
        """None, instances, strings, modules and models are named as senders."""
        with capture() as dispatches:
            order_placed.send(sender)
        assert dispatches[0].sender == name

    def test_start_is_in_utc(self) -> None:
        """started_at is the moment of the send, in UTC."""
        before = datetime.now(UTC)
        dispatch = record(order_placed)
        assert before.replace(microsecond=0) <= dispatch.started_at <= datetime.now(UTC)
        assert dispatch.started_at.tzinfo is UTC

    @pytest.mark.parametrize("method", METHODS)
    def test_duration_covers_the_receivers(self, method: SendMethod) -> None:
        """A dispatch lasts at least as long as its receivers in a row."""
        dispatch = record(connected(slow, slow), method)
        assert dispatch.duration_ns >= sum(call.duration_ns for call in dispatch.calls)
        assert dispatch.duration_ns >= 20_000_000

    def test_what_was_gathered_is_nobodys_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Time that we take before the first receiver is in no duration."""

        def slowly(*args: Any, **kwargs: Any) -> Any:
            gathered.append(time.perf_counter_ns())
            return {}, 0

        gathered: list[int] = []
        monkeypatch.setattr(payload, "summarize_arguments", slowly)
        dispatch = record(connected(on_order))
        assert gathered[0] <= dispatch.start_ns == moments(dispatch, dispatch.calls[0])[0]

    def test_dispatches_stand_in_the_order_they_started(self) -> None:
        """A nested dispatch stands after the one whose receiver sent it."""

        def sends_on(**kwargs: Any) -> None:
            parcel_sent.send(None)

        order_placed.connect(sends_on)
        with capture() as dispatches:
            order_placed.send(None)
            parcel_sent.send(None)
        names = [each.signal.rpartition(".")[2] for each in dispatches]
        assert names == ["order_placed", "parcel_sent", "parcel_sent"]

    def test_a_running_dispatch_is_running(self) -> None:
        """Until the send has ended, outcome is RUNNING, and reading the record is harmless."""
        seen: list[Any] = []

        def looks(**kwargs: Any) -> None:
            seen.extend((each.outcome, each.duration_ns) for each in dispatches)
            assert dispatches[0].as_dict()["outcome"] == "running"

        with capture() as dispatches:
            connected(looks, on_order).send(None)
        assert seen == [(Outcome.RUNNING, 0)]
        assert outcomes(dispatches[0]) == ["returned", "returned"]


@pytest.mark.usefixtures("way")
class TestCalls:
    @pytest.mark.parametrize(
        ("receiver", "name", "function"),
        [
            (on_order, "on_order", on_order),
            (OFFICE.method, "Office.method", Office.method),
            (Office.class_method, "Office.class_method", Office.class_method.__func__),  # type: ignore[attr-defined]
            (functools.partial(on_order, extra=1), "on_order (partial)", on_order),
            (OFFICE, "Office", Office.__call__),
        ],
    )
    def test_receivers_of_any_kind_have_names_and_places(
        self, receiver: Any, name: str, function: Any
    ) -> None:
        """Functions, methods, partials and callable instances are named and placed."""
        [call] = record(connected(receiver)).calls
        code = function.__code__
        assert (call.receiver, call.path) == (f"{__name__}.{name}", __file__)
        assert call.line == code.co_firstlineno

    def test_a_lambda_is_named_and_placed(self) -> None:
        """A lambda is named after the function that holds it, at its line."""
        receiver = lambda **kwargs: None  # noqa: E731
        [call] = record(connected(receiver)).calls
        assert call.receiver == f"{__name__}.{receiver.__qualname__}"
        assert (call.path, call.line) == (__file__, receiver.__code__.co_firstlineno)

    def test_a_mock_is_named_without_noticing(self) -> None:
        """A mock is named by class and name, and has seen no more than its call."""
        receiver = mock.MagicMock(name="send_invoice")
        [call] = record(connected(receiver), a=1).calls
        assert call.receiver == "unittest.mock.MagicMock(name='send_invoice')"
        assert len(receiver.mock_calls) == 1

    def test_receivers_follow_each_other(self) -> None:
        """Offsets are those of the receivers' starts, in order, within the dispatch."""
        dispatch = record(connected(slow, on_order, slow))
        first, second, third = dispatch.calls
        assert [call.outcome for call in dispatch.calls] == [Outcome.RETURNED] * 3
        offsets = [call.offset_ns or 0 for call in dispatch.calls]
        assert offsets == sorted(offsets)
        assert offsets[1] >= first.duration_ns >= 10_000_000
        assert offsets[2] >= offsets[1] + second.duration_ns
        assert dispatch.duration_ns >= offsets[2] + third.duration_ns

    def test_responses_are_summarized(self) -> None:
        """What each receiver returned stands in its call, in words."""
        calls = record(connected(on_order, on_order_too)).calls
        texts = [call.response and call.response.text for call in calls]
        assert texts == ["'done'", "None"]

    @pytest.mark.parametrize("method", SYNC)
    def test_a_failure_is_described(self, method: SendMethod) -> None:
        """An exception is recorded by class, message and traceback, and has no response."""
        dispatch = record(connected(on_order, fails), method)
        call = dispatch.calls[1]
        assert (call.outcome, call.response) == (Outcome.RAISED, None)
        assert call.failure is not None
        assert (call.failure.exception_class, call.failure.message) == ("ValueError", "no")
        assert call.failure.traceback is not None
        assert 'raise ValueError("no")' in call.failure.traceback
        assert dispatch.failures == [call]

    def test_receivers_after_a_failure_are_skipped(self) -> None:
        """What send() did not reach is skipped: never started, no time, no failure."""
        dispatch = record(connected(on_order, fails, on_order_too, slow))
        assert outcomes(dispatch) == ["returned", "raised", "skipped", "skipped"]
        assert dispatch.outcome is Outcome.RAISED
        for call in dispatch.calls[2:]:
            found = (call.offset_ns, call.duration_ns, call.self_ns, call.failure, call.response)
            assert found == (None, 0, 0, None, None)

    def test_a_robust_send_skips_nobody(self) -> None:
        """send_robust() goes on after a failure, and has itself returned."""
        dispatch = record(connected(fails, on_order, fails), SendMethod.SEND_ROBUST)
        assert outcomes(dispatch) == ["raised", "returned", "raised"]
        assert dispatch.outcome is Outcome.RETURNED

    def test_the_log_of_a_robust_failure_is_no_receivers_time(
        self, way: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What Django's log of a swallowed exception takes is not the time of its receiver."""

        class Slow(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                taken.append(time.perf_counter_ns())

        taken: list[int] = []
        handler = Slow()
        logger = logging.getLogger("django.dispatch")
        logger.addHandler(handler)
        try:
            dispatch = record(connected(fails, on_order), SendMethod.SEND_ROBUST)
        finally:
            logger.removeHandler(handler)
        (_, end), (start, _) = (moments(dispatch, call) for call in dispatch.calls)
        assert end <= taken[0]
        if way != "fast":  # which takes one timestamp between two receivers
            assert taken[0] <= start

    def test_a_failing_partial_under_a_robust_send_ends_it(self) -> None:
        """Where Django's own log raises, the receiver's exception is recorded all the same."""
        signal = connected(on_order, functools.partial(fails), on_order_too)
        with capture() as dispatches, pytest.raises(AttributeError):
            signal.send_robust(None)
        [dispatch] = dispatches
        assert outcomes(dispatch) == ["returned", "raised", "skipped"]
        assert dispatch.failures[0].failure is not None
        assert dispatch.failures[0].failure.exception_class == "ValueError"
        assert dispatch.outcome is Outcome.RAISED

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
    def test_an_exit_is_recorded(self, error: type[BaseException]) -> None:
        """A receiver that ends the process's work is recorded as raised before it goes on."""

        def leaves(**kwargs: Any) -> None:
            raise error

        with capture() as dispatches, pytest.raises(error):
            connected(leaves, on_order).send_robust(None)
        assert outcomes(dispatches[0]) == ["raised", "skipped"]
        assert dispatches[0].outcome is Outcome.RAISED

    def test_a_cancellation_in_a_sync_receiver_is_a_cancellation(self) -> None:
        """CancelledError out of a sync receiver is recorded as cancelled."""

        def cancelled(**kwargs: Any) -> None:
            raise asyncio.CancelledError

        with capture() as dispatches, pytest.raises(asyncio.CancelledError):
            connected(cancelled).send(None)
        assert outcomes(dispatches[0]) == ["cancelled"]
        assert dispatches[0].outcome is Outcome.CANCELLED

    def test_a_receiver_that_is_there_twice_is_recorded_twice(self) -> None:
        """A receiver connected under two dispatch_uids has two calls."""
        signal = Signal()
        signal.connect(on_order, dispatch_uid="one")
        signal.connect(on_order, dispatch_uid="two")
        assert [call.receiver for call in record(signal).calls] == [f"{__name__}.on_order"] * 2


@pytest.mark.usefixtures("way")
class TestNesting:
    def test_parents_are_known_at_every_depth(self) -> None:
        """Each dispatch knows the dispatch and the receiver call that sent it."""
        signal = Signal()

        def again(depth: int, **kwargs: Any) -> None:
            if depth:
                signal.send(None, depth=depth - 1)

        signal.connect(on_order)
        signal.connect(again)
        with capture() as dispatches:
            signal.send(None, depth=3)
        ids = [each.id for each in dispatches]
        assert [each.parent_id for each in dispatches] == [None, *ids[:3]]
        assert [each.parent_call for each in dispatches] == [None, 1, 1, 1]

    def test_self_time_is_without_nested_dispatches(self) -> None:
        """A receiver's self time is its duration less that of what it sent."""
        inner = connected(slow)

        def sends_on(**kwargs: Any) -> None:
            inner.send(None)
            time.sleep(0.005)
            inner.send(None)

        with capture() as dispatches:
            connected(sends_on).send(None)
        [call] = dispatches[0].calls
        assert call.duration_ns - call.self_ns == sum(each.duration_ns for each in dispatches[1:])
        assert call.self_ns >= 5_000_000

    def test_self_time_of_a_receiver_that_sends_nothing_is_all_of_it(self) -> None:
        """Without nested dispatches self time and duration are equal."""
        [call] = record(connected(slow)).calls
        assert call.self_ns == call.duration_ns

    def test_a_nested_failure_belongs_to_both(self) -> None:
        """An exception that passes through two dispatches is recorded in each."""
        inner = connected(fails)

        def sends_on(**kwargs: Any) -> None:
            inner.send(None)

        with capture() as dispatches, pytest.raises(ValueError, match="no"):
            connected(sends_on).send(None)
        assert [outcomes(each) for each in dispatches] == [["raised"], ["raised"]]

    def test_an_endless_recursion_ends_as_ever(self) -> None:
        """A receiver that sends its own signal for ever runs into RecursionError, no more."""
        signal = Signal()

        def again(**kwargs: Any) -> None:
            signal.send(None)

        signal.connect(again)
        with capture(details=Details.NONE) as dispatches, pytest.raises(RecursionError):
            signal.send(None)
        assert len(dispatches) > 50
        assert dispatches[0].outcome is Outcome.RAISED
        assert signal.disconnect(again)
        assert signal.send(None) == []

    def test_nested_orphans_have_parents(self) -> None:
        """A dispatch that nobody received still knows who sent it."""

        def sends_on(**kwargs: Any) -> None:
            parcel_sent.send(None)

        with capture() as dispatches:
            connected(on_order, sends_on).send(None)
        assert dispatches[1].is_orphan
        assert (dispatches[1].parent_id, dispatches[1].parent_call) == (dispatches[0].id, 1)

    def test_siblings_are_no_children(self) -> None:
        """After a dispatch the next one of the same code has no parent."""
        signal = connected(on_order)
        with capture() as dispatches:
            signal.send(None)
            signal.send(None)
        assert [each.parent_id for each in dispatches] == [None, None]

    def test_after_a_failure_the_next_dispatch_has_no_parent(self) -> None:
        """A receiver that raised leaves no scope behind."""
        with capture() as dispatches:
            with pytest.raises(ValueError, match="no"):
                connected(fails).send(None)
            connected(on_order).send(None)
        assert [each.parent_id for each in dispatches] == [None, None]


class TestOrphans:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("case", ["nobody", "other sender", "cached", "dead"])
    def test_a_dispatch_that_nobody_receives_is_recorded(
        self, method: SendMethod, case: str
    ) -> None:
        """No receivers, receivers of others, a cached absence, dead ones: each is an orphan."""
        signal = Signal(use_caching=case == "cached")
        if case in ("other sender", "cached"):
            signal.connect(on_order, sender=Office)
            assert send(signal, method, Web) == []
        if case == "dead":
            signal.connect(lambda **kwargs: None)
            gc.collect()
        dispatch = record(signal, method, a=1)
        assert dispatch.is_orphan
        assert (dispatch.calls, dispatch.outcome) == ([], Outcome.RETURNED)
        assert list(dispatch.payload or {}) == ["a"]
        assert dispatch.caller is not None

    def test_a_dispatch_that_somebody_receives_is_none(self) -> None:
        """A dispatch with a receiver is no orphan."""
        assert not record(connected(on_order)).is_orphan


#: What each detail fills in, and what stands there without it.
DETAILS: dict[Details, tuple[Callable[[Any], Any], Any]] = {
    Details.CALLER: (lambda dispatch: dispatch.caller, None),
    Details.STACK: (lambda dispatch: dispatch.stack, ()),
    Details.PAYLOAD: (lambda dispatch: dispatch.payload, None),
    Details.RESPONSE: (lambda dispatch: dispatch.calls[0].response, None),
    Details.TRACEBACK: (lambda dispatch: dispatch.failures[0].failure.traceback, None),
    Details.TRANSACTION: (lambda dispatch: dispatch.in_transaction, None),
}


class TestDetails:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("detail", DETAILS)
    def test_only_what_was_asked_for_is_gathered(
        self, detail: Details, method: SendMethod
    ) -> None:
        """Each detail is there when it is asked for, alone, and not when only others are."""
        signal = connected(on_order, fails)
        read, absent = DETAILS[detail]
        found = []
        for wanted in (detail, Details.ALL & ~detail & ~Details.STACK, Details.NONE):
            with capture(details=wanted) as dispatches:
                try:
                    send(signal, method, a=1)
                except ValueError:
                    assert not method.is_robust
            found.append(read(dispatches[0]))
        assert found[0] not in (None, ())
        assert found[1:] == [absent, absent]

    def test_the_caller_is_the_code_that_sent(self) -> None:
        """File, line and function of the send are recorded, also under @receiver's module."""
        with capture(details=Details.CALLER) as dispatches:
            order_placed.send(None)
            line = _line() - 1
        caller = dispatches[0].caller
        assert caller is not None
        assert caller[:2] == (__file__, line)
        assert caller.function.endswith("test_the_caller_is_the_code_that_sent")

    def test_the_caller_of_a_nested_dispatch_is_the_receiver(self) -> None:
        """A dispatch that a receiver sent names the receiver as its caller, past our frames."""

        def sends_on(**kwargs: Any) -> None:
            parcel_sent.send(None)

        with listening(Live()), capture() as dispatches:
            connected(sends_on).send(None)
        assert dispatches[1].caller is not None
        assert dispatches[1].caller.function == sends_on.__qualname__

    def test_the_stack_leads_to_the_caller(self) -> None:
        """The stack's last frame is the caller, and it holds no frame of ours or Django's loop."""

        def outer() -> None:
            order_placed.send(None)

        with capture(details=Details.STACK) as dispatches:
            outer()
        [dispatch] = dispatches
        assert dispatch.stack[-1] == dispatch.caller
        functions = [frame.function.rpartition(".")[2] for frame in dispatch.stack[-2:]]
        assert functions == ["test_the_stack_leads_to_the_caller", "outer"]

    @pytest.mark.parametrize("send", ["send", "send_robust"])
    def test_the_stack_of_a_nested_dispatch_holds_no_frame_of_ours(self, send: str) -> None:
        """A dispatch that a receiver sends has the receiver on its stack, and its sender."""
        outer_signal, inner_signal = Signal(), Signal()

        def relay(**kwargs: Any) -> None:
            getattr(inner_signal, send)(None)

        outer_signal.connect(relay)
        with capture() as dispatches:
            getattr(outer_signal, send)(None)
        around, inner = dispatches
        assert around.caller is not None
        assert inner.caller is not None
        assert inner.stack[-1] == inner.caller == inner.project_caller
        assert [frame.function for frame in inner.stack[-2:]] == [
            around.caller.function,
            relay.__qualname__,
        ]

    @fixed(Limits, stack_depth=3)
    def test_the_stack_is_capped(self) -> None:
        """So many frames are kept, the innermost ones."""

        def deep(depth: int) -> None:
            if depth:
                deep(depth - 1)
            else:
                order_placed.send(None)

        with capture() as dispatches:
            deep(10)
        assert [frame.function for frame in dispatches[0].stack] == [deep.__qualname__] * 3

    def test_an_async_send_names_its_caller(self) -> None:
        """The coroutine that awaits asend() is its caller."""

        async def checkout() -> None:
            await order_placed.asend(None)

        order_placed.connect(on_order)
        with capture() as dispatches:
            asyncio.run(checkout())
        assert dispatches[0].caller is not None
        assert dispatches[0].caller.function == checkout.__qualname__

    def test_listeners_share_what_any_of_them_asked_for(self) -> None:
        """A detail is gathered if one of several captures wants it."""
        with (
            capture(details=Details.PAYLOAD) as outer,
            capture(details=Details.CALLER) as inner,
        ):
            order_placed.send(None, a=1)
        assert outer[0] is inner[0]
        assert outer[0].payload is not None
        assert outer[0].caller is not None

    def test_no_frame_is_kept(self) -> None:
        """A record with caller, stack and traceback refers to no frame."""
        with capture() as dispatches:
            connected(fails).send_robust(None)
        assert dispatches[0].failures[0].failure is not None
        seen: set[int] = set()
        todo: list[Any] = [dispatches[0]]
        while todo:
            found = todo.pop()
            if id(found) in seen or isinstance(found, type):
                continue
            seen.add(id(found))
            assert not isinstance(found, FrameType)
            if type(found).__module__.startswith(("signal_inspector", "builtins")):
                todo.extend(gc.get_referents(found))
        assert len(seen) > 50


def left_of(gone: list[weakref.ref[Any]]) -> list[Any]:
    """What is still alive, once the threads that ran receivers have let go of it."""
    for _ in range(200):
        gc.collect()
        if not any(reference() for reference in gone):
            break
        time.sleep(0.01)
    return [reference() for reference in gone if reference() is not None]


def _line() -> int:
    return sys._getframe(1).f_lineno


@pytest.fixture
def _unlogged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Django's log of swallowed exceptions, which pytest would keep."""
    monkeypatch.setattr(logging.getLogger("django.dispatch"), "disabled", True)


@pytest.mark.usefixtures("_unlogged")
class TestLifetimes:
    class Thing:
        """Something that can be weakly referenced."""

        def __call__(self, **kwargs: Any) -> None: ...

    @pytest.mark.parametrize("method", METHODS)
    def test_a_record_keeps_nothing_alive(self, method: SendMethod) -> None:
        """Sender, receiver, arguments and response die although the record is kept."""
        thing = self.Thing
        sender, receiver, argument, response = thing(), thing(), thing(), thing()
        returned = [response]

        def answers(**kwargs: Any) -> Any:
            return returned.pop()

        signal = Signal()
        signal.connect(receiver)
        signal.connect(answers)
        gone = [weakref.ref(each) for each in (sender, receiver, argument, response)]
        with capture() as dispatches:
            send(signal, method, sender, argument=argument, listed=[argument])
        del sender, receiver, argument, response
        assert left_of(gone) == []
        assert len(dispatches[0].as_dict()["calls"]) == 2

    @pytest.mark.parametrize("method", METHODS)
    def test_a_record_keeps_no_exception_alive(self, method: SendMethod) -> None:
        """A receiver's exception, and its frames' locals, die although the record is kept."""
        gone: list[weakref.ref[Any]] = []

        class OrderError(Exception):
            """A user's exception."""

        def raises(**kwargs: Any) -> None:
            local = self.Thing()
            error = OrderError("no")
            gone.extend([weakref.ref(local), weakref.ref(error)])
            try:
                raise error
            finally:
                del error

        with capture() as dispatches:
            try:
                send(connected(raises), method)
            except OrderError:
                assert not method.is_robust
        assert len(gone) == 2
        assert left_of(gone) == []
        assert dispatches[0].failures[0].failure is not None

    def test_nothing_waits_for_the_collector_of_garbage(self) -> None:
        """Sender and arguments of a sync send die at once, without a cycle to be collected."""
        sender, argument = self.Thing(), self.Thing()
        gone = [weakref.ref(sender), weakref.ref(argument)]
        with capture() as dispatches:
            gc.collect()
            gc.disable()
            try:
                connected(on_order, on_order_too).send(sender, argument=argument)
                del sender, argument
                found = [reference() for reference in gone]
            finally:
                gc.enable()
        assert found == [None, None]
        assert len(dispatches) == 1

    def test_a_record_does_not_keep_its_parent(self) -> None:
        """A nested record that is kept does not keep the record it was nested in."""

        def sends_on(**kwargs: Any) -> None:
            with capture() as dispatches:
                parcel_sent.send(None)
            kept.extend(dispatches)

        kept: list[Dispatch] = []
        signal = connected(sends_on)
        with listening(Quiet()):
            signal.send(None)
        assert kept[0].parent is None
        assert kept[0].parent_id is not None


class TestTroubleWithDetails:
    @pytest.mark.parametrize(
        "broken",
        ["summarize_arguments", "summarize", "summarize_exception", "call_stack"],
    )
    @pytest.mark.parametrize("method", METHODS)
    def test_a_failure_of_ours_is_reported_once_and_counted(
        self,
        method: SendMethod,
        broken: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """When a summary raises, the signal is sent and recorded; we log once and count on."""

        def breaks(*args: Any, **kwargs: Any) -> None:
            raise RuntimeError("ours")

        signal = connected(on_order, fails)
        sink = Quiet()
        where = callers if broken == "call_stack" else payload
        monkeypatch.setattr(where, broken, breaks)
        with listening(sink), capture() as dispatches:
            for _ in range(3):
                try:
                    responses = send(signal, method, a=1)
                except ValueError:
                    assert not method.is_robust
                else:
                    assert [receiver for receiver, _ in responses] == [on_order, fails]
        ours = [each for each in caplog.records if each.name == "signal_inspector"]
        assert [outcomes(each) for each in dispatches] == [["returned", "raised"]] * 3
        assert [what for what, _ in sink.heard] == ["started", "finished"] * 3
        assert ["Traceback" in each.getMessage() for each in ours] == [True] * len(
            internal_errors.counts()
        )
        assert set(internal_errors.counts().values()) <= {3, 6}
        assert internal_errors.counts()

    def test_a_failure_of_ours_does_not_keep_a_receiver_from_being_connected(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the caller of connect() cannot be told, the receiver is connected all the same."""
        monkeypatch.setattr(callers, "_kinds", None)
        signal = connected(on_order)
        assert signal.send(None) == [(on_order, "done")]
        assert internal_errors.counts() == {"gathering the caller": 1}

    def test_a_failure_of_ours_does_not_keep_a_signal_from_being_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When the creation of a signal cannot be noted, the signal is made all the same."""
        monkeypatch.setattr(names, "note_creation", None)
        assert Signal(use_caching=True).use_caching
        assert internal_errors.counts() == {"recording where a signal was created": 1}

    def test_a_failure_to_open_a_record_leaves_the_send_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When naming the signal raises, the send goes its bare way, unrecorded."""

        def breaks(signal: Signal) -> str:
            raise RuntimeError("ours")

        monkeypatch.setattr(recorder, "signal_name", breaks)
        signal = connected(on_order)
        with capture() as dispatches:
            assert signal.send(None) == [(on_order, "done")]
        assert dispatches == []
        assert internal_errors.counts() == {"opening a record": 1}

    def test_a_failed_exception_summary_still_names_the_class(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An exception that could not be summarized is recorded by its class."""
        monkeypatch.setattr(payload, "summarize_exception", None)
        with capture() as dispatches:
            connected(fails).send_robust(None)
        failure = dispatches[0].failures[0].failure
        assert failure is not None
        assert (failure.exception_class, failure.message) == ("ValueError", "")


class Raises(Live):
    """A sink that fails in every method, after it has heard."""

    def hear(self, *what: Any) -> None:
        super().hear(*what)
        raise RuntimeError("a sink's own")


class TestSinks:
    def test_methods_are_called_in_order(self) -> None:
        """A live sink hears of the start, of each receiver, and of the end."""
        sink = Live()
        with listening(sink):
            connected(on_order, fails).send_robust(None)
        assert [what[:2] for what in sink.heard[1:-1]] == [
            ("entered", 0),
            ("left", 0),
            ("entered", 1),
            ("left", 1),
        ]
        assert (sink.heard[0][0], sink.heard[-1][0]) == ("started", "finished")

    def test_a_quiet_sink_hears_of_whole_dispatches(self) -> None:
        """A sink without receiver methods hears of start and end, nested ones inside."""

        def sends_on(**kwargs: Any) -> None:
            parcel_sent.send(None)

        order_placed.connect(sends_on)
        sink = Quiet()
        with listening(sink):
            order_placed.send(None)
        assert [(what, name.rpartition(".")[2]) for what, name in sink.heard] == [
            ("started", "order_placed"),
            ("started", "parcel_sent"),
            ("finished", "parcel_sent"),
            ("finished", "order_placed"),
        ]

    def test_sinks_bracket_receivers(self) -> None:
        """Of two live sinks the first enters first and leaves last."""
        heard: list[Any] = []

        class Named(Observer):
            def __init__(self, name: str) -> None:
                self.name = name

            def entered(self, index: int | None) -> None:
                heard.append((self.name, "entered", index))

            def left(self, index: int | None, ended: bool) -> None:
                heard.append((self.name, "left", index))

        one, two = Named("one"), Named("two")
        with listening(ObservedBy(lambda: one), ObservedBy(lambda: two)):
            connected(on_order).send(None)
        assert heard == [
            ("one", "entered", None),
            ("two", "entered", None),
            ("one", "entered", 0),
            ("two", "entered", 0),
            ("two", "left", 0),
            ("one", "left", 0),
            ("two", "left", None),
            ("one", "left", None),
        ]

    @pytest.mark.parametrize("method", METHODS)
    def test_the_end_is_told_before_the_sender_goes_on(self, method: SendMethod) -> None:
        """When a send returns or raises, its sinks have heard of the end."""
        sink = Quiet()
        with listening(sink):
            try:
                send(connected(fails), method)
            except ValueError:
                assert not method.is_robust
            assert sink.heard[-1][0] == "finished"

    def test_sinks_run_in_the_thread_of_the_code(self) -> None:
        """A dispatch in another thread is told in that thread."""
        sink = Quiet()
        with listening(sink):
            thread = threading.Thread(target=connected(on_order).send, args=(None,))
            thread.start()
            thread.join()
        assert set(sink.threads) == {thread.ident}

    def test_sync_receivers_of_asend_are_told_in_their_thread(self) -> None:
        """A live sink hears of a sync receiver in the thread that asend() runs it in."""
        threads: list[int] = []

        def notes(**kwargs: Any) -> None:
            threads.append(threading.get_ident())

        sink = Live()
        with listening(sink):
            asyncio.run(connected(notes).asend(None))
        told = dict(zip([what[0] for what in sink.heard], sink.threads, strict=True))
        main = threading.get_ident()
        assert threads != [main]
        assert told == {
            "started": main,
            "entered": threads[0],
            "left": threads[0],
            "finished": main,
        }

    @pytest.mark.parametrize("method", METHODS)
    def test_what_a_sink_raises_is_logged_once_and_counted(
        self, method: SendMethod, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A sink that always raises is logged once per method, and the send is as ever."""
        signal, sink = connected(on_order), Raises()
        with listening(sink):
            for _ in range(3):
                assert send(signal, method) == [(on_order, "done")]
        assert len(caplog.records) == 4
        sink_kinds = ["dispatch_finished", "dispatch_started"]
        observed = ["entered", "left"]
        assert set(internal_errors.counts()) == {
            *[f"sink {__name__}.Raises.{kind}" for kind in sink_kinds],
            *[f"sink tests.listening.Hearing.{kind}" for kind in observed],
        }
        assert set(internal_errors.counts().values()) == {3}

    def test_a_raising_sink_keeps_nothing_from_the_others(self) -> None:
        """Sinks and captures beside one that raises hear everything."""
        sink = Live()
        with listening(Raises(), sink, Raises()), capture() as dispatches:
            connected(on_order).send(None)
        assert [what[0] for what in sink.heard] == ["started", "entered", "left", "finished"]
        assert outcomes(dispatches[0]) == ["returned"]

    @pytest.mark.parametrize("way", [Quiet, Live])
    def test_what_a_sink_sends_is_not_recorded(self, way: type[Quiet]) -> None:
        """A sink that sends signals itself is not told of them, and does not recurse."""

        class Sends(way):  # type: ignore[misc, valid-type]
            def hear(self, *what: Any) -> None:
                super().hear(*what)
                parcel_sent.send(None)

        parcel_sent.connect(on_order)
        sink = Sends()
        with listening(sink), capture() as dispatches:
            connected(on_order).send(None)
        assert len(dispatches) == 1
        assert [what[0] for what in sink.heard].count("started") == 1

    @pytest.mark.django_db
    def test_what_a_sink_asks_the_database_is_not_counted(self) -> None:
        """Queries of a sink belong to no receiver, also between the receivers."""

        class Asks(Live):
            def hear(self, *what: Any) -> None:
                Group.objects.count()

        with listening(Asks()), capture() as dispatches:
            connected(on_order, on_order_too).send(None)
        assert [call.query_count for call in dispatches[0].calls] == [0, 0]
        assert dispatches[0].query_count == 0

    def test_details_of_sinks_are_gathered(self) -> None:
        """What a sink's class asks for is there when it hears of the end."""
        found: list[Any] = []

        class Reads(Sink):
            details = Details.PAYLOAD | Details.RESPONSE

            def dispatch_finished(self, dispatch: Dispatch) -> None:
                found.append((dispatch.payload, dispatch.calls[0].response, dispatch.caller))

        with listening(Reads()):
            connected(on_order).send(None, a=1)
        payload, response, caller = found[0]
        assert (payload["a"].value, response.value, caller) == (1, "done", None)

    @pytest.mark.parametrize("method", METHODS)
    def test_the_record_is_complete_at_the_end(self, method: SendMethod) -> None:
        """dispatch_finished is given outcome, duration and calls as they stay."""
        found: list[Any] = []

        class Reads(Sink):
            def dispatch_finished(self, dispatch: Dispatch) -> None:
                found.append((dispatch, dispatch.as_dict()))

        with listening(Reads()):
            send(connected(on_order, slow), method)
        dispatch, data = found[0]
        assert data == dispatch.as_dict()
        assert (data["outcome"], len(data["calls"])) == ("returned", 2)

    def test_a_sink_sees_the_senders_context(self) -> None:
        """A sink's methods run in the context of the code they speak of."""
        variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
        seen: list[str] = []

        class Reads(Sink):
            def dispatch_started(self, dispatch: Dispatch) -> None:
                seen.append(variable.get())

        variable.set("the sender's")
        with listening(Reads()):
            connected(on_order).send(None)
        assert seen == ["the sender's"]


class TestCaps:
    @override_settings(SIGNAL_INSPECTOR={"LIMITS": {"DISPATCHES": 3}})
    def test_a_capture_keeps_so_many(self) -> None:
        """LIMITS["DISPATCHES"] dispatches are kept, the first ones, and the others counted."""
        signal = connected(on_order)
        with capture() as dispatches:
            for number in range(10):
                signal.send(None, number=number)
        kept = [(each.payload or {})["number"].value for each in dispatches]
        assert (kept, dispatches.dropped) == ([0, 1, 2], 7)

    def test_each_capture_has_its_own_limit(self) -> None:
        """A full capture does not keep another from going on."""
        signal = connected(on_order)
        with capture(limit=1) as outer, capture(limit=2) as inner:
            for _ in range(4):
                signal.send(None)
        assert (len(outer), outer.dropped, len(inner), inner.dropped) == (1, 3, 2, 2)

    def test_nothing_is_dropped_below_the_limit(self) -> None:
        """As many dispatches as the limit are all kept."""
        with capture(limit=2) as dispatches:
            order_placed.send(None)
            order_placed.send(None)
        assert (len(dispatches), dispatches.dropped) == (2, 0)

    def test_what_a_capture_drops_reaches_the_sinks(self) -> None:
        """Sinks hear of every dispatch, whatever a capture has room for."""
        sink = Quiet()
        with listening(sink), capture(limit=0) as dispatches:
            order_placed.send(None)
        assert (len(dispatches), dispatches.dropped, len(sink.heard)) == (0, 1, 2)

    @pytest.mark.parametrize("method", METHODS)
    def test_a_dropped_dispatch_behaves(self, method: SendMethod) -> None:
        """A dispatch that is not kept is sent as ever."""
        signal = connected(on_order)
        with capture(limit=0) as dispatches:
            assert send(signal, method) == [(on_order, "done")]
        assert dispatches.dropped == 1

    @fixed(Limits, payload_items=2)
    def test_arguments_beyond_the_limit_are_counted(self) -> None:
        """So many arguments are kept, and the others counted."""
        dispatch = record(connected(on_order), a=1, b=2, c=3, d=4, e=5)
        assert (list(dispatch.payload or {}), dispatch.payload_dropped) == (["a", "b"], 3)


class TestWhichSignals:
    @override_settings(SIGNAL_INSPECTOR={"EXCLUDE": [f"{__name__}.order_placed"]})
    def test_an_excluded_signal_is_not_recorded(self) -> None:
        """A signal that EXCLUDE names is sent and not recorded."""
        with capture() as dispatches:
            order_placed.send(None)
            parcel_sent.send(None)
        assert [each.signal for each in dispatches] == [f"{__name__}.parcel_sent"]

    def test_a_changed_setting_is_heeded_at_once(self) -> None:
        """What was decided of a signal is forgotten when the setting changes."""
        with capture() as dispatches:
            order_placed.send("before")
            with override_settings(SIGNAL_INSPECTOR={"EXCLUDE": ["*"]}):
                order_placed.send("within")
            order_placed.send("after")
        assert [each.sender for each in dispatches] == ["'before'", "'after'"]

    @pytest.mark.django_db
    def test_djangos_signals_are_left_out(self) -> None:
        """Saving a model records nothing of Django's own."""
        with capture() as dispatches:
            Group.objects.create(name="clerks")
        assert dispatches == []

    @pytest.mark.django_db
    def test_a_signal_of_djangos_can_be_let_in(self) -> None:
        """INCLUDE lets one of Django's signals in, and that one alone."""
        post_save.connect(on_order, sender=Group)
        pre_save.connect(on_order, sender=Group)
        setting = {"INCLUDE": ["*", "django.db.models.signals.post_save"]}
        try:
            with override_settings(SIGNAL_INSPECTOR=setting), capture() as dispatches:
                Group.objects.create(name="clerks")
        finally:
            post_save.disconnect(on_order, sender=Group)
            pre_save.disconnect(on_order, sender=Group)
        [dispatch] = dispatches
        assert dispatch.signal == "django.db.models.signals.post_save"
        assert dispatch.sender == "django.contrib.auth.models.Group"
        assert outcomes(dispatch) == ["returned"]

    @pytest.mark.django_db
    @override_settings(SIGNAL_INSPECTOR={"INCLUDE": ["*"], "EXCLUDE": []})
    def test_everything_can_be_let_in(self) -> None:
        """With nothing excluded, saving a model records its signals and their queries' place."""
        with capture() as dispatches:
            Group.objects.create(name="clerks")
        names = {each.signal.rpartition(".")[2] for each in dispatches}
        assert {"pre_init", "post_init", "pre_save", "post_save"} <= names

    def test_an_anonymous_signal_gets_its_name_when_it_has_one(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A signal sent before its module held it is called by its name afterwards."""
        signal = Signal()
        with capture() as dispatches:
            signal.send(None)
            monkeypatch.setattr(sys.modules[__name__], "found_later", signal, raising=False)
            monkeypatch.setitem(sys.modules, "a_module_that_was_loaded_since", mock.Mock())
            signal.send(None)
        assert dispatches[0].signal.endswith("(anonymous)")
        assert dispatches[1].signal == f"{__name__}.found_later"

    def test_whether_an_anonymous_signal_is_inspected_is_remembered(self) -> None:
        """Its name is not final, but the globs are not matched again for the same one."""
        signal = Signal()
        with capture() as dispatches:
            signal.send(None)
            with mock.patch("signal_inspector.conf.fnmatchcase") as fnmatch:
                signal.send(None)
            assert not fnmatch.called
            with override_settings(SIGNAL_INSPECTOR={"EXCLUDE": ["django.*", "*(anonymous)"]}):
                signal.send(None)
        assert len(dispatches) == 2

    def test_what_is_excluded_costs_its_receivers_no_parent(self) -> None:
        """What receivers of an excluded signal send is recorded under the dispatch around it."""

        def sends_on(**kwargs: Any) -> None:
            parcel_sent.send(None)

        def sends_first(**kwargs: Any) -> None:
            order_placed.send(None)

        order_placed.connect(sends_on)
        setting = {"EXCLUDE": [f"{__name__}.order_placed"]}
        with override_settings(SIGNAL_INSPECTOR=setting), capture() as dispatches:
            connected(sends_first).send(None)
        outer, inner = dispatches
        assert inner.signal == f"{__name__}.parcel_sent"
        assert inner.parent_id == outer.id


@pytest.mark.django_db
def test_recording_adds_no_query(django_assert_num_queries: Any) -> None:
    """A recorded dispatch with models, querysets and every detail sends no query of ours."""
    group = Group.objects.create(name="clerks")
    signal = connected(on_order)
    with django_assert_num_queries(0), capture():
        signal.send(group, group=group, groups=Group.objects.all())
