"""``inject_failure`` and ``delay``: receivers that fail or are slow while a test runs.

A stand-in is called instead of the receiver and appears under the receiver's name. A new one is
made for each dispatch, and it is replaced by the receiver in the responses that the sender gets.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Iterator
from functools import wraps
from threading import RLock
from types import TracebackType
from typing import Any, Protocol, Self

from django.dispatch import Signal

from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import muting
from signal_inspector.core.wrapper.muting import MutedReceivers
from signal_inspector.testing import contexts
from signal_inspector.testing.captures import Receiver, SignalOrName, find_signal, find_target
from signal_inspector.testing.contexts import TestContext
from signal_inspector.testing.mutes import check_receivers, check_was_connected

_lock = process_state.lock()
_users = 0
_originals: dict[tuple[type[Signal], str], Callable[..., Any]] = {}
_ours: dict[tuple[type[Signal], str], Callable[..., Any]] = {}

__unittest = True  # unittest leaves our frames out of the traceback of a failure


class Calling(Protocol):
    """Decides how a receiver is called."""

    def call(self, receiver: Any, named: dict[str, Any]) -> Any: ...

    def acall(self, receiver: Any, named: dict[str, Any]) -> Any: ...


class StandIn:
    """Is called instead of a receiver, and looks like it: it has the receiver's attributes."""

    def __init__(self, receiver: Any, fault: Calling) -> None:
        self.__wrapped__ = receiver
        self.__fault = fault
        module = getattr(receiver, "__module__", None)
        if module is not None:
            self.__module__ = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __call__(self, **named: Any) -> Any:
        return self.__fault.call(self.__wrapped__, named)


class AsyncStandIn(StandIn):
    """The stand-in for an async receiver."""

    def __call__(self, **named: Any) -> Any:
        return self._StandIn__fault.acall(self.__wrapped__, named)


_KINDS = (StandIn, AsyncStandIn)


def real(receiver: Any) -> Any:
    """The receiver that was connected: the one behind a stand-in, or ``receiver`` itself."""
    while type(receiver) in _KINDS:
        receiver = receiver.__wrapped__
    return receiver


def acquire() -> None:
    """Make sends return receivers, not stand-ins, in their responses until ``release``."""
    global _users
    with _lock:
        _users += 1
        for place in _places():
            if place not in _ours:
                kind, method = place
                _originals[place] = original = kind.__dict__[method]
                _ours[place] = _answering(original)
                setattr(kind, method, _ours[place])


def release() -> None:
    """Undo ``acquire``; the last release restores the send methods."""
    global _users
    with _lock:
        _users -= 1
        if _users:
            return
        for place, ours in list(_ours.items()):
            kind, method = place
            if kind.__dict__.get(method) is ours:  # otherwise patched again on top: leave it
                setattr(kind, method, _originals.pop(place))
                del _ours[place]


def _places() -> Iterator[tuple[type[Signal], str]]:
    """The send methods of Signal and of its subclasses, where they are defined."""
    waiting = [Signal]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        for method in SendMethod:
            if inspect.isfunction(kind.__dict__.get(method)):
                yield kind, method.value


def _answering(original: Callable[..., Any]) -> Callable[..., Any]:
    """A send method that returns receivers where ``original`` returns stand-ins for them."""
    if inspect.iscoroutinefunction(original):

        @wraps(original)
        async def answering(self: Any, *args: Any, **kwargs: Any) -> Any:
            return _with_receivers(await original(self, *args, **kwargs))

    else:

        @wraps(original)
        def answering(self: Any, *args: Any, **kwargs: Any) -> Any:
            answer = original(self, *args, **kwargs)
            # An asend() that is not a coroutine function may still return a coroutine.
            return _awaited(answer) if inspect.iscoroutine(answer) else _with_receivers(answer)

    return answering


async def _awaited(answer: Any) -> Any:
    return _with_receivers(await answer)


def _with_receivers(responses: Any) -> Any:
    if isinstance(responses, list):
        for index, pair in enumerate(responses):
            if isinstance(pair, tuple) and len(pair) == 2 and type(pair[0]) in _KINDS:
                responses[index] = (real(pair[0]), pair[1])
    return responses


class Fault(TestContext[Any]):
    """Base of the contexts in which something goes wrong with a receiver. See below."""

    covers_set_up = covers_classes = True

    def __init__(self, receiver: Receiver | str, signal: SignalOrName | None) -> None:
        self._who = f"{type(self).__name__}()"
        if not isinstance(receiver, str):
            check_receivers((receiver,), self._who)
        self._receiver = receiver if isinstance(receiver, str) else muting.held(receiver)
        self._signal = signal
        self._wanted = MutedReceivers(())
        #: How many calls of the receiver there have been since the context was last entered.
        self.calls = 0
        self._lock = RLock()

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        name = self._receiver
        found = find_target(name) if isinstance(name, str) else name()
        receivers = () if found is None else (found,)  # it may have been garbage collected
        check_receivers(receivers, self._who)
        limited = () if self._signal is None else (find_signal(self._signal),)
        self._wanted = MutedReceivers(receivers, limited)
        self.calls = 0
        contexts.acquire_wrapper()  # first: the wrapper must be installed below acquire()'s
        acquire()
        muting.add(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        muting.remove(self)
        release()
        contexts.release_wrapper()
        if exc is None and not self.is_of_class:
            check_was_connected(self._wanted.idle(), self._who)

    def live(self, signal: Signal, receivers: list[Any], *, is_async: bool) -> list[Any]:
        """Replace the receiver by a stand-in. See ``muting.Change``."""
        kind = AsyncStandIn if is_async else StandIn
        return [
            kind(each, self) if self._wanted.silences(signal, each) else each for each in receivers
        ]

    def count(self) -> int:
        """Count one more call, and return its number, from 1 on."""
        with self._lock:
            self.calls += 1
            return self.calls

    def call(self, receiver: Any, named: dict[str, Any]) -> Any:
        """What happens instead of a call of a sync receiver."""
        raise NotImplementedError

    async def acall(self, receiver: Any, named: dict[str, Any]) -> Any:
        """What happens instead of a call of an async receiver."""
        raise NotImplementedError


class inject_failure(Fault):  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Make a receiver raise: ``with inject_failure(award_points, TimeoutError("slow")): ...``

    ``exception`` is an exception, or a class of exceptions to call without arguments. The
    receiver does not run or, with ``after=True``, runs first. With ``times``, only the first
    ``times`` calls fail. Gives an object whose attribute ``calls`` counts the receiver's calls.
    Applies to all threads and tasks of the process, and also works as a decorator. ``signal``
    limits the failure to one signal. Receiver and signal may be given by their dotted names.
    Raises ValueError for an unknown name, and on exit if the receiver is connected to no signal.
    """

    def __init__(
        self,
        receiver: Receiver | str,
        exception: BaseException | type[BaseException],
        *,
        times: int | None = None,
        after: bool = False,
        signal: SignalOrName | None = None,
    ) -> None:
        super().__init__(receiver, signal)
        is_class = isinstance(exception, type) and issubclass(exception, BaseException)
        if not is_class and not isinstance(exception, BaseException):
            raise TypeError("inject_failure() takes an exception or an exception class.")
        self._exception = exception
        self._times = times
        self._after = after

    def call(self, receiver: Any, named: dict[str, Any]) -> Any:
        fails = self._fails()
        response = receiver(**named) if self._after or not fails else None
        if fails:
            raise self._made()
        return response

    async def acall(self, receiver: Any, named: dict[str, Any]) -> Any:
        fails = self._fails()
        response = await receiver(**named) if self._after or not fails else None
        if fails:
            raise self._made()
        return response

    def _fails(self) -> bool:
        number = self.count()
        return self._times is None or number <= self._times

    def _made(self) -> BaseException:
        if isinstance(self._exception, type):
            return self._exception()
        return self._exception.with_traceback(None)  # without the traceback of an earlier call


class delay(Fault):  # noqa: N801
    """Slow a receiver down by some seconds: ``with delay(sync_warehouse, 0.2): ...``

    The delay comes before the receiver runs. For an async receiver it is ``asyncio.sleep``; for a
    sync one it is ``time.sleep``, which blocks the thread. ``times``, ``signal`` and what the
    context gives are as for ``inject_failure``.
    """

    def __init__(
        self,
        receiver: Receiver | str,
        seconds: float,
        *,
        times: int | None = None,
        signal: SignalOrName | None = None,
    ) -> None:
        super().__init__(receiver, signal)
        if seconds < 0:
            raise ValueError("delay() cannot make a receiver faster: seconds must be at least 0.")
        self._seconds = seconds
        self._times = times

    def call(self, receiver: Any, named: dict[str, Any]) -> Any:
        if self._is_slow():
            time.sleep(self._seconds)
        return receiver(**named)

    async def acall(self, receiver: Any, named: dict[str, Any]) -> Any:
        if self._is_slow():
            await asyncio.sleep(self._seconds)
        return await receiver(**named)

    def _is_slow(self) -> bool:
        number = self.count()
        return self._times is None or number <= self._times


def was_injected(error: BaseException) -> bool:
    """Whether ``inject_failure`` raised this exception, going by its traceback."""
    traceback = internal_errors.traceback_of(error)
    while traceback is not None:
        if traceback.tb_next is None:
            return traceback.tb_frame.f_code in _RAISING
        traceback = traceback.tb_next
    return False


_RAISING = (inject_failure.call.__code__, inject_failure.acall.__code__)
