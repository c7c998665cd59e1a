"""An event loop in which everything happens in the same order in every run."""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

from asgiref.sync import SyncToAsync

SPAWNED: Final = "spawned"  # the name of tasks that receivers start


def has_loop() -> bool:
    """Whether an event loop runs in this thread."""
    return asyncio._get_running_loop() is not None


def in_spawned_task() -> bool:
    """Whether the running task is one that a receiver has started."""
    task = asyncio.current_task() if has_loop() else None
    return task is not None and task.get_name() == SPAWNED


class _NumberedTask(asyncio.Task[Any]):
    """Hashed by its number: ``TaskGroup`` and ``asyncio.run`` cancel in the order of a set."""

    def __init__(self, coroutine: Any, *, loop: WorldLoop, **options: Any) -> None:
        self.number = next(loop.numbers)
        super().__init__(coroutine, loop=loop, **options)

    def __hash__(self) -> int:
        return self.number


class WorldLoop(asyncio.SelectorEventLoop):
    """Runs what is meant for a thread in its own thread, unless told to use real ones."""

    def __init__(self, threads: int | None) -> None:
        super().__init__()
        self._threads = threads
        self.numbers = itertools.count(1)
        self.set_task_factory(
            lambda loop, coroutine, **options: _NumberedTask(coroutine, loop=loop, **options)
        )

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        if self._threads is None:
            return super().run_in_executor(executor, func, *args)
        future = self.create_future()
        self._after(self._threads, lambda: _run_outside(func, args, future))
        return future

    def _after(self, ticks: int, then: Callable[[], None]) -> None:
        if ticks:
            self.call_soon(self._after, ticks - 1, then)
        else:
            then()


def flush_thread() -> None:
    """Let the thread of ``sync_to_async`` let go of its last piece of work."""
    SyncToAsync.single_thread_executor.submit(int).result()


_batch = threading.local()


def in_batch() -> bool:
    """Whether a loop's own thread runs what is meant for another.

    A sync send to async receivers must not be tried there: it would wait for that very loop.
    """
    return getattr(_batch, "depth", 0) > 0


def _run_outside(func: Callable[..., Any], args: Any, future: asyncio.Future[Any]) -> None:
    """Run as if in another thread: no loop runs there."""
    if future.done():
        return
    loop = asyncio.get_running_loop()
    here = dict(SyncToAsync.threadlocal.__dict__)
    asyncio._set_running_loop(None)
    _batch.depth = getattr(_batch, "depth", 0) + 1
    try:
        result = func(*args)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
    finally:
        _batch.depth -= 1
        asyncio._set_running_loop(loop)
        SyncToAsync.threadlocal.__dict__.clear()
        SyncToAsync.threadlocal.__dict__.update(here)


@contextmanager
def world_loops(threads: int | None) -> Iterator[None]:
    """Every event loop made in here, also by ``async_to_sync``, is a ``WorldLoop``."""
    with mock.patch("asyncio.events.new_event_loop", functools.partial(WorldLoop, threads)):
        yield
