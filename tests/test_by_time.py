"""What other threads and tasks do while a dispatch runs: by time, or exactly for who asks for all.

Our own loop knows the receiver that runs by the time. Code that a receiver has started elsewhere
may run while another receiver does; then time alone says nothing of who has started it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal

from signal_inspector import Details, Dispatch, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.sinks import Sink
from tests.listening import Quiet, listening

parent, child = Signal(), Signal()


@pytest.fixture(autouse=True)
def _nothing_failed() -> Iterator[None]:
    yield
    assert internal_errors.counts() == {}
    for signal in (parent, child):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


class Everything(Sink):
    """A sink that asks for all there is."""

    details = Details.ALL

    def __init__(self) -> None:
        self.ended: list[Dispatch] = []

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        self.ended.append(dispatch)


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    """Work in a thread that has a copy of this context."""
    thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
    thread.start()
    return thread


def start_and_wait(work: Callable[[], Any]) -> None:
    """Connect a receiver that starts a thread, and one that runs while that works."""
    begins = threading.Event()
    threads = []

    def waiting() -> None:
        begins.wait(60)
        work()

    def starts(**kwargs: Any) -> None:
        threads.append(in_thread(waiting))

    def waits(**kwargs: Any) -> None:
        begins.set()
        threads[0].join(60)

    kept.extend([starts, waits])
    parent.connect(starts)
    parent.connect(waits)


kept: list[Any] = []  # receivers, which nothing else would hold


def query() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    # SQLite in memory keeps its own open, and from Python 3.13 on one that is dropped warns.
    BaseDatabaseWrapper.close(connections["default"])


class TestByTime:
    def test_what_another_thread_sends_is_marked(self) -> None:
        """The receiver is the one that runs meanwhile, and the record says how that is known."""
        start_and_wait(lambda: child.send(None))
        with capture(details=Details.NONE) as dispatches:
            parent.send(None)
        sent, sent_on = dispatches
        assert (sent_on.parent_id, sent_on.parent_call, sent_on.by_time) == (sent.id, 1, True)
        assert sent_on.as_dict()["by_time"] is True
        assert sent.by_time is False

    def test_it_takes_nothing_of_a_receivers_own_time(self) -> None:
        """The time of a dispatch that another receiver may have sent is not taken from this."""
        child.connect(lambda **kwargs: None, weak=False)
        start_and_wait(lambda: child.send(None))
        with capture(details=Details.NONE) as dispatches:
            parent.send(None)
        assert [call.self_ns for call in dispatches[0].calls] == [
            call.duration_ns for call in dispatches[0].calls
        ]

    def test_a_send_of_the_same_thread_is_exact(self) -> None:
        """What a receiver sends itself is known to be its own, and is taken from its time."""

        def sends(**kwargs: Any) -> None:
            child.send(None)

        def does_nothing(**kwargs: Any) -> None: ...

        parent.connect(does_nothing)
        parent.connect(sends)
        child.connect(does_nothing)
        with capture(details=Details.NONE) as dispatches:
            parent.send(None)
        sent, sent_on = dispatches
        assert (sent_on.parent_call, sent_on.by_time) == (1, False)
        assert sent.calls[1].self_ns < sent.calls[1].duration_ns

    def test_a_capture_that_is_opened_there_knows_no_more(self) -> None:
        """A capture() in the other thread has the same to go by."""
        found: list[Dispatch] = []

        def captures() -> None:
            with capture(details=Details.NONE) as dispatches:
                child.send(None)
            found.extend(dispatches)

        start_and_wait(captures)
        with capture(details=Details.NONE):
            parent.send(None)
        assert [each.by_time for each in found] == [True]

    def test_a_task_that_runs_after_the_send_is_marked(self) -> None:
        """A task that a receiver started runs when no receiver does: which it was is not known."""
        tasks = []

        async def work() -> None:
            child.send(None)

        def starts(**kwargs: Any) -> None:
            tasks.append(asyncio.ensure_future(work()))

        def does_nothing(**kwargs: Any) -> None: ...

        async def main() -> None:
            parent.send(None)
            await tasks[0]

        parent.connect(starts)
        parent.connect(does_nothing)
        with capture(details=Details.NONE) as dispatches:
            asyncio.run(main())
        sent, sent_on = dispatches
        assert (sent_on.parent_id, sent_on.parent_call, sent_on.by_time) == (sent.id, None, True)

    def test_a_task_that_runs_in_another_receiver_is_marked(self) -> None:
        """One receiver makes a task, another one runs the loop: in one and the same thread."""
        loop = asyncio.new_event_loop()
        tasks = []

        async def work() -> None:
            child.send(None)

        def starts(**kwargs: Any) -> None:
            tasks.append(loop.create_task(work()))

        def runs(**kwargs: Any) -> None:
            loop.run_until_complete(tasks[0])

        parent.connect(starts)
        parent.connect(runs)
        with capture(details=Details.NONE) as dispatches:
            parent.send(None)
        loop.close()
        assert (dispatches[1].parent_call, dispatches[1].by_time) == (1, True)

    def test_a_send_in_a_running_loop_is_exact(self) -> None:
        """A coroutine that sends runs its receivers itself; its own loop makes no difference."""

        def sends(**kwargs: Any) -> None:
            child.send(None)

        async def main() -> None:
            parent.send(None)

        parent.connect(sends)
        with capture(details=Details.NONE) as dispatches:
            asyncio.run(main())
        assert (dispatches[1].parent_call, dispatches[1].by_time) == (0, False)

    @pytest.mark.django_db(transaction=True)
    def test_queries_of_another_thread_are_told_apart(self) -> None:
        """They count for the receiver that runs meanwhile, and are known to be by time."""
        start_and_wait(query)
        with capture(details=Details.NONE) as dispatches:
            parent.send(None)
        calls = dispatches[0].calls
        assert [(call.query_count, call.queries_by_time) for call in calls] == [(0, 0), (1, 1)]


class TestExactly:
    """Where somebody asks for everything."""

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("heard", [False, True])
    def test_what_another_thread_does_is_its_starters(self, heard: bool) -> None:
        """Dispatches and queries belong to the receiver that has started the thread."""

        def work() -> None:
            child.send(None)
            query()

        start_and_wait(work)
        with listening(*[Quiet()] * heard), capture() as dispatches:
            parent.send(None)
        sent, sent_on = dispatches
        assert (sent_on.parent_call, sent_on.by_time) == (0, False)
        counted = [(call.query_count, call.queries_by_time) for call in sent.calls]
        assert counted == [(1, 0), (0, 0)]

    def test_a_sink_that_asks_for_everything_has_it_too(self) -> None:
        """So it is for a sink of the process."""
        sink = Everything()
        start_and_wait(lambda: child.send(None))
        with listening(sink):
            parent.send(None)
        assert [(each.parent_call, each.by_time) for each in sink.ended] == [
            (0, False),
            (None, False),
        ]

    def test_a_task_that_runs_after_the_send(self) -> None:
        """The receiver that started it is known then too."""
        tasks = []

        async def work() -> None:
            child.send(None)

        def does_nothing(**kwargs: Any) -> None: ...

        def starts(**kwargs: Any) -> None:
            tasks.append(asyncio.ensure_future(work()))

        async def main() -> None:
            parent.send(None)
            await tasks[0]

        parent.connect(does_nothing)
        parent.connect(starts)
        parent.connect(lambda **kwargs: None, weak=False)
        with capture() as dispatches:
            asyncio.run(main())
        assert (dispatches[1].parent_call, dispatches[1].by_time) == (1, False)

    @pytest.mark.parametrize("details", [Details.NONE, Details.ALL])
    def test_async_sends_are_exact_either_way(self, details: Details) -> None:
        """Under asend() each receiver has a scope of its own, whoever listens."""
        start_and_wait(lambda: child.send(None))
        with capture(details=details) as dispatches:
            async_to_sync(parent.asend)(None)
        assert (dispatches[1].parent_call, dispatches[1].by_time) == (0, False)

    def test_a_capture_that_a_receiver_leaves_open_stays_open(self) -> None:
        """The scope of the next receiver does not close it."""
        opened = []

        def opens(**kwargs: Any) -> None:
            opened.append(capture())
            opened.append(opened[0].__enter__())

        def sends(**kwargs: Any) -> None:
            child.send(None)
            opened[0].__exit__(None, None, None)

        parent.connect(opens)
        parent.connect(sends)
        with capture():
            parent.send(None)
        assert len(opened[1]) == 1
