"""``inject_failure`` and ``delay``: receivers that fail or are slow while a test runs."""

from __future__ import annotations

import asyncio
import time
from threading import RLock
from types import TracebackType
from typing import Any, Self

from django.dispatch import Signal

from signal_inspector import muting
from signal_inspector.muting import MutedReceivers
from signal_inspector.testing import installation, stand_ins
from signal_inspector.testing.contexts import TestContext
from signal_inspector.testing.mutes import check_receivers, check_was_connected
from signal_inspector.testing.wanted import Receiver, SignalOrName, find_signal, find_target

__unittest = True  # unittest leaves our frames out of the traceback of a failure


class Fault(TestContext[Any]):
    """Something that goes wrong with a receiver while the context is entered. See below."""

    covers_set_up = covers_classes = True

    def __init__(self, receiver: Receiver | str, signal: SignalOrName | None) -> None:
        self._who = f"{type(self).__name__}()"
        if not isinstance(receiver, str):
            check_receivers((receiver,), self._who)
        self._receiver = receiver if isinstance(receiver, str) else muting.held(receiver)
        self._signal = signal
        self._wanted = MutedReceivers(())
        #: How many calls of the receiver it has met since it was last entered.
        self.calls = 0
        self._lock = RLock()

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        name = self._receiver
        found = find_target(name) if isinstance(name, str) else name()
        receivers = () if found is None else (found,)  # it may have died
        check_receivers(receivers, self._who)
        limited = () if self._signal is None else (find_signal(self._signal),)
        self._wanted = MutedReceivers(receivers, limited)
        self.calls = 0
        installation.acquire()  # first: its wrapper has to lie below that of the stand-ins
        stand_ins.acquire()
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
        stand_ins.release()
        installation.release()
        if exc is None and not self.is_of_class:
            check_was_connected(self._wanted.idle(), self._who)

    def live(self, signal: Signal, receivers: list[Any], *, is_async: bool) -> list[Any]:
        """As ``muting.Change`` has it."""
        kind = stand_ins.AsyncStandIn if is_async else stand_ins.StandIn
        return [
            kind(each, self) if self._wanted.silences(signal, each) else each for each in receivers
        ]

    def count(self) -> int:
        """Count one more call; which one it is, from 1 on."""
        with self._lock:
            self.calls += 1
            return self.calls

    def call(self, receiver: Any, named: dict[str, Any]) -> Any:
        """What a sync receiver does in place of running."""
        raise NotImplementedError

    async def acall(self, receiver: Any, named: dict[str, Any]) -> Any:
        """The same of an async one."""
        raise NotImplementedError


class inject_failure(Fault):  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Have a receiver raise: ``with inject_failure(award_points, TimeoutError("slow")): ...``

    ``exception`` is an exception, or a class of exceptions to call without arguments. The
    receiver does not run, or, with ``after=True``, runs first. With ``times`` only the first so
    many calls fail. Gives an object whose ``calls`` counts the calls it has met. It holds for all
    threads and tasks of the process, and decorates too; ``signal`` limits it to one signal.
    Either may be given by its dotted name. ValueError for a name that nothing has, and at the end
    for a receiver that was connected to no signal.
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
            raise TypeError("inject_failure() takes an exception, or a class of exceptions.")
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
        return self._exception.with_traceback(None)  # not that of the call before


class delay(Fault):  # noqa: N801
    """Have a receiver be slow by some seconds: ``with delay(sync_warehouse, 0.2): ...``

    The time is spent before it runs. An async receiver awaits ``asyncio.sleep``, a sync one holds
    its thread by ``time.sleep``. ``times``, ``signal`` and what it gives are as of
    ``inject_failure``.
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
            raise ValueError("delay() cannot make a receiver quicker.")
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
    """Whether ``inject_failure`` raised it, as its traceback tells."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_next is None:
            return traceback.tb_frame.f_code in _RAISING
        traceback = traceback.tb_next
    return False


_RAISING = (inject_failure.call.__code__, inject_failure.acall.__code__)
