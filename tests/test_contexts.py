"""Who listens where: capture(), suppress() and the sinks of the process."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import async_to_sync, sync_to_async
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector import Details, Dispatch, Sink, capture, suppress
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import captures, context, sinks
from signal_inspector.core.listening.captures import NOBODY, Capture, Dispatches
from signal_inspector.core.listening.context import (
    close_capture,
    current,
    open_capture,
    running_call,
)
from signal_inspector.core.listening.sinks import Observer, Sinks, hearing
from signal_inspector.core.record.running import RunningDispatch
from tests.listening import Live, ObservedBy, Quiet, listening

order_placed = Signal()
NAME = "tests.test_contexts.order_placed"


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    """No listener, no scope and no receiver is left behind, and nothing of ours failed."""
    before, had = current.get(), list(hearing)
    yield
    order_placed.receivers = []
    assert current.get() is before
    assert hearing == had
    assert internal_errors.counts() == {}


def place(sender: object = None) -> None:
    order_placed.send(sender)


async def aplace(sender: object = None) -> None:
    await order_placed.asend(sender)


def senders(dispatches: list[Dispatch]) -> list[str]:
    return [dispatch.sender.strip("'") for dispatch in dispatches]


class TestCapture:
    def test_gives_what_is_sent_inside(self) -> None:
        """A capture() holds the dispatches sent between its start and its end."""
        place("before")
        with capture() as dispatches:
            place("inside")
        place("after")
        assert senders(dispatches) == ["inside"]

    def test_fills_as_dispatches_start(self) -> None:
        """The list grows while the block runs."""
        with capture() as dispatches:
            place()
            assert len(dispatches) == 1
            place()
            assert len(dispatches) == 2

    def test_is_a_list(self) -> None:
        """What capture() gives can be indexed, sliced and compared like a list."""
        with capture() as dispatches:
            place("one")
            place("two")
        assert isinstance(dispatches, list)
        assert (dispatches[-1].sender, dispatches.dropped) == ("'two'", 0)

    def test_nests(self) -> None:
        """An inner capture() sees its part, the outer one all of it, in the same records."""
        with capture() as outer:
            place("one")
            with capture() as inner:
                place("two")
            place("three")
        assert (senders(outer), senders(inner)) == (["one", "two", "three"], ["two"])
        assert outer[1] is inner[0]

    def test_ends_with_an_exception(self) -> None:
        """A block that raises ends its capture(), and the exception goes on."""
        with pytest.raises(ValueError, match="mine"), capture() as dispatches:
            raise ValueError("mine")
        place()
        assert dispatches == []

    def test_may_be_used_again(self) -> None:
        """One capture() object, used twice, goes on with its list."""
        again = capture()
        with again as first:
            place("one")
        with again as second:
            place("two")
        assert first is second
        assert senders(second) == ["one", "two"]

    def test_inside_itself_records_once(self) -> None:
        """One capture() object opened inside itself records nothing twice, to the outer end."""
        again, before = capture(), current.get()
        with again as dispatches:
            inside = current.get()
            with again:
                place("one")
            assert current.get() is inside
            place("two")
        place("three")
        assert senders(dispatches) == ["one", "two"]
        assert current.get() is before

    def test_its_limit_counts_all_of_its_uses(self) -> None:
        """A capture() that is used again has the room that is left."""
        again = capture(limit=2)
        for _ in range(3):
            with again as dispatches:
                place()
        assert (len(dispatches), dispatches.dropped) == (2, 1)

    @override_settings(SIGNAL_INSPECTOR={"LIMITS": {"DISPATCHES": 1}})
    def test_its_own_limit_beats_the_setting(self) -> None:
        """capture(limit=...) keeps that many, whatever the settings say."""
        with capture(limit=3) as dispatches:
            for _ in range(3):
                place()
        assert len(dispatches) == 3

    def test_without_a_listener_nothing_is_made(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """While nobody listens, no record is opened."""
        monkeypatch.setattr("signal_inspector.core.record.recorder.begin", None)
        place()
        assert asyncio.run(order_placed.asend(None)) == []

    def test_a_capture_elsewhere_makes_no_record_here(self) -> None:
        """A capture() in one thread makes nothing of what another thread sends."""
        made: list[Any] = []

        class Counts(RunningDispatch):
            __slots__ = ()

            def __init__(self) -> None:
                made.append(self)

        with pytest.MonkeyPatch.context() as patches, capture() as dispatches:
            patches.setattr("signal_inspector.core.record.recorder.RunningDispatch", Counts)
            thread = threading.Thread(target=place)
            thread.start()
            thread.join()
            assert (len(made), len(dispatches)) == (0, 0)
            place()
        assert (len(made), len(dispatches)) == (1, 1)


class TestOrder:
    def test_closing_out_of_order_is_harmless(self) -> None:
        """Two captures closed in the order they were opened each hold their own time."""
        outer, inner = capture(), capture()
        one = outer.__enter__()
        place("outer_alone")
        two = inner.__enter__()
        place("both")
        outer.__exit__(None, None, None)
        place("inner_alone")
        inner.__exit__(None, None, None)
        place("none")
        assert senders(one) == ["outer_alone", "both"]
        assert senders(two) == ["both", "inner_alone"]

    def test_three_closed_in_any_order(self) -> None:
        """A capture closed in the middle leaves those around it as they are."""
        captures = [capture() for _ in range(3)]
        lists = [each.__enter__() for each in captures]
        for number in (1, 2, 0):
            place()
            captures[number].__exit__(None, None, None)
        assert [len(each) for each in lists] == [3, 1, 2]

    def test_closing_twice_is_harmless(self) -> None:
        """A second close of one capture changes nothing."""
        opened = Capture()
        open_capture(opened)
        close_capture(opened)
        with capture() as dispatches:
            close_capture(opened)
            place()
        assert len(dispatches) == 1

    def test_closing_what_was_never_opened_is_harmless(self) -> None:
        """Closing a capture that is not open leaves the current capture alone."""
        with capture() as dispatches:
            close_capture(Capture())
            place()
        assert len(dispatches) == 1

    def test_suppress_closed_after_its_capture(self) -> None:
        """A suppress() that outlives the capture() around it ends without a trace in others."""
        outer, inner = capture(), suppress()
        dispatches = outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        inner.__exit__(None, None, None)
        place("closed")
        assert dispatches == []
        with capture() as others:
            place("open")
        assert senders(others) == ["open"]
        assert current.get() is None


class TestContexts:
    def test_opened_in_one_context_and_closed_in_another(self) -> None:
        """A capture may be closed in another context; the first one records no more."""
        opened = Capture()
        here, there = contextvars.copy_context(), contextvars.copy_context()
        here.run(open_capture, opened)
        here.run(place, "open")
        there.run(close_capture, opened)
        here.run(place, "closed")
        assert senders(opened.dispatches) == ["open"]

    def test_closing_elsewhere_leaves_no_chain(self) -> None:
        """A context whose captures are all closed elsewhere does not remember them."""
        here, there = contextvars.copy_context(), contextvars.copy_context()
        for _ in range(5):
            opened = Capture()
            here.run(open_capture, opened)
            there.run(close_capture, opened)
        scope = here.run(current.get)
        assert isinstance(scope, context.CaptureContext)
        assert (scope.outer, scope.captures.now().open_captures) == (None, (opened,))

    def test_a_thread_does_not_belong(self) -> None:
        """A plain thread started inside a capture() is not part of it."""
        with capture() as dispatches:
            # From Python 3.14 on, threads of some builds inherit; an empty context never does.
            thread = threading.Thread(target=contextvars.Context().run, args=(place,))
            thread.start()
            thread.join()
        assert dispatches == []

    def test_threads_are_kept_apart(self) -> None:
        """Captures in threads that send at the same time each hold their own dispatches."""
        barrier = threading.Barrier(5)

        def work(name: str) -> list[str]:
            with capture() as dispatches:
                for _ in range(20):
                    barrier.wait(30)
                    place(name)
            return senders(dispatches)

        with ThreadPoolExecutor(5) as pool:
            found = list(pool.map(work, "abcde"))
        assert found == [[name] * 20 for name in "abcde"]

    def test_tasks_belong(self) -> None:
        """Tasks started inside a capture() are part of it."""

        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(aplace("task"))
                group.create_task(aplace("another"))

        with capture() as dispatches:
            asyncio.run(main())
        assert sorted(senders(dispatches)) == ["another", "task"]

    def test_tasks_are_kept_apart(self) -> None:
        """Captures in tasks that wait at the same time each hold their own dispatches."""

        async def work(name: str) -> list[str]:
            with capture() as dispatches:
                for _ in range(5):
                    await aplace(name)
                    await asyncio.sleep(0)
            return senders(dispatches)

        async def main() -> list[list[str]]:
            return await asyncio.gather(*(work(name) for name in "abc"))

        assert asyncio.run(main()) == [[name] * 5 for name in "abc"]

    def test_sync_to_async_belongs(self) -> None:
        """What a thread of sync_to_async sends is part of the capture() around it."""

        async def main() -> list[str]:
            with capture() as dispatches:
                await sync_to_async(place)("thread")
                await sync_to_async(place, thread_sensitive=False)("pool")
            return senders(dispatches)

        assert asyncio.run(main()) == ["thread", "pool"]

    def test_async_to_sync_belongs(self) -> None:
        """What async_to_sync runs is part of the capture() around it."""
        with capture() as dispatches:
            async_to_sync(aplace)("loop")
        assert senders(dispatches) == ["loop"]

    def test_a_capture_in_sync_to_async_ends_there(self) -> None:
        """A capture() opened and closed in a thread of sync_to_async leaves the task alone."""

        def work() -> list[str]:
            with capture() as dispatches:
                place("thread")
            return senders(dispatches)

        async def main() -> tuple[list[str], bool]:
            before = current.get()
            return await sync_to_async(work)(), current.get() is before

        assert asyncio.run(main()) == (["thread"], True)

    def test_a_task_that_outlives_its_capture_is_not_recorded(self) -> None:
        """What a task sends after the capture() it was started in has ended is not kept."""

        async def later(event: asyncio.Event) -> None:
            await event.wait()
            await aplace("late")

        async def main() -> Dispatches:
            event = asyncio.Event()
            with capture() as dispatches:
                task = asyncio.create_task(later(event))
                await asyncio.sleep(0)
            event.set()
            with capture():  # keeps the process listening
                await task
            return dispatches

        found = asyncio.run(main())
        assert (found, found.dropped) == ([], 0)

    def test_an_async_generator_records_its_consumer(self) -> None:
        """A capture() in an async generator lasts, as context variables do, until it goes on."""

        async def numbers() -> AsyncIterator[Dispatches]:
            with capture() as dispatches:
                await aplace("generator")
                yield dispatches
                await aplace("generator_again")

        async def main() -> tuple[list[str], bool]:
            async for dispatches in numbers():
                await aplace("consumer")
                found = dispatches
            await aplace("after")
            return senders(found), current.get() is None

        expected = ["generator", "consumer", "generator_again"]
        assert asyncio.run(main()) == (expected, True)

    def test_an_async_generator_closed_in_another_task(self) -> None:
        """A capture() whose async generator another task closes ends, and breaks nothing."""

        async def numbers() -> AsyncIterator[Dispatches]:
            with capture() as dispatches:
                yield dispatches

        async def main() -> tuple[list[str], int]:
            generator = numbers()
            dispatches = await anext(generator)
            await aplace("open")
            await asyncio.create_task(generator.aclose())  # type: ignore[attr-defined]
            await aplace("closed")
            return senders(dispatches), len(hearing)

        assert asyncio.run(main()) == (["open"], len(hearing))

    def test_a_context_copied_inside_belongs(self) -> None:
        """A copy of the context, run in a thread, is part of the capture() it was copied in."""
        with capture() as dispatches:
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(place, "copied"))
            thread.start()
            thread.join()
        assert senders(dispatches) == ["copied"]


@pytest_asyncio.fixture
async def captured() -> AsyncIterator[Dispatches]:
    """What users write: a capture() around an async test."""
    with capture() as dispatches:
        yield dispatches


class TestAsyncFixtures:
    @pytest.mark.asyncio
    async def test_an_async_fixture_records_its_test(self, captured: Dispatches) -> None:
        """A capture() in a fixture of pytest-asyncio holds what the test sends."""
        await aplace("async")
        place("sync")
        assert senders(captured) == ["async", "sync"]

    @pytest.mark.asyncio
    async def test_the_next_test_starts_anew(self, captured: Dispatches) -> None:
        """Each test has a list of its own."""
        await aplace("only")
        assert senders(captured) == ["only"]

    @pytest.fixture
    def captured_in_sync(self) -> Iterator[Dispatches]:
        with capture() as dispatches:
            yield dispatches

    @pytest.mark.asyncio
    async def test_a_sync_fixture_records_an_async_test(
        self, captured_in_sync: Dispatches
    ) -> None:
        """A capture() in a sync fixture holds what an async test sends."""
        await aplace("async")
        assert senders(captured_in_sync) == ["async"]


class TestInsideReceivers:
    @pytest.mark.parametrize("way", [None, Quiet, Live])
    def test_a_receiver_may_capture(self, way: type[Quiet] | None) -> None:
        """A capture() in a receiver holds what the receiver sends, not the dispatch around it."""
        found: list[str] = []
        inner = Signal()

        def captures(**kwargs: Any) -> None:
            with capture() as dispatches:
                inner.send("inner")
            inner.send("after")
            found.extend(senders(dispatches))

        order_placed.connect(captures)
        with listening(*[way()] if way else []):
            place("outer")
        assert found == ["inner"]

    def test_what_a_capturing_receiver_sends_is_nested(self) -> None:
        """A dispatch inside a receiver's own capture() has the outer dispatch as its parent."""
        found: list[Dispatch] = []
        inner = Signal()

        def captures(**kwargs: Any) -> None:
            with capture() as dispatches:
                inner.send("inner")
            found.extend(dispatches)

        order_placed.connect(captures)
        with capture() as outer:
            place("outer")
        assert senders(outer) == ["outer", "inner"]
        assert (found[0].parent_id, found[0].parent_call) == (outer[0].id, 0)

    @pytest.mark.parametrize("is_async", [False, True])
    def test_a_receivers_call_is_found_again_after_its_capture(self, is_async: bool) -> None:
        """After a capture() in a receiver has ended, the receiver's own call is current again."""
        seen: list[Any] = []

        def captures(**kwargs: Any) -> None:
            with capture():
                pass
            seen.append(running_call())

        async def captures_later(**kwargs: Any) -> None:
            captures()

        order_placed.connect(captures_later if is_async else captures)
        with capture() as dispatches:
            asyncio.run(order_placed.asend(None)) if is_async else place()
        assert seen == [(dispatches[0], 0)]

    def test_a_receivers_call_is_found_again_when_its_listener_has_gone(self) -> None:
        """A capture() in a receiver ends well although the capture() around it ended before."""
        seen: list[Any] = []

        async def main() -> Dispatches:
            go_on, waits = asyncio.Event(), asyncio.Event()

            async def captures(**kwargs: Any) -> None:
                waits.set()
                await go_on.wait()
                with capture():
                    pass
                seen.append(running_call())

            order_placed.connect(captures)
            outer = capture()
            dispatches = outer.__enter__()
            task = asyncio.create_task(aplace())
            await waits.wait()
            outer.__exit__(None, None, None)
            go_on.set()
            await task
            return dispatches

        dispatches = asyncio.run(main())
        assert seen == [(dispatches[0], 0)]

    def test_a_suppressing_receiver_hides_what_it_sends(self) -> None:
        """suppress() in a receiver hides its sends, and no others."""
        inner = Signal()

        def hides(**kwargs: Any) -> None:
            with suppress():
                inner.send("hidden")
            inner.send("shown")

        order_placed.connect(hides)
        with capture() as dispatches:
            place("outer")
        assert senders(dispatches) == ["outer", "shown"]


class TestSuppress:
    def test_nothing_is_recorded(self) -> None:
        """Inside suppress() nobody hears of a dispatch, and it is not counted as dropped."""
        sink = Quiet()
        with listening(sink), capture() as dispatches, suppress():
            place()
            asyncio.run(aplace())
        assert (dispatches, dispatches.dropped, sink.heard) == ([], 0, [])

    def test_nests(self) -> None:
        """Recording starts again at the end of the outermost suppress(), not of an inner one."""
        with capture() as dispatches:
            with suppress():
                with suppress():
                    place("inner")
                place("outer")
            place("after")
        assert senders(dispatches) == ["after"]

    def test_one_that_is_entered_again(self) -> None:
        """The same suppress() nests in itself, and is over at its outermost end."""
        silence = suppress()
        with capture() as dispatches:
            with silence:
                with silence:
                    place("inner")
                place("outer")
            place("after")
        assert senders(dispatches) == ["after"]

    def test_one_that_two_threads_share(self) -> None:
        """Each thread ends what it began itself."""
        silence, entered, left = suppress(), threading.Event(), threading.Event()

        def other() -> list[str]:
            with capture() as dispatches:
                with silence:
                    entered.set()
                    assert left.wait(60)
                    place("suppressed")
                place("after")
            return senders(dispatches)

        with ThreadPoolExecutor(1) as pool, capture() as dispatches:
            with silence:
                elsewhere = pool.submit(other)
                assert entered.wait(60)
            place("here")
            left.set()
            assert elsewhere.result(60) == ["after"]
        assert senders(dispatches) == ["here"]

    def test_ends_with_an_exception(self) -> None:
        """A suppressed block that raises ends its suppress()."""
        with capture() as dispatches:
            with pytest.raises(ValueError, match="mine"), suppress():
                raise ValueError("mine")
            place("after")
        assert senders(dispatches) == ["after"]

    def test_a_capture_inside_sees_its_own(self) -> None:
        """A capture() inside suppress() records for itself and for nobody else."""
        sink = Quiet()
        with listening(sink), capture() as outer, suppress(), capture() as inner:
            place("inner")
        assert (senders(outer), senders(inner), sink.heard) == ([], ["inner"], [])

    def test_tasks_and_threads_of_asgiref_are_suppressed(self) -> None:
        """What is started inside suppress() is suppressed too."""

        async def main() -> None:
            with suppress():
                await asyncio.create_task(aplace())
                await sync_to_async(place)()

        with capture() as dispatches:
            asyncio.run(main())
        assert dispatches == []

    def test_it_suppresses_no_exception(self) -> None:
        """suppress() hides dispatches, not errors."""
        with pytest.raises(ValueError, match="mine"), suppress():
            raise ValueError("mine")

    @pytest.mark.parametrize("is_async", [False, True])
    def test_receivers_run_as_ever(self, is_async: bool) -> None:
        """Inside suppress() a send still reaches its receivers."""

        def receiver(**kwargs: Any) -> str:
            return "ran"

        order_placed.connect(receiver)
        send: Callable[[], Any] = lambda: order_placed.send(None)  # noqa: E731
        if is_async:
            send = lambda: asyncio.run(order_placed.asend(None))  # noqa: E731
        with capture(), suppress():
            assert send() == [(receiver, "ran")]


@contextmanager
def here() -> Iterator[Callable[[], None]]:
    """Sends where a capture is open."""
    with capture():
        yield place


@contextmanager
def in_a_task() -> Iterator[Callable[[], None]]:
    """Sends from a task that has opened a capture, and was begun in another one."""
    with asyncio.Runner() as runner, capture():

        async def run() -> AsyncIterator[None]:
            with capture():
                while True:
                    await aplace()
                    yield

        steps = run()
        yield lambda: runner.run(anext(steps))  # type: ignore[arg-type]
        runner.run(steps.aclose())  # type: ignore[attr-defined]


@contextmanager
def in_a_thread() -> Iterator[Callable[[], None]]:
    """Sends from a thread that has opened a capture of its own."""
    opened = Capture()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(open_capture, opened).result()
        yield lambda: pool.submit(place).result()
        pool.submit(close_capture, opened).result()


@contextmanager
def in_a_receiver() -> Iterator[Callable[[], None]]:
    """Sends from a receiver of a dispatch that began before, and is recorded."""
    outer = Signal()

    def send() -> None:
        place()

    def receive(**kwargs: object) -> None:
        running.append(contextvars.copy_context())

    running: list[contextvars.Context] = []
    outer.connect(receive)
    with capture():
        outer.send(None)
        yield lambda: running[0].copy().run(send)


PLACES = (here, in_a_task, in_a_thread, in_a_receiver)


@contextmanager
def _added() -> Iterator[list[tuple[Any, ...]]]:
    sinks.add_sink(sink := Quiet())
    try:
        yield sink.heard
    finally:
        sinks.remove_sink(sink)


@contextmanager
def _in_settings() -> Iterator[list[tuple[Any, ...]]]:
    path = "tests.listening.Quiet"
    with override_settings(SIGNAL_INSPECTOR={"SINKS": [path], "INCLUDE": ["tests.*"]}):
        [sink] = [each for each in sinks.process_sinks() if isinstance(each, Quiet)]
        yield sink.heard


class TestProcess:
    def test_sinks_hear_every_thread(self) -> None:
        """A sink hears of a dispatch in a thread that inherits no context."""
        sink = Quiet()
        with listening(sink):
            thread = threading.Thread(target=contextvars.Context().run, args=(place,))
            thread.start()
            thread.join()
        assert [what for what, _ in sink.heard] == ["started", "finished"]

    def test_sinks_hear_inside_captures(self) -> None:
        """A sink hears of each dispatch once, however many captures there are."""
        sink = Quiet()
        with listening(sink), capture(), capture():
            place()
        assert [what for what, _ in sink.heard] == ["started", "finished"]

    def test_sinks_added_inside_captures_hear_them(self) -> None:
        """A sink that comes while captures are open hears what is sent in them until it goes."""
        sink = Quiet()
        with capture(), capture() as dispatches:
            sinks.add_sink(sink)
            place()
            sinks.remove_sink(sink)
            place()
        assert sink.heard == [("started", NAME), ("finished", NAME)]
        assert len(dispatches) == 2

    @pytest.mark.parametrize("sending", PLACES, ids=lambda each: each.__name__)
    @pytest.mark.parametrize("added", [_added, _in_settings])
    def test_sinks_that_come_and_go_while_captures_are_open(
        self,
        sending: Callable[[], AbstractContextManager[Callable[[], None]]],
        added: Callable[[], AbstractContextManager[list[tuple[Any, ...]]]],
    ) -> None:
        """In this and in other threads and tasks they hear the next dispatch until they go."""
        with sending() as send:
            send()
            with added() as heard:
                send()
                assert heard == [("started", NAME), ("finished", NAME)]
            send()
        assert len(heard) == 2

    def test_sinks_of_settings_changed_inside_a_capture(self) -> None:
        """Settings that name other sinks while a capture is open hold in it too."""
        with capture(), listening(before := Quiet()):
            place()
            with listening(after := Quiet()):
                place()
            place()
        assert len(before.heard) == 4
        assert len(after.heard) == 2

    def test_a_sink_added_by_a_receiver_hears_what_it_sends(self) -> None:
        """A sink hears the next dispatch, also one that is nested in a dispatch begun before."""
        sink, other = Quiet(), Signal()

        def adds(**kwargs: object) -> None:
            sinks.add_sink(sink)
            other.send(None)

        order_placed.connect(adds)
        with listening(Quiet()):
            place()
        sinks.remove_sink(sink)
        assert len(sink.heard) == 2

    def test_sinks_added_within_suppress_hear_nothing_there(self) -> None:
        """A capture within suppress() hears its own dispatches; a sink added in it does not."""
        sink = Quiet()
        with suppress(), capture() as dispatches:
            sinks.add_sink(sink)
            place()
            sinks.remove_sink(sink)
        assert len(dispatches) == 1
        assert sink.heard == []

    def test_who_collects_everywhere_collects_in_captures_of_other_contexts(self) -> None:
        """A capture of the whole process also has what is sent where a capture was open."""
        opened = Capture(Details.NONE)
        with capture() as dispatches:
            contextvars.Context().run(context.capture_everywhere, opened)
            place()
            contextvars.Context().run(close_capture, opened)
            place()
        assert len(opened.dispatches) == 1
        assert len(dispatches) == 2

    @pytest.mark.parametrize("around", [nullcontext, lambda: capture(limit=0)])
    def test_former_sinks_are_let_go_of(self, around: Callable[[], Any]) -> None:
        """Neither an open capture nor the process keeps a sink alive that has been removed."""
        gone = weakref.ref(sink := Quiet())
        with around():
            sinks.add_sink(sink)
            place()
            sinks.remove_sink(sink)
            del sink
            gc.collect()
            assert gone() is None

    def test_new_sinks_stand_in_place_of_those_before(self) -> None:
        """use_sinks() replaces all sinks at once."""
        old, new = Quiet(), Quiet()
        with listening(old), listening(new):
            place()
        assert (len(old.heard), len(new.heard)) == (0, 2)

    def test_without_sinks_nobody_listens(self) -> None:
        """With no sink and no capture the process hears nothing."""
        before = len(hearing)
        with listening(Quiet()):
            during = len(hearing)
        assert (during, len(hearing)) == (before + 1, before)

    def test_each_open_capture_is_one_ear(self) -> None:
        """What the instrument asks when idle is non-empty while a capture() is open."""
        before = len(hearing)
        with capture(), capture():
            during = len(hearing)
        assert (during, len(hearing)) == (before + 2, before)

    @pytest.mark.parametrize(
        ("sink", "follows", "hears"),
        [
            (Sink(), False, True),
            (Quiet(), False, True),
            (Live(), True, True),
            (ObservedBy(Observer), True, False),
        ],
    )
    def test_what_a_sink_overrides_says_what_it_is_asked(
        self, sink: Sink, follows: bool, hears: bool
    ) -> None:
        """One that only sends observers is told nothing itself, and may have no record made."""
        hearers = captures.Hearers((), Sinks((sink,)))
        assert (bool(hearers.with_observers), bool(hearers.hearing)) == (follows, hears)
        assert hearers.is_choosy is not hears

    def test_who_hears_wants_what_anyone_in_it_wants(self) -> None:
        """Details of captures and sinks are joined."""

        class Reads(Sink):
            details = Details.PAYLOAD

        hearers = captures.Hearers(
            (Capture(Details.RESPONSE), Capture(Details.NONE)), Sinks((Reads(),))
        )
        assert hearers.details == Details.PAYLOAD | Details.RESPONSE
        assert (hearers.prepares, hearers.wants_responses) == (True, True)

    def test_nobody_wants_nothing(self) -> None:
        """Where nobody hears, nothing is gathered."""
        found = (NOBODY.details, NOBODY.prepares, NOBODY.wants_responses, NOBODY.hearing)
        assert found == (Details.NONE, False, False, ())


def test_a_capture_in_an_unrecorded_async_receiver_ends_well() -> None:
    """With nobody else listening, a receiver's capture() across a wait leaves nothing set."""
    inner, found = Signal(), []

    async def captures(**kwargs: Any) -> None:
        with capture() as dispatches:
            await asyncio.sleep(0)
            await inner.asend("mine")
        found.extend(senders(dispatches))

    async def main() -> object:
        await order_placed.asend(None)
        return current.get()

    order_placed.connect(captures)
    assert asyncio.run(main()) is None
    assert found == ["mine"]


def test_a_generator_that_suppresses_may_be_closed_in_a_later_capture() -> None:
    """The capture goes on, and afterwards the scope is what it was before both."""

    def silent() -> Iterator[None]:
        with suppress():
            yield

    before = current.get()
    generator = silent()
    next(generator)
    signal = Signal()
    with capture() as dispatches:
        generator.close()  # type: ignore[attr-defined]
        signal.send(None)
    assert len(dispatches) == 1
    assert current.get() is before


def test_a_capture_that_is_interrupted_as_it_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is going to close it, so it listens no longer, and may be entered later."""

    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    capturing = capture()
    with monkeypatch.context() as patched:
        patched.setattr(captures.OpenCaptures, "and_", interrupted)
        with pytest.raises(KeyboardInterrupt):
            capturing.__enter__()
    assert hearing == []
    with capturing as dispatches:
        place("later")
    assert senders(dispatches) == ["later"]
