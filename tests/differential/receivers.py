"""Receivers of every kind, each of which plays its part in a world."""

from __future__ import annotations

import asyncio
import functools
import types
import weakref
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any
from unittest import mock

from asgiref.sync import markcoroutinefunction

from tests.differential.spec import Receiver, ReceiverKind

if TYPE_CHECKING:
    from tests.differential.run import Run

MODULE = __name__


class Made:
    """A receiver of a world, which this does not keep alive.

    ``holder`` is what has to live: the receiver itself, or the object its method is bound to.
    """

    def __init__(self, holder: Any, name: str, method: str = "") -> None:
        self.ref = weakref.ref(holder)
        self.name = name  # what the record should call it
        self._method = method

    @property
    def is_alive(self) -> bool:
        return self.ref() is not None

    def bind(self, holder: Any) -> Any:
        """What is connected."""
        return getattr(holder, self._method) if self._method else holder

    def is_(self, candidate: object) -> bool:
        """Whether this is the very receiver that was connected."""
        holder = self.ref()
        if holder is None:
            return False
        if not self._method:
            return candidate is holder
        mine = self.bind(holder)
        return (
            type(candidate) is types.MethodType
            and candidate.__self__ is holder
            and candidate.__func__ is mine.__func__
        )


class _Awaitable:
    """Something with ``__await__`` that is neither a coroutine nor a Future."""

    def __init__(self, coroutine: Any) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()  # type: ignore[no-any-return]


def make(run: Run, index: int, spec: Receiver) -> tuple[Any, Made]:
    """The holder of a new receiver, and how it is known."""
    name = f"receiver_{index}"
    play = _body(run, index, spec)
    play.__qualname__ = play.__name__ = name
    match spec.kind:
        case ReceiverKind.METHOD | ReceiverKind.ASYNC_METHOD:
            holder = _class(f"Class{index}", {name: _as_method(play)})()
            return holder, Made(holder, f"{MODULE}.Class{index}.{name}", name)
        case ReceiverKind.CLASSMETHOD:
            holder = _class(f"Class{index}", {name: classmethod(_as_method(play))})
            return holder, Made(holder, f"{MODULE}.Class{index}.{name}", name)
        case ReceiverKind.INSTANCE:
            holder = _class(f"Class{index}", {"__call__": _as_method(play)})()
            return holder, Made(holder, f"{MODULE}.Class{index}")
        case ReceiverKind.PARTIAL | ReceiverKind.ASYNC_PARTIAL:
            holder = functools.partial(play, extra=index)
            return holder, Made(holder, f"{MODULE}.{name} (partial)")
        case ReceiverKind.MOCK:
            holder = mock.MagicMock(side_effect=play, name=name)
            return holder, Made(holder, f"unittest.mock.MagicMock(name={name!r})")
        case ReceiverKind.ASYNC_MOCK:
            holder = mock.AsyncMock(side_effect=play, name=name)
            return holder, Made(holder, f"unittest.mock.AsyncMock(name={name!r})")
        case ReceiverKind.LAMBDA:
            play.__qualname__ = play.__name__ = "<lambda>"
            return play, Made(play, f"{MODULE}.<lambda>")
    return play, Made(play, f"{MODULE}.{name}")


def _class(name: str, namespace: dict[str, Any]) -> Any:
    return type(name, (), {"__module__": MODULE, "__qualname__": name, **namespace})


def _as_method(play: Callable[..., Any]) -> Any:
    """The same with a first argument for the object, as sync or as async as it was."""
    if asyncio.iscoroutinefunction(play):

        async def method(self: Any, **named: Any) -> Any:
            return await play(**named)

    else:

        def method(self: Any, **named: Any) -> Any:
            return play(**named)

    method.__qualname__ = method.__name__ = play.__name__
    return method


def _body(run: Run, index: int, spec: Receiver) -> Any:
    kind = spec.kind
    if kind in (
        ReceiverKind.ASYNC_FUNCTION,
        ReceiverKind.ASYNC_METHOD,
        ReceiverKind.ASYNC_PARTIAL,
        ReceiverKind.ASYNC_MOCK,
    ):

        async def play_async(signal: Any, sender: Any, **named: Any) -> Any:
            return await run.play_async(run.enter(index, signal, sender, named))

        return play_async

    def play(signal: Any, sender: Any, **named: Any) -> Any:
        call = run.enter(index, signal, sender, named)
        match kind:
            case ReceiverKind.UNAWAITED:
                run.play(call)
                return run.play_async(call)
            case ReceiverKind.MARKED_FUTURE:
                return _future(run, call, spec)
            case ReceiverKind.MARKED_TASK:
                return asyncio.get_running_loop().create_task(run.play_async(call))
            case ReceiverKind.MARKED_AWAITABLE:
                return _Awaitable(run.play_async(call))
        return run.play(call)

    return markcoroutinefunction(play) if kind.is_async else play


def _future(run: Run, call: Any, spec: Receiver) -> asyncio.Future[Any]:
    """A future that is done at once, or after some ticks."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(ticks: int) -> None:
        if ticks:
            loop.call_soon(settle, ticks - 1)
        elif not future.done():
            try:
                future.set_result(run.play(call))
            except BaseException as error:
                future.set_exception(error)

    settle(spec.ticks)
    return future
