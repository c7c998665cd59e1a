"""Calls observers about a dispatch and its receivers (see ``sinks.Observer``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, TypeGuard, TypeVar, final

from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.listening.captures import Hearers, ObjectObserver
from signal_inspector.core.listening.context import (
    SILENCE,
    ReceiverContext,
    RecordingContext,
    current,
    set_current,
)
from signal_inspector.core.listening.sinks import Observer, Sink, sink_kind
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.ids import perf_counter_ns
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.values import SendMethod
from signal_inspector.names import class_path

Observers: TypeAlias = tuple[Observer, ...]
Told = TypeVar("Told", bound=Sink | Observer)

NO_OBSERVERS: Final[Observers] = ()

#: A receiver, what it returned, and what it raised.
Seen: TypeAlias = tuple[Any, Any, BaseException | None]

_OBJECTS: Final = "keeping what a test captures"


@final
class Passing:
    """A dispatch without a record; its observers only keep something set while it runs."""

    __slots__ = ("_observers",)
    passes: Literal[True] = True

    def __init__(self, observers: Observers) -> None:
        self._observers = observers
        held = None
        for observer in observers:
            try:
                observer.entered(None)
            except BaseException as error:
                held = _hold(observer, "entered", error, held)
        if held is not None:
            self.leave()
            internal_errors.resume(held)

    def leave(self) -> None:
        """Tell the observers that the send has ended, by returning or raising."""
        left(self._observers, None, True)


def ask(  # noqa: C901 - in one piece, as each dispatch that is observed comes by here
    hearers: Hearers,
    signal: str,
    sender: str,
    method: SendMethod,
    receivers: Sequence[Any],
    others: Sequence[Any] | None,
) -> Observers | Passing | None:
    """Ask the sinks who observes a dispatch; the arguments are those of ``recorder.begin``.

    Returns None if nobody observes it and nobody else hears of it, and ``Passing`` if it has
    observers but nobody needs a record.
    """
    count = None if others is None else len(receivers) + len(others)
    found = NO_OBSERVERS
    held = None
    is_choosy = hearers.is_choosy
    token = set_current[SILENCE]
    try:
        for sink in hearers.with_observers:
            try:
                if not is_choosy and sink.is_idle():  # if choosy, it was asked before
                    continue
                observer: Any = sink.observer_for(signal, sender, method, count)
            except BaseException as error:
                held = _hold(sink, "observer_for", error, held)
            else:
                if observer is None:
                    continue
                if issubclass(type(observer), Observer):  # nothing of the answer itself is asked
                    found = (*found, observer) if found else (observer,)
                else:
                    _no_observer(sink, observer)
        if held is not None:
            finished(found, held)
            internal_errors.resume(held)
        if not is_choosy:
            return found
        if not found:
            return None
        if others is None or others:
            return found
        for observer in found:
            if observer.needs_record:
                return found
        return Passing(found) if receivers else None
    finally:
        current.reset(token)


def _no_observer(sink: Sink, answer: object) -> None:
    kind = f"{sink_kind(sink)}.observer_for"
    answered = class_path(type(answer))
    internal_errors.tell(kind, f"{kind} returned {answered}, which is not an Observer.")


def ask_captures(
    hearers: Hearers,
    signal: Signal,
    sender: Any,
    named: Mapping[str, Any],
    receivers: Sequence[Any],
) -> Observers:
    """Ask the object captures who observes a dispatch."""
    found = NO_OBSERVERS
    held = None
    token = set_current[SILENCE]
    try:
        for object_capture in hearers.object_captures:
            try:
                observer = object_capture.observer_for(signal, sender, named, receivers)
            except BaseException as error:
                held = internal_errors.hold(_OBJECTS, error, held)
            else:
                if observer is not None:
                    found = (*found, observer)
        if held is not None:
            finished(found, held)
            internal_errors.resume(held)
    finally:
        current.reset(token)
    return found


# The functions below call every observer, even if another one raises. A failure is reported, and
# what observers send is not recorded. An interruption (``internal_errors.interruption``) is
# raised when all of them have been called. Functions that run often have their own loop, which
# saves a call for each receiver.


def _tell(told: Iterable[Told], what: str, call: Callable[[Told], None]) -> None:
    held = None
    token = set_current[SILENCE]
    try:
        for each in told:
            try:
                call(each)
            except BaseException as error:
                held = _hold(each, what, error, held)
    finally:
        current.reset(token)
    if held is not None:
        internal_errors.resume(held)


def entered(told: Observers, index: int | None) -> None:
    """Tell observers that the code of a receiver, or of the send, is about to run or resume."""
    held = None
    token = set_current[SILENCE]
    try:
        for observer in told:
            try:
                observer.entered(index)
            except BaseException as error:
                held = _hold(observer, "entered", error, held)
    finally:
        current.reset(token)
    if held is not None:
        internal_errors.resume(held)


def left(told: Observers, index: int | None, ended: bool) -> None:
    """Tell observers, last one first, that this code has suspended or ended."""
    held = None
    token = set_current[SILENCE]
    try:
        for observer in told[::-1]:
            try:
                observer.left(index, ended)
            except BaseException as error:
                held = _hold(observer, "left", error, held)
    finally:
        current.reset(token)
    if held is not None:
        internal_errors.resume(held)


def raised(told: Observers, index: int, error: BaseException) -> None:
    """Tell observers what a receiver has raised."""
    _tell(told, "raised", lambda observer: observer.raised(index, error))


def finished(told: Observers, error: BaseException | None) -> None:
    """Tell observers of the end of a dispatch that never began, or that is withdrawn."""
    _tell(told, "finished", lambda observer: observer.finished(error))


def called(told: Observers, receivers: Sequence[Any]) -> None:
    """Tell object observers which receivers Django calls."""
    _tell(_objects(told), "called", lambda observer: observer.called(receivers))


def returned(told: Observers, index: int, response: Any) -> None:
    """Tell object observers what a receiver has returned."""
    _returned(_objects(told), index, response)


def _returned(told: Sequence[ObjectObserver], index: int, response: Any) -> None:
    _tell(told, "returned", lambda observer: observer.returned(index, response))


def withdrawn(told: Observers) -> None:
    """Tell object observers that there was no dispatch."""
    _tell(_objects(told), "withdrawn", lambda observer: observer.withdrawn())


def _objects(told: Observers) -> tuple[ObjectObserver, ...]:
    return tuple([observer for observer in told if _is_object_observer(observer)])


def _is_object_observer(who: Sink | Observer) -> TypeGuard[ObjectObserver]:
    return issubclass(type(who), ObjectObserver)  # isinstance() would ask for `__class__` too


def responses(dispatch: RunningDispatch, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Tell what the receivers of our own loop returned; ``raised`` has told what they raised."""
    failed = dispatch.raised or {}
    objects = _objects(dispatch.observers)
    for index, (_, response) in enumerate(pairs):
        if index not in failed:
            _returned(objects, index, response)


def from_outside(dispatch: RunningDispatch, seen: Sequence[Seen]) -> None:
    """Tell of the receiver calls that were inferred from what an override returned or raised."""
    objects = _objects(dispatch.observers)
    called(objects, [receiver for receiver, _, _ in seen])
    for index, (_, response, error) in enumerate(seen):
        if error is None:
            _returned(objects, index, response)
        else:
            raised(objects, index, error)


def dispatch_started(told: Sequence[Sink], dispatch: Dispatch) -> None:
    """Tell sinks, in the same way, that a dispatch is about to start."""
    _tell(told, "dispatch_started", lambda sink: sink.dispatch_started(dispatch))


def dispatch_finished(told: Sequence[Sink], dispatch: Dispatch) -> None:
    """Tell sinks, in the same way, that a dispatch has ended."""
    held = None
    token = set_current[SILENCE]
    try:
        for sink in told:
            try:
                sink.dispatch_finished(dispatch)
            except BaseException as error:
                held = _hold(sink, "dispatch_finished", error, held)
    finally:
        current.reset(token)
    if held is not None:
        internal_errors.resume(held)


def of(dispatch: Dispatch) -> Observers:
    """The observers of a dispatch that has not ended."""
    return dispatch.observers if isinstance(dispatch, RunningDispatch) else NO_OBSERVERS


def start(dispatch: RunningDispatch) -> None:
    """Tell the observers of a dispatch that does not run in our own loop that it starts."""
    here = current.get()
    if dispatch.observers and (here is None or here.dispatch is not dispatch):
        _tell(dispatch.observers, "started", lambda observer: observer.started(dispatch))


def run(dispatch: RunningDispatch) -> list[int] | Exact | Stepping:
    """Tell the observers that our own loop is about to run; return what takes its marks."""
    observers = dispatch.observers
    if not observers:
        is_exact = dispatch.hearers.is_exact and len(dispatch.receivers) > 1
        return Exact(dispatch) if is_exact else dispatch.marks
    dispatch.raised = dispatch._calls = None  # quicker to read than an attribute that is not set
    here = current.get()
    # An override of Signal's method that calls ours has told observers of start and send already.
    in_override = here is not None and here.dispatch is dispatch
    dispatch.whole_told = not in_override
    held = None
    try:
        stepping = (
            (observers if observers[0].by_receiver else NO_OBSERVERS)
            if len(observers) == 1  # nearly always
            else tuple([each for each in observers if each.by_receiver])
        )
    except BaseException as error:  # each is asked again, by itself, so that the others are told
        stepping, held = _stepping(observers, internal_errors.interruption(error))
    token = set_current[SILENCE]
    try:
        if not in_override:
            for observer in observers:
                held = _started(observer, dispatch, held)
        if dispatch.receivers:
            for observer in stepping:
                try:
                    observer.entered(0)
                except BaseException as error:
                    held = _hold(observer, "entered", error, held)
    finally:
        current.reset(token)
    if held is not None:
        internal_errors.resume(held)
    dispatch.marks[0] = start_ns = perf_counter_ns()
    if not in_override:
        dispatch.start_ns = start_ns
    if not stepping:
        return Exact(dispatch) if dispatch.hearers.is_exact else dispatch.marks
    if len(stepping) == 1 and type(stepping[0]).stepped is not Observer.stepped:
        return SteppingAlone(dispatch, stepping)
    return Stepping(dispatch, stepping)


def _started(
    observer: Observer, dispatch: Dispatch, held: BaseException | None
) -> BaseException | None:
    try:
        observer.started(dispatch)
    except BaseException as error:
        held = _hold(observer, "started", error, held)
    try:
        observer.entered(None)
    except BaseException as error:
        held = _hold(observer, "entered", error, held)
    return held


class Exact:
    """Takes the marks of a dispatch, and gives each receiver its own context.

    What a receiver starts in a thread or a task keeps that context.
    """

    __slots__ = ("_count", "_dispatch", "_here", "_marks")

    def __init__(self, dispatch: RunningDispatch) -> None:
        self._dispatch = dispatch
        self._marks = dispatch.marks
        self._count = len(dispatch.receivers)
        self._here: RunningDispatch | RecordingContext = (
            dispatch  # the context of the first receiver
        )

    def append(self, end_ns: int) -> None:
        """Mark the end of a receiver, and set the context of the next."""
        marks = self._marks
        index = len(marks)
        if index < self._count:
            self.step(index)
        marks.append(end_ns)

    def step(self, index: int) -> None:
        """Set the context of this receiver."""
        if current.get() is self._here:  # else the receiver before left a capture() open
            self._here = here = ReceiverContext(self._dispatch, index)
            current.set(here)


class Stepping:
    """Takes the marks of a dispatch, and tells observers of the receivers between them."""

    __slots__ = ("_ends", "_exact", "_last", "_marks", "_observers")

    def __init__(self, dispatch: RunningDispatch, observers: Observers) -> None:
        self._observers = observers
        self._marks = dispatch.marks
        self._last = len(dispatch.receivers) - 1
        self._ends: dict[int, int] = {}
        dispatch.ends = self._ends
        self._exact = Exact(dispatch) if dispatch.hearers.is_exact else None

    def append(self, end_ns: int) -> None:
        """Mark the end of a receiver, and tell observers of it and of the next one.

        The time that the observers take belongs to no receiver.
        """
        marks = self._marks
        index = len(marks) - 1
        marks.append(end_ns)
        self._ends.setdefault(index, end_ns)
        token = set_current[SILENCE]
        try:
            self._tell(index, index == self._last)
        finally:
            current.reset(token)
        if index != self._last:
            if self._exact is not None:
                self._exact.step(index + 1)
            marks[-1] = perf_counter_ns()

    def _tell(self, index: int, is_last: bool) -> None:
        held = None
        for observer in self._observers[::-1]:
            try:
                observer.left(index, True)
            except BaseException as error:
                held = _hold(observer, "left", error, held)
        if not is_last:
            for observer in self._observers:
                try:
                    observer.entered(index + 1)
                except BaseException as error:
                    held = _hold(observer, "entered", error, held)
        if held is not None:
            internal_errors.resume(held)


class SteppingAlone(Stepping):
    """The same for a single observer that overrides ``stepped``, which takes both in one call."""

    __slots__ = ("_stepped",)

    def __init__(self, dispatch: RunningDispatch, observers: Observers) -> None:
        # Does not call super(), because this is made for nearly every dispatch that is observed.
        self._observers = observers
        self._stepped = observers[0].stepped
        self._marks = dispatch.marks
        self._last = len(dispatch.receivers) - 1
        dispatch.ends = self._ends = {}
        self._exact = Exact(dispatch) if dispatch.hearers.is_exact else None

    def append(self, end_ns: int) -> None:
        marks = self._marks
        index = len(marks) - 1
        marks.append(end_ns)
        if index not in self._ends:  # if it is, the time was taken before Django logged a failure
            self._ends[index] = end_ns
        token = set_current[SILENCE]
        try:
            self._stepped(index, index == self._last)
        except Exception as error:
            internal_errors.resume(_hold(self._observers[0], "stepped", error, None))
        finally:
            current.reset(token)
        if index != self._last:
            if self._exact is not None:
                self._exact.step(index + 1)
            marks[-1] = perf_counter_ns()


def failed(dispatch: RunningDispatch, index: int) -> None:
    """Tell observers that the running receiver ended our own loop with an exception."""
    if index < len(dispatch.receivers):
        stepping, held = _stepping(dispatch.observers)
        left(stepping, index, True)
        internal_errors.resume(held)


def _stepping(
    told: Observers, held: BaseException | None = None
) -> tuple[Observers, BaseException | None]:
    """The observers that want to be called for each receiver.

    Asking can fail, because ``by_receiver`` may be a property.
    """
    found = []
    for observer in told:
        try:
            if observer.by_receiver:
                found.append(observer)
        except BaseException as error:
            held = _hold(observer, "by_receiver", error, held)
    return tuple(found), held


def end(dispatch: RunningDispatch, error: BaseException | None) -> None:
    """Tell the observers of the end; the dispatch no longer keeps them afterwards."""
    observers, dispatch.observers = dispatch.observers, NO_OBSERVERS
    held = None
    token = set_current[SILENCE]
    try:
        for observer in observers[::-1]:
            try:
                if dispatch.whole_told:
                    observer.left(None, True)
            except BaseException as failure:
                held = _hold(observer, "left", failure, held)
            try:
                observer.finished(error)
            except BaseException as failure:
                held = _hold(observer, "finished", failure, held)
    finally:
        current.reset(token)
    if held is not None:
        internal_errors.resume(held)


def _hold(
    who: Sink | Observer, what: str, error: BaseException, held: BaseException | None
) -> BaseException | None:
    if _is_object_observer(who):
        return internal_errors.hold(_OBJECTS, error, held)
    return internal_errors.hold(f"{sink_kind(who)}.{what}", error, held)
