"""The async path through a dispatch: Django's own method calls receivers that are watched.

It is used for async receivers, for async sends, and on an unknown version of Django. The signal
is not changed: Django's method runs on a stand-in, which hands out the watched receivers for this
one dispatch and behaves like the signal in every other respect.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextvars import Token
from typing import Any, Protocol

from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.listening import observers
from signal_inspector.core.listening.context import RecordingContext, current, set_current
from signal_inspector.core.record import details, recorder
from signal_inspector.core.record.ids import perf_counter_ns
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.values import Outcome, ReceiverCall
from signal_inspector.names import receiver_name

Current = Token[RecordingContext | RunningDispatch | None]


class Stepped(Protocol):
    """An object that is called around each step of a coroutine, and at its end."""

    def enter(self) -> Current: ...

    def leave(self) -> None: ...

    def end(self, error: BaseException | None, response: object) -> None: ...


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Driven(Coroutine[Any, Any, Any]):
    """A coroutine that enters before each step of another and leaves at each suspension.

    Django 6.1 runs its async receivers in one shared ``contextvars.Context``. If a variable
    stayed set while one of them is suspended, the others would see it, and afterwards the sender;
    so none of ours stays set. This is not a generator, because a generator that is cancelled
    before its first step would drop the user's coroutine unawaited, with a warning that Django
    alone would not cause.
    """

    __slots__ = ("__weakref__", "_awaitable", "_stepped", "_steps")

    def __init__(self, awaitable: Awaitable[Any], stepped: Stepped) -> None:
        self._awaitable = awaitable
        self._stepped = stepped
        self._steps: Coroutine[Any, Any, Any] | None = None

    def __await__(self) -> Driven:
        return self

    def __iter__(self) -> Driven:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, value: Any) -> Any:
        return self._step(self._coroutine().send, value)

    def throw(self, *exception: Any) -> Any:
        try:
            return self._step(self._coroutine().throw, *exception)
        finally:
            # The exception's traceback has this frame. With the exception among its locals, the
            # awaiting frame and all its locals would live until the next garbage collection.
            del exception

    def close(self) -> None:
        if self._steps is None:
            self._coroutine().close()
        elif inspect.getcoroutinestate(self._steps) != inspect.CORO_CLOSED:
            super().close()

    def __getattr__(self, name: str) -> Any:
        """The user's coroutine's attributes: asyncio shows a task's names and frames from them."""
        return getattr(self._awaitable, name)

    def _coroutine(self) -> Coroutine[Any, Any, Any]:
        if self._steps is None:
            awaitable = self._awaitable
            self._steps = awaitable if inspect.iscoroutine(awaitable) else _awaited(awaitable)
        return self._steps

    def _step(self, step: Callable[..., Any], *args: Any) -> Any:
        stepped = self._stepped
        try:
            token = stepped.enter()
        except BaseException:
            self._coroutine().close()
            raise
        try:
            return step(*args)
        except StopIteration as stop:
            stepped.end(None, stop.value)
            raise
        except BaseException as error:
            stepped.end(error, None)
            raise
        finally:
            del args  # as in throw()
            try:
                self._leave()
            finally:
                current.reset(token)

    def _leave(self) -> None:
        try:
            self._stepped.leave()
        except BaseException:
            self._coroutine().close()
            raise


class Watched:
    """A receiver in one dispatch: calls the receiver as Django would, and records the call."""

    __slots__ = (
        "_dispatch",
        "_here",
        "_index",
        "_observers",
        "_start_ns",
        "call",
        "receiver",
        "signal",
    )

    def __init__(
        self,
        receiver: Any,
        signal: Signal,
        dispatch: RunningDispatch,
        index: int,
        *,
        is_async: bool,
    ) -> None:
        name = receiver_name(receiver)
        self.receiver = receiver
        self.signal = signal
        self.call = ReceiverCall(
            receiver=name.name,
            path=name.path,
            line=name.line,
            is_async=is_async,
            outcome=Outcome.SKIPPED,
        )
        self._dispatch = dispatch
        self._observers = dispatch.observers  # kept for a receiver that outlives the dispatch
        self._index = index
        self._start_ns = 0
        #: What the receiver's code finds in `current`; the code may open its own capture() there.
        self._here: RecordingContext | RunningDispatch | None = RecordingContext(
            dispatch.captures, dispatch, index
        )

    def enter(self) -> Current:
        token = set_current[self._here]
        try:
            if self.call.outcome is Outcome.SKIPPED:
                self.start(perf_counter_ns())
            self.tell_entered()
        except BaseException as error:
            self._interrupted(error)
            try:
                self.leave()
            finally:
                current.reset(token)
            raise
        return token

    def _interrupted(self, error: BaseException) -> None:
        """End the receiver call with an interruption of our code; a robust sender gets it too."""
        if self._dispatch.held is None:
            self._dispatch.held = error
        if self.call.outcome is Outcome.RUNNING:
            self.end(error, None)

    def tell_entered(self) -> None:
        if self._observers:
            observers.entered(self._observers, self._index)

    def tell_left(self, ended: bool) -> None:
        if self._observers:
            observers.left(self._observers, self._index, ended)

    def start(self, start_ns: int) -> None:
        """Note when the receiver's code began to run."""
        self._start_ns = start_ns
        self.call.offset_ns = start_ns - self._dispatch.start_ns
        self.call.outcome = Outcome.RUNNING

    def leave(self) -> None:
        """Do what is needed before the caller resets ``current``."""
        ended = self.call.outcome is not Outcome.RUNNING
        try:
            self._here = current.get()
            self.tell_left(ended)
        except BaseException as error:
            self._interrupted(error)
            raise

    def end(self, error: BaseException | None, response: object) -> None:
        """Complete the record of this call."""
        if self._start_ns:
            self.call.duration_ns = perf_counter_ns() - self._start_ns
        self.call.outcome = recorder.outcome_of(error)
        held = None
        try:
            self._dispatch.settle(self._index, self.call)  # before observers are called
            hearers = self._dispatch.hearers
            if error is not None:
                self.call.failure = details.class_of(error)  # in case the next call is interrupted
                self.call.failure = details.failure(self._dispatch, error)
            else:
                if hearers.object_captures:
                    observers.returned(self._observers, self._index, response)
                if hearers.wants_responses:
                    self.call.response = details.response(response)
        except BaseException as failure:
            held = internal_errors.hold("recording a response", failure)
        if error is not None and self._observers:
            try:
                observers.raised(self._observers, self._index, error)
            except BaseException as failure:
                held = internal_errors.hold("recording a response", failure, held)
        if held is not None:
            if self._dispatch.held is None:
                self._dispatch.held = held
            internal_errors.resume(held)

    def is_blamed(self, error: BaseException) -> bool:
        """Whether the receiver has raised this; otherwise it interrupted our code around it."""
        if self._dispatch.held is None and internal_errors.met_our_code(error):
            self._dispatch.held = error
        return self._dispatch.held is None

    def call_receiver(self, named: dict[str, Any]) -> Any:
        """Call the receiver with the real signal instead of the stand-in."""
        if self._dispatch.held is not None:
            raise self._dispatch.held
        named["signal"] = self.signal
        return self.receiver(**named)


class WatchedSync(Watched):
    """A sync receiver, called in place or, by ``asend``, in a thread."""

    __slots__ = ()

    def __call__(self, **named: Any) -> Any:
        token = self.enter()
        try:
            response = self.call_receiver(named)
        except BaseException as error:
            self.end(error, None)
            raise
        else:
            self.end(None, response)
            return response
        finally:
            try:
                self.leave()
            finally:
                current.reset(token)


class WatchedAsync(Watched):
    """An async receiver: calling it gives an awaitable that Django gathers with the others."""

    __slots__ = ()

    def __call__(self, **named: Any) -> Any:
        called_ns = perf_counter_ns()
        awaitable = self._make_awaitable(named, called_ns)
        if asyncio.isfuture(awaitable):
            self._follow(awaitable, called_ns)
            return awaitable
        if inspect.isawaitable(awaitable):
            return Driven(awaitable, self)
        # A value that cannot be awaited is returned as it is, and causes Django's own error.
        self._ended_at_once(called_ns, None, awaitable)
        return awaitable

    def _make_awaitable(self, named: dict[str, Any], called_ns: int) -> Any:
        token = set_current[self._here]
        try:
            return self.call_receiver(named)
        except BaseException as error:  # the receiver failed before there was anything to await
            self._ended_at_once(called_ns, error, None)
            raise
        finally:
            current.reset(token)

    def _ended_at_once(
        self, called_ns: int, error: BaseException | None, response: object
    ) -> None:
        self.start(called_ns)
        try:
            self.tell_entered()
            self.end(error, response)
        finally:
            self.tell_left(True)

    def _follow(self, future: asyncio.Future[Any], called_ns: int) -> None:
        """Record a future by its callback; ``Driven`` would make Django create another task.

        ``asyncio.gather`` takes a future as it is, and cancels it when it is cancelled itself.
        """
        if future.done():
            self._settled(future, called_ns)
        else:
            self.start(called_ns)
            token = self.enter()
            try:
                self.leave()
            finally:
                current.reset(token)
            future.add_done_callback(self._settled)

    def _settled(self, future: asyncio.Future[Any], called_ns: int | None = None) -> None:
        # The public exception() would mark the exception as retrieved.
        error = asyncio.CancelledError() if future.cancelled() else future._exception
        response = None if error is not None else future.result()
        if called_ns is not None:
            self.start(called_ns)
        token = self.enter()
        try:
            self.end(error, response)
            self.leave()
        finally:
            current.reset(token)


class Passed:
    """A receiver of an unrecorded dispatch, called with the real signal instead of a stand-in."""

    __slots__ = ("receiver", "signal")

    def __init__(self, receiver: Any, signal: Signal) -> None:
        self.receiver = receiver
        self.signal = signal

    def __call__(self, **named: Any) -> Any:
        named["signal"] = self.signal
        return self.receiver(**named)


class _NotAsked:
    """Stands for a cache of receivers by sender, but does not even hash the sender."""

    def get(self, _sender: object, default: Any = None) -> Any:
        return default


class AskedSignal:
    """Stands for a signal whose live receivers are known already, while Django's method runs.

    A tool that patched the method between us and Django gets it too, and may use it as the signal.
    """

    __slots__ = ("_async_receivers", "_signal", "_sync_receivers")
    _signal: Signal
    _sync_receivers: list[Any]
    _async_receivers: list[Any]

    #: Not empty: whether to leave early was decided before the stand-in was made.
    receivers = (None,)
    sender_receivers_cache = _NotAsked()

    def __init__(
        self, signal: Signal, sync_receivers: list[Any], async_receivers: list[Any]
    ) -> None:
        keep = functools.partial(object.__setattr__, self)
        keep("_signal", signal)
        keep("_sync_receivers", sync_receivers)
        keep("_async_receivers", async_receivers)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signal, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._signal, name, value)

    def __eq__(self, other: object) -> bool:
        return self._signal == other

    def __hash__(self) -> int:
        return hash(self._signal)

    @property  # type: ignore[misc]
    def __class__(self) -> type[Any]:
        return type(self._signal)

    def _live_receivers(self, _sender: object) -> tuple[list[Any], list[Any]]:
        return self._sync_receivers, self._async_receivers

    def _log_robust_failure(self, receiver: Any, error: Exception) -> None:
        self._signal._log_robust_failure(  # type: ignore[attr-defined]
            receiver.receiver, error
        )


class StandIn(AskedSignal):
    """The same for a recorded dispatch: it hands out watched receivers."""

    __slots__ = ()

    def __init__(
        self,
        signal: Signal,
        dispatch: RunningDispatch,
        sync_receivers: Iterable[Any],
        async_receivers: Iterable[Any],
    ) -> None:
        watched: list[Watched] = []
        for receiver in sync_receivers:
            watched.append(WatchedSync(receiver, signal, dispatch, len(watched), is_async=False))
        sync_count = len(watched)
        for receiver in async_receivers:
            watched.append(WatchedAsync(receiver, signal, dispatch, len(watched), is_async=True))
        super().__init__(signal, watched[:sync_count], watched[sync_count:])
        dispatch.expect([receiver.call for receiver in watched])
        if dispatch.observers:
            dispatch.receivers = [receiver_name(each.receiver) for each in watched]
            observers.start(dispatch)
            if dispatch.hearers.object_captures:
                observers.called(dispatch.observers, [each.receiver for each in watched])

    def _log_robust_failure(self, receiver: Watched, error: Exception) -> None:
        if not receiver.is_blamed(error):
            return  # the interruption is raised when Django's method has returned
        try:
            # As on the fast path, the observers' variables for this receiver are set while Django
            # logs its failure.
            receiver.tell_entered()
            self._signal._log_robust_failure(  # type: ignore[attr-defined]
                receiver.receiver, error
            )
        finally:
            receiver.tell_left(False)


def unwrap(responses: Any) -> Any:
    """Replace the watched receivers among Django's responses with the user's receivers.

    Responses of another shape come from a patch between us and Django, and are left alone.
    """
    if issubclass(type(responses), list):  # isinstance() would evaluate a lazy object
        for index, pair in enumerate(responses):
            if (
                issubclass(type(pair), tuple)
                and len(pair) == 2
                and issubclass(type(pair[0]), Watched | Passed)
            ):
                responses[index] = (pair[0].receiver, pair[1])
    return responses
