"""The async path: async receivers, async sends, and how they are watched."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import time
import types
import warnings
import weakref
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync, markcoroutinefunction, sync_to_async
from django.dispatch import Signal

from signal_inspector import Dispatch, Outcome, ReceiverCall, capture
from signal_inspector.core.listening import captures, context
from signal_inspector.core.listening.captures import Dispatches
from signal_inspector.core.listening.context import current, running_call
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper.async_path import Current, Driven
from signal_inspector.core.wrapper.instrument import install, uninstall
from tests.clocks import HALF_AN_HOUR, let_an_hour_pass
from tests.listening import SHARES_CONTEXT, Live, ObservedBy, listening

pytestmark = pytest.mark.usefixtures("nothing_left")

ASYNC = [SendMethod.ASEND, SendMethod.ASEND_ROBUST]

#: Before 6.1, asend() makes a coroutine before it calls the receivers, and drops it if that fails.
drops_its_own = pytest.mark.filterwarnings("ignore:coroutine 'Signal.asend:RuntimeWarning")


@pytest.fixture
def signal() -> Signal:
    return Signal()


def outcomes(dispatch: Dispatch) -> list[str]:
    return [call.outcome.value for call in dispatch.calls]


def call_of(dispatch: Dispatch, name: str) -> ReceiverCall:
    [call] = [call for call in dispatch.calls if call.receiver.endswith(name)]
    return call


class Steps:
    """Notes each stretch in which a driven coroutine runs."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def enter(self) -> Current:
        self.seen.append("enter")
        return current.set(None)

    def leave(self) -> None:
        self.seen.append("leave")

    def end(self, error: BaseException | None, response: object) -> None:
        self.seen.append(("end", type(error), response))


def run(driven: Driven, *sent: Any) -> Any:
    """Drive by hand what an event loop would drive; the value it returns."""
    for value in sent:
        driven.send(value)
    with pytest.raises(StopIteration) as stop:
        driven.send(None)
    return stop.value.value


@types.coroutine
def yields(*values: Any) -> Generator[Any, Any, list[Any]]:
    """A coroutine that yields values; what was sent to it."""
    got = []
    for value in values:
        sent = yield value
        got.append(sent)
    return got


class TestDriven:
    def test_returns_what_the_coroutine_returns(self) -> None:
        """The value of the awaited coroutine is that of driving it."""

        async def answers() -> int:
            return 42

        assert run(Driven(answers(), Steps())) == 42

    def test_passes_values_both_ways(self) -> None:
        """What the coroutine yields goes out, what is sent goes in."""
        driven = Driven(yields("a", "b"), Steps())
        assert [driven.send(None), driven.send(1)] == ["a", "b"]
        with pytest.raises(StopIteration) as stop:
            driven.send(2)
        assert stop.value.value == [1, 2]

    def test_brackets_each_stretch(self) -> None:
        """enter() and leave() stand around each step and not around a suspension."""
        steps = Steps()
        run(Driven(yields("a"), steps), None)
        assert steps.seen == ["enter", "leave", "enter", ("end", type(None), [None]), "leave"]

    def test_nothing_is_set_while_suspended(self) -> None:
        """A context variable that enter() sets is reset whenever the coroutine waits."""
        seen = []

        class Sets(Steps):
            def enter(self) -> Current:
                return current.set(context.RecordingContext(captures.SUPPRESSED))

        async def receiver() -> None:
            seen.append(current.get() is None)
            await yields("a")
            seen.append(current.get() is None)

        driven = Driven(receiver(), Sets())
        driven.send(None)
        seen.append(current.get() is None)
        run(driven)
        assert seen == [False, True, False]

    def test_throws_into_the_coroutine(self) -> None:
        """An exception thrown from outside is raised where the coroutine waits."""

        async def catches() -> str:
            try:
                await yields("a")
            except ValueError as error:
                return f"caught {error}"
            return "not thrown"

        driven = Driven(catches(), Steps())
        driven.send(None)
        with pytest.raises(StopIteration) as stop:
            driven.throw(ValueError("this"))
        assert stop.value.value == "caught this"

    def test_goes_on_after_a_caught_exception(self) -> None:
        """A coroutine that catches what was thrown may wait again."""

        async def catches() -> list[Any]:
            try:
                await yields("a")
            except ValueError:
                return await yields("b")
            return []

        driven = Driven(catches(), Steps())
        driven.send(None)
        assert driven.throw(ValueError) == "b"
        assert run(driven) == [None]

    def test_raises_what_the_coroutine_raises(self) -> None:
        """The coroutine's exception comes out as it is, and end() is told."""
        error = ValueError("no")

        async def fails() -> None:
            raise error

        steps = Steps()
        with pytest.raises(ValueError, match="no") as raised:
            Driven(fails(), steps).send(None)
        assert raised.value is error
        assert steps.seen == ["enter", ("end", ValueError, None), "leave"]

    def test_closing_closes_the_coroutine(self) -> None:
        """close() runs the coroutine's finally blocks, bracketed, and ends it as closed."""
        steps = Steps()
        cleaned = []

        async def waits() -> None:
            try:
                await yields("a")
            finally:
                cleaned.append("yes")

        driven = Driven(waits(), steps)
        driven.send(None)
        driven.close()
        assert cleaned == ["yes"]
        assert steps.seen[2:] == ["enter", ("end", GeneratorExit, None), "leave"]

    def test_a_coroutine_that_ignores_close_is_an_error(self) -> None:
        """A coroutine that waits on when closed raises RuntimeError, as without us."""

        async def stubborn() -> None:
            try:
                await yields("a")
            except GeneratorExit:
                await yields("b")

        driven = Driven(stubborn(), Steps())
        driven.send(None)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            driven.close()

    def test_a_future_is_awaited(self) -> None:
        """A future, which is no coroutine, can be driven."""

        async def main() -> object:
            future = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(future.set_result, "done")
            return await Driven(future, Steps())

        assert asyncio.run(main()) == "done"

    def test_an_iterator_without_send_is_awaited(self) -> None:
        """An awaitable whose iterator has no send(), throw() or close() can be driven."""

        class Awaitable:
            def __await__(self) -> Any:
                return iter(["a", "b"])

        driven = Driven(Awaitable(), Steps())
        assert [driven.send(None), driven.send(None)] == ["a", "b"]
        with pytest.raises(ValueError, match="this"):
            driven.throw(ValueError("this"))

    def test_cancelled_before_its_first_step_it_ends(self) -> None:
        """What is thrown before the first step ends the coroutine, which warns of nothing."""

        async def never_runs() -> None: ...

        steps = Steps()
        driven = Driven(never_runs(), steps)
        with pytest.raises(asyncio.CancelledError):
            driven.throw(asyncio.CancelledError())
        assert steps.seen == ["enter", ("end", asyncio.CancelledError, None), "leave"]

    def test_closed_before_its_first_step_it_never_ran(self) -> None:
        """Closing what was never started warns of nothing and notes no step."""

        async def never_runs() -> None: ...

        steps = Steps()
        Driven(never_runs(), steps).close()
        assert steps.seen == []

    def test_closing_what_has_ended_does_nothing(self) -> None:
        """close() after the end is harmless, as with a coroutine."""

        async def returns() -> None: ...

        steps = Steps()
        driven = Driven(returns(), steps)
        run(driven)
        driven.close()
        assert len(steps.seen) == 3

    def test_shows_the_names_of_the_coroutine(self) -> None:
        """asyncio describes a driven task by the user's coroutine."""

        async def receiver() -> None: ...

        async def main() -> str:
            task: asyncio.Task[None]
            task = asyncio.get_running_loop().create_task(Driven(receiver(), Steps()))
            await task
            return repr(task)

        assert receiver.__qualname__ in asyncio.run(main())

    def test_a_generator_based_coroutine_is_awaited(self) -> None:
        """A generator of types.coroutine(), which has no __await__, can be driven."""
        assert run(Driven(yields("a"), Steps()), None) == [None]

    def test_keeps_no_exception(self) -> None:
        """What was thrown in and caught dies with the coroutine's own handling of it."""

        class ThrownError(Exception):
            """Weakly referenceable, as exceptions of Python classes are."""

        async def catches() -> None:
            with suppress(ThrownError):
                await yields("a")
            await yields("b")

        driven = Driven(catches(), Steps())
        driven.send(None)
        thrown = ThrownError()
        gone = weakref.ref(thrown)
        gc.disable()
        try:
            driven.throw(thrown)
            del thrown
            assert gone() is None
        finally:
            gc.enable()
        run(driven)


@pytest.mark.parametrize("method", SendMethod)
class TestRecord:
    def test_async_receivers_are_recorded(self, method: SendMethod, signal: Signal) -> None:
        """An async receiver's call has its name, place, outcome and times."""

        async def receiver(**kwargs: Any) -> None:
            await asyncio.sleep(0.002)

        signal.connect(receiver)
        with capture() as dispatches:
            send(signal, method)
        [call] = dispatches[0].calls
        assert call.receiver == f"{__name__}.{receiver.__qualname__}"
        assert (call.path, call.line) == (__file__, receiver.__code__.co_firstlineno)
        assert (call.is_async, call.outcome, call.timed) == (True, Outcome.RETURNED, True)
        assert call.offset_ns is not None
        assert call.offset_ns > 0
        assert 2_000_000 <= call.duration_ns <= dispatches[0].duration_ns

    def test_mixed_receivers_stand_in_the_order_of_responses(
        self, method: SendMethod, signal: Signal
    ) -> None:
        """Calls stand in the order of Django's responses: sync ones, then async ones."""

        async def slow(**kwargs: Any) -> None:
            await asyncio.sleep(0.001)

        async def quick(**kwargs: Any) -> None: ...

        def sync(**kwargs: Any) -> None: ...

        for receiver in (slow, sync, quick):
            signal.connect(receiver)
        with capture() as dispatches:
            responses = send(signal, method)
        [dispatch] = dispatches
        names = [f"{__name__}.{receiver.__qualname__}" for receiver, _ in responses]
        assert [call.receiver for call in dispatch.calls] == names
        assert [call.is_async for call in dispatch.calls] == [False, True, True]

    def test_a_failure_is_recorded(self, method: SendMethod, signal: Signal) -> None:
        """An async receiver that raises is recorded with its exception; the send as it ended."""

        async def fails(**kwargs: Any) -> None:
            raise ValueError("no")

        signal.connect(fails)
        with capture() as dispatches:
            try:
                send(signal, method)
            except ValueError:
                assert not method.is_robust
        [call] = dispatches[0].calls
        assert call.outcome is Outcome.RAISED
        assert call.failure is not None
        assert (call.failure.exception_class, call.failure.message) == ("ValueError", "no")
        assert "raise ValueError" in (call.failure.traceback or "")
        expected = Outcome.RETURNED if method.is_robust else Outcome.RAISED
        assert dispatches[0].outcome is expected

    @drops_its_own
    def test_a_receiver_that_fails_to_give_an_awaitable_is_recorded(
        self, method: SendMethod, signal: Signal
    ) -> None:
        """Arguments that an async receiver cannot take are its failure, at a known time."""

        async def narrow(signal: object, sender: object) -> None: ...

        signal.connect(narrow)
        with capture() as dispatches:
            try:
                send(signal, method, unexpected=1)
            except TypeError:
                assert not method.is_robust
        [call] = dispatches[0].calls
        assert call.outcome is Outcome.RAISED
        assert call.failure is not None
        assert call.failure.exception_class == "TypeError"
        assert call.offset_ns is not None

    def test_responses_are_summarized(self, method: SendMethod, signal: Signal) -> None:
        """What receivers return stands in their calls, in words."""

        async def answers(**kwargs: Any) -> int:
            return 42

        def answers_now(**kwargs: Any) -> str:
            return "now"

        signal.connect(answers)
        signal.connect(answers_now)
        with capture() as dispatches:
            send(signal, method)
        summaries = [call.response for call in dispatches[0].calls]
        assert [summary and summary.value for summary in summaries] == ["now", 42]

    def test_a_marked_callable_may_return_any_awaitable(
        self, method: SendMethod, signal: Signal
    ) -> None:
        """A callable marked as a coroutine function may return a future."""

        class Marked:
            def __init__(self) -> None:
                markcoroutinefunction(self)

            def __call__(self, **kwargs: Any) -> Any:
                return asyncio.ensure_future(asyncio.sleep(0, "done"))

        receiver = Marked()
        signal.connect(receiver)
        with capture() as dispatches:
            assert send(signal, method) == [(receiver, "done")]
        assert outcomes(dispatches[0]) == ["returned"]

    @drops_its_own
    def test_what_cannot_be_awaited_is_djangos_error(
        self, method: SendMethod, signal: Signal
    ) -> None:
        """A marked callable that returns no awaitable fails as it does without us."""

        class Marked:
            def __init__(self) -> None:
                markcoroutinefunction(self)

            def __call__(self, **kwargs: Any) -> int:
                return 5

        receiver = Marked()
        receiver.__qualname__ = "receiver"  # type: ignore[attr-defined] # for Django's log
        signal.connect(receiver)

        def result() -> tuple[type, str]:
            try:
                responses = send(signal, method)
            except TypeError as error:
                return type(error), str(error)
            return type(responses[0][1]), str(responses[0][1])

        with capture() as dispatches:
            recorded = result()
        assert recorded == result()
        assert dispatches[0].outcome is not Outcome.RUNNING

    def test_self_time_excludes_nested_dispatches(
        self, method: SendMethod, signal: Signal
    ) -> None:
        """The time of a receiver without what it sent on is its self time."""
        inner = Signal()

        def slow(**kwargs: Any) -> None:
            time.sleep(0.01)

        async def sends_on(**kwargs: Any) -> None:
            await inner.asend(None)

        inner.connect(slow)
        signal.connect(sends_on)
        with capture() as dispatches:
            send(signal, method)
        [call] = dispatches[0].calls
        assert call.duration_ns - call.self_ns == dispatches[1].duration_ns
        assert call.duration_ns > 10_000_000

    def test_overlapping_nested_dispatches_count_once(
        self, method: SendMethod, signal: Signal
    ) -> None:
        """Dispatches that a receiver awaits at once take their common time from it, once."""
        inner = Signal()

        async def waits(**kwargs: Any) -> None:
            await asyncio.sleep(0.02)

        async def sends_on(**kwargs: Any) -> None:
            await asyncio.gather(*(inner.asend(None) for _ in range(5)))

        inner.connect(waits)
        signal.connect(sends_on)
        with capture() as dispatches:
            send(signal, method)
        [call] = dispatches[0].calls
        ends = [each.start_ns + each.duration_ns for each in dispatches[1:]]
        covered = max(ends) - min(each.start_ns for each in dispatches[1:])
        assert call.duration_ns - call.self_ns == covered


class TestParents:
    @pytest.fixture
    def inner(self) -> Signal:
        return Signal()

    def parent_of(self, dispatches: Dispatches) -> tuple[bool, int | None]:
        """Whether the second dispatch is the first one's, and of which receiver call."""
        outer, inner = dispatches
        return inner.parent_id == outer.id, inner.parent_call

    async def bystander(self, **kwargs: Any) -> None:
        await asyncio.sleep(0.001)

    def test_an_awaited_dispatch_has_a_parent(self, signal: Signal, inner: Signal) -> None:
        """What an async receiver awaits is its child."""
        bystander = self.bystander

        async def sends_on(**kwargs: Any) -> None:
            await asyncio.sleep(0)
            await inner.asend(None)

        signal.connect(bystander)
        signal.connect(sends_on)
        with capture() as dispatches:
            asyncio.run(signal.asend(None))
        assert self.parent_of(dispatches) == (True, 1)

    def test_gathered_receivers_are_told_apart(self, signal: Signal, inner: Signal) -> None:
        """Receivers that run interleaved each are the parent of what they sent themselves."""

        def sends_on(pauses: int) -> Callable[..., Any]:
            async def receiver(**kwargs: Any) -> None:
                for _ in range(pauses):
                    await asyncio.sleep(0)
                await inner.asend(pauses)

            return receiver

        receivers = [sends_on(pauses) for pauses in (3, 1, 2, 0)]
        for receiver in receivers:
            signal.connect(receiver)
        with capture() as dispatches:
            asyncio.run(signal.asend(None))
        outer, *nested = dispatches
        assert [each.parent_call for each in nested] == [3, 1, 2, 0]
        assert {each.parent_id for each in nested} == {outer.id}

    def test_a_dispatch_in_sync_to_async_has_a_parent(self, signal: Signal, inner: Signal) -> None:
        """What a receiver sends in a thread of sync_to_async is its child."""

        async def sends_on(**kwargs: Any) -> None:
            await sync_to_async(inner.send)(None)

        signal.connect(sends_on)
        with capture() as dispatches:
            asyncio.run(signal.asend(None))
        assert self.parent_of(dispatches) == (True, 0)

    def test_a_dispatch_in_async_to_sync_has_a_parent(self, signal: Signal, inner: Signal) -> None:
        """What a sync receiver sends through async_to_sync is its child."""

        def sends_on(**kwargs: Any) -> None:
            async_to_sync(inner.asend)(None)

        signal.connect(sends_on)
        with capture() as dispatches:
            signal.send(None)
        assert self.parent_of(dispatches) == (True, 0)

    def test_a_sync_receiver_of_asend_is_a_parent(self, signal: Signal, inner: Signal) -> None:
        """What a sync receiver sends in the thread that asend() gave it is its child."""

        def first(**kwargs: Any) -> None: ...

        def sends_on(**kwargs: Any) -> None:
            inner.send(None)

        signal.connect(first)
        signal.connect(sends_on)
        with capture() as dispatches:
            asyncio.run(signal.asend(None))
        assert self.parent_of(dispatches) == (True, 1)

    def test_a_task_started_in_a_receiver_is_its_child(
        self, signal: Signal, inner: Signal
    ) -> None:
        """What a task of an async receiver sends after the dispatch has ended is its child."""
        tasks = []

        async def starts(**kwargs: Any) -> None:
            tasks.append(asyncio.create_task(later()))

        async def later() -> None:
            await asyncio.sleep(0.001)
            inner.send(None)

        async def main() -> None:
            await signal.asend(None)
            await tasks[0]

        signal.connect(starts)
        with capture() as dispatches:
            asyncio.run(main())
        assert self.parent_of(dispatches) == (True, 0)

    def test_a_task_started_in_a_sync_receiver_knows_its_parent(
        self, signal: Signal, inner: Signal
    ) -> None:
        """What a task of a sync receiver sends later is a child of the dispatch."""
        tasks = []

        def starts(**kwargs: Any) -> None:
            tasks.append(asyncio.ensure_future(later()))

        async def later() -> None:
            inner.send(None)

        async def main() -> None:
            signal.send(None)
            await tasks[0]

        signal.connect(starts)
        with capture() as dispatches:
            asyncio.run(main())
        assert dispatches[1].parent_id == dispatches[0].id

    def test_the_sender_goes_on_without_a_parent(self, signal: Signal, inner: Signal) -> None:
        """After an asend() the sender's own next send is no child of it."""

        async def receiver(**kwargs: Any) -> None:
            await asyncio.sleep(0)

        async def main() -> None:
            await signal.asend(None)
            inner.send(None)

        signal.connect(receiver)
        with capture() as dispatches:
            asyncio.run(main())
        assert dispatches[1].parent_id is None


class TestCancellation:
    async def cleaned(self, **kwargs: Any) -> None:
        let_an_hour_pass()
        await asyncio.sleep(30)

    @pytest.mark.parametrize("method", ASYNC)
    def test_a_timeout_is_recorded(self, method: SendMethod, signal: Signal) -> None:
        """A receiver whose asend() ran into wait_for()'s timeout is recorded as cancelled."""
        receiver = self.cleaned
        signal.connect(receiver)

        async def main() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(getattr(signal, method)(None), HALF_AN_HOUR)

        with capture() as dispatches:
            asyncio.run(main())
        assert outcomes(dispatches[0]) == ["cancelled"]
        assert dispatches[0].outcome is Outcome.CANCELLED
        assert 0 < dispatches[0].calls[0].duration_ns <= dispatches[0].duration_ns

    def test_the_failure_of_a_cancelled_receiver_names_it(self, signal: Signal) -> None:
        """A cancelled receiver's exception is CancelledError."""
        receiver = self.cleaned
        signal.connect(receiver)

        async def main() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(signal.asend(None), HALF_AN_HOUR)

        with capture() as dispatches:
            asyncio.run(main())
        failure = dispatches[0].calls[0].failure
        assert failure is not None
        assert failure.exception_class.endswith("CancelledError")

    def test_a_receiver_that_catches_its_cancellation_has_returned(self, signal: Signal) -> None:
        """What counts is how a receiver ended, not what was thrown into it."""

        async def catches(**kwargs: Any) -> None:
            let_an_hour_pass()
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                return

        signal.connect(catches)

        async def main() -> None:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(signal.asend(None), HALF_AN_HOUR)

        with capture() as dispatches:
            asyncio.run(main())
        assert outcomes(dispatches[0]) == ["returned"]

    @pytest.mark.skipif(not SHARES_CONTEXT, reason="siblings run on before Django 6.1")
    def test_siblings_of_a_failure_are_cancelled(self, signal: Signal) -> None:
        """On Django 6.1 the siblings of an async receiver that raised are cancelled."""

        async def fails(**kwargs: Any) -> None:
            await asyncio.sleep(0)
            raise ValueError("no")

        receiver = self.cleaned
        signal.connect(receiver)
        signal.connect(fails)
        with capture() as dispatches, pytest.raises(ValueError, match="no"):
            asyncio.run(signal.asend(None))
        assert outcomes(dispatches[0]) == ["cancelled", "raised"]

    @pytest.mark.skipif(not SHARES_CONTEXT, reason="before Django 6.1 the first error is raised")
    def test_several_failures_come_as_a_group(self, signal: Signal) -> None:
        """On Django 6.1 two receivers that raise give an ExceptionGroup, and two failures."""

        def failing(error: Exception) -> Callable[..., Any]:
            async def fails(**kwargs: Any) -> None:
                raise error

            return fails

        errors = [ValueError("one"), KeyError("two")]
        receivers = [failing(error) for error in errors]
        for receiver in receivers:
            signal.connect(receiver)
        with capture() as dispatches, pytest.raises(ExceptionGroup) as raised:
            asyncio.run(signal.asend(None))
        assert raised.value.exceptions == tuple(errors)
        assert outcomes(dispatches[0]) == ["raised", "raised"]

    @pytest.mark.skipif(SHARES_CONTEXT, reason="Django 6.1 cancels the siblings")
    def test_siblings_of_a_failure_run_on(self, signal: Signal) -> None:
        """Before Django 6.1 a sibling is running when the send ends, and returns later."""
        let_go: list[asyncio.Event] = []

        async def fails(**kwargs: Any) -> None:
            raise ValueError("no")

        async def runs_on(**kwargs: Any) -> None:
            await let_go[0].wait()

        seen = []

        async def main() -> None:
            let_go.append(asyncio.Event())
            with pytest.raises(ValueError, match="no"):
                await signal.asend(None)
            seen.append(outcomes(dispatches[0]))
            let_go[0].set()
            await asyncio.sleep(0.01)
            seen.append(outcomes(dispatches[0]))

        signal.connect(fails)
        signal.connect(runs_on)
        with capture() as dispatches:
            asyncio.run(main())
        assert seen == [["raised", "running"], ["raised", "returned"]]

    def test_async_receivers_are_skipped_when_a_sync_one_raises(self, signal: Signal) -> None:
        """In send(), async receivers never start after a sync one has raised."""

        def fails(**kwargs: Any) -> None:
            raise ValueError("no")

        receiver = self.cleaned
        signal.connect(fails)
        signal.connect(receiver)
        with capture() as dispatches, pytest.raises(ValueError, match="no"):
            signal.send(None)
        assert outcomes(dispatches[0]) == ["raised", "skipped"]
        assert dispatches[0].calls[1].offset_ns is None

    def test_async_receivers_are_skipped_where_django_refuses_them(self, signal: Signal) -> None:
        """A send() inside a running loop is recorded as raised, its async receivers as skipped."""

        def sync(**kwargs: Any) -> None: ...

        receiver = self.cleaned
        signal.connect(sync)
        signal.connect(receiver)

        async def main() -> None:
            with pytest.raises(RuntimeError):
                signal.send(None)

        with capture() as dispatches:
            asyncio.run(main())
        assert outcomes(dispatches[0]) == ["returned", "skipped"]
        assert dispatches[0].outcome is Outcome.RAISED

    def test_closing_the_sender_cancels_its_receivers(self, signal: Signal) -> None:
        """An asend() coroutine that is closed at its first wait is recorded as cancelled."""
        receiver = self.cleaned
        signal.connect(receiver)

        async def main() -> None:
            sending = signal.asend(None)
            sending.send(None)
            await asyncio.sleep(0)  # what Django started has begun
            sending.close()
            # What Django started goes on or is cancelled as without us.
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
                await asyncio.wait([task])

        with capture() as dispatches:
            asyncio.run(main())
        assert dispatches[0].outcome is Outcome.CANCELLED


class TestContext:
    VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")

    def seen_after(self, signal: Signal) -> list[str]:
        """What two receivers that set a variable around an await see, and the sender after."""
        variable, seen = self.VARIABLE, []

        def setting(value: str) -> Callable[..., Any]:
            async def receiver(**kwargs: Any) -> None:
                variable.set(value)
                await asyncio.sleep(0)
                seen.append(variable.get())

            return receiver

        async def main() -> None:
            await signal.asend(None)
            seen.append(variable.get())

        receivers = [setting("a"), setting("b")]
        for receiver in receivers:
            signal.connect(receiver)
        contextvars.copy_context().run(asyncio.run, main())
        return seen

    @pytest.mark.parametrize("recording", [False, True])
    def test_the_users_variables_travel_as_in_django(
        self, recording: bool, signal: Signal
    ) -> None:
        """What receivers see of each other's variables, and the sender of theirs, is Django's."""
        with listening(*[Live()] * recording):
            found = self.seen_after(signal)
        uninstall()
        try:
            bare = self.seen_after(Signal())
        finally:
            install()
        assert found == bare
        assert bare == (["b", "b", "b"] if SHARES_CONTEXT else ["a", "b", "unset"])

    @pytest.mark.parametrize("method", ASYNC)
    def test_nothing_of_ours_reaches_the_sender(self, method: SendMethod, signal: Signal) -> None:
        """After an asend() the current scope is the very one that was before."""

        async def receiver(**kwargs: Any) -> None:
            await asyncio.sleep(0)

        def sync(**kwargs: Any) -> None: ...

        async def main() -> bool:
            with capture():
                before = current.get()
                await getattr(signal, method)(None)
                return current.get() is before

        signal.connect(receiver)
        signal.connect(sync)
        assert asyncio.run(main())

    def test_nothing_of_ours_is_left_by_a_cancellation(self, signal: Signal) -> None:
        """After an asend() that was cancelled the current scope is the one from before."""

        async def receiver(**kwargs: Any) -> None:
            let_an_hour_pass()
            await asyncio.sleep(30)

        async def main() -> bool:
            with capture():
                before = current.get()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(HALF_AN_HOUR):
                        await signal.asend(None)
                return current.get() is before

        signal.connect(receiver)
        assert asyncio.run(main())

    def test_nothing_of_ours_is_left_by_closing(self, signal: Signal) -> None:
        """After asend().close() the current scope is the one from before."""

        async def receiver(**kwargs: Any) -> None:
            await asyncio.sleep(30)

        async def main() -> bool:
            with capture():
                before = current.get()
                sending = signal.asend(None)
                sending.send(None)
                suspended = current.get() is before
                await asyncio.sleep(0)
                sending.close()
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
                    await asyncio.wait([task])
                return suspended and current.get() is before

        signal.connect(receiver)
        assert asyncio.run(main())

    def test_a_receiver_sees_its_own_call_after_each_wait(self, signal: Signal) -> None:
        """Interleaved receivers each find their own call as the running one, all the time."""
        seen: dict[int, set[int | None]] = {0: set(), 1: set(), 2: set()}

        def receiver(number: int) -> Callable[..., Any]:
            async def looks(**kwargs: Any) -> None:
                for _ in range(3):
                    seen[number].add(running_call()[1])
                    await asyncio.sleep(0)

            return looks

        receivers = [receiver(number) for number in seen]
        for each in receivers:
            signal.connect(each)
        with capture():
            asyncio.run(signal.asend(None))
        assert seen == {0: {0}, 1: {1}, 2: {2}}

    def test_capture_inside_a_receiver_lasts_across_waits(self, signal: Signal) -> None:
        """A capture() that an async receiver opens sees its own sends, not its sibling's."""
        mine, other = Signal(), Signal()
        found: list[str] = []

        async def captures(**kwargs: Any) -> None:
            with capture() as dispatches:
                await asyncio.sleep(0)
                await mine.asend("mine")
                await asyncio.sleep(0)
            await mine.asend("after")
            found.extend(each.sender for each in dispatches)

        async def disturbs(**kwargs: Any) -> None:
            for _ in range(5):
                other.send("other")
                await asyncio.sleep(0)

        signal.connect(captures)
        signal.connect(disturbs)
        with listening(Live()):
            asyncio.run(signal.asend(None))
        assert found == ["'mine'"]


class TestLiveSinks:
    def test_each_stretch_of_an_async_receiver_is_told(self, signal: Signal) -> None:
        """A live sink hears of each suspension and resumption, and of the end with the record."""

        async def receiver(**kwargs: Any) -> None:
            await asyncio.sleep(0)

        sink = Live()
        signal.connect(receiver)
        with listening(sink):
            asyncio.run(signal.asend(None))
        assert [what[:1] + what[2:] for what in sink.heard[1:-1]] == [
            ("entered",),
            ("left", None),
            ("entered",),
            ("left", "returned"),
        ]

    @drops_its_own
    def test_a_failure_before_the_first_await_is_told(self, signal: Signal) -> None:
        """A live sink hears of an async receiver that could not take its arguments."""

        async def narrow(signal: object, sender: object) -> None: ...

        sink = Live()
        signal.connect(narrow)
        with listening(sink), pytest.raises(TypeError):
            asyncio.run(signal.asend(None, unexpected=1))
        assert sink.heard[1:-1] == [("entered", 0), ("left", 0, "raised")]

    def test_the_record_of_an_ended_receiver_is_complete(self, signal: Signal) -> None:
        """The call that a live sink is given at the end has its self time."""
        inner = Signal()
        calls: list[ReceiverCall] = []

        class Reads(Observer):
            def left(self, index: int | None, ended: bool) -> None:
                if ended and index is not None:
                    call = self.dispatch.calls[index]
                    calls.append(call)
                    selves.append(call.self_ns)

        def slow(**kwargs: Any) -> None:
            time.sleep(0.01)

        def sends_on(**kwargs: Any) -> None:
            inner.send(None)

        selves: list[int] = []
        inner.connect(slow)
        signal.connect(sends_on)
        with listening(ObservedBy(Reads)):
            asyncio.run(signal.asend(None))
        assert selves[1] <= calls[1].duration_ns - 10_000_000

    def test_a_context_variable_of_a_sink_stays_with_its_receiver(self, signal: Signal) -> None:
        """A sink that sets a variable at enter and resets it at leave never leaks it."""
        span: contextvars.ContextVar[int | None] = contextvars.ContextVar("span", default=None)
        seen: list[tuple[int, int | None]] = []
        outside: list[int | None] = []

        class Spans(Observer):
            def __init__(self) -> None:
                self.tokens: dict[int | None, Any] = {}

            def entered(self, index: int | None) -> None:
                self.tokens[index] = span.set(index)

            def left(self, index: int | None, ended: bool) -> None:
                span.reset(self.tokens.pop(index))

        def receiver(number: int) -> Callable[..., Any]:
            async def looks(**kwargs: Any) -> None:
                for _ in range(3):
                    seen.append((number, span.get()))
                    await asyncio.sleep(0)

            return looks

        async def main() -> None:
            await signal.asend(None)
            outside.append(span.get())

        receivers = [receiver(number) for number in range(3)]
        for each in receivers:
            signal.connect(each)
        with listening(ObservedBy(Spans)):
            asyncio.run(main())
        assert len(seen) == 9
        assert all(number == found for number, found in seen)
        assert outside == [None]


def send(signal: Signal, method: SendMethod, **named: Any) -> Any:
    sending = getattr(signal, method)(None, **named)
    return asyncio.run(sending) if method.is_async else sending


def test_an_abandoned_coroutine_warns_as_in_django(signal: Signal) -> None:
    """A receiver's coroutine that is made and never awaited warns under its own name."""

    async def never_awaited(**kwargs: Any) -> None: ...

    async def narrow(signal: object, sender: object) -> None: ...

    signal.connect(never_awaited)
    signal.connect(narrow)

    def warned() -> list[str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(TypeError):
                asyncio.run(signal.asend(None, unexpected=1))
            gc.collect()
        return [str(warning.message) for warning in caught if warning.category is RuntimeWarning]

    bare = warned()
    with capture():
        recorded = warned()
    assert recorded == bare
    assert "never_awaited" in bare[0]
