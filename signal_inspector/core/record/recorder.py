"""Records a dispatch: what happens when it starts, when its receivers run, and when it ends.

The instrument uses only this module. ``begin`` returns a ``RunningDispatch`` if anything listens,
otherwise None; ``finish`` completes the dispatch and passes it to the sinks. Failures in here are
reported to ``signal_inspector.core.internal_errors``, and the signal is sent regardless.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import get_ident
from typing import Any, Final, overload

from django.conf import settings
from django.dispatch import Signal

from signal_inspector.conf import get_config, is_inspected
from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.listening import observers, sinks
from signal_inspector.core.listening.captures import NO_CAPTURES, NOBODY
from signal_inspector.core.listening.context import RecordingContext, current, hearing_of
from signal_inspector.core.listening.observers import (
    NO_OBSERVERS,
    Exact,
    Observers,
    Passing,
    Stepping,
)
from signal_inspector.core.record import details
from signal_inspector.core.record.ids import next_sequence, perf_counter_ns, time_ns
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.values import Outcome, SendMethod
from signal_inspector.names import (
    IdentityMap,
    receiver_name,
    receiver_names,
    sender_name,
    signal_name,
    signal_names,
)
from signal_inspector.names.safe import class_paths

#: The name of each signal met so far; "" if it is not inspected.
_inspected: IdentityMap[str] = IdentityMap()

# Bound here, because each dispatch looks it up and this is the fastest way.
_names = _inspected.by_id
_class_paths = class_paths.by_id
_receiver_names = receiver_names.by_id

#: Remembers the answer for names that are not final too, such as those of signals that no module
#: holds; the settings are among the arguments.
_is_inspected: Final = lru_cache(maxsize=1_000)(is_inspected)


@overload
def begin(
    signal: Signal, sender: object, named: Mapping[str, Any], method: SendMethod
) -> RunningDispatch | None: ...


@overload
def begin(
    signal: Signal,
    sender: object,
    named: Mapping[str, Any],
    method: SendMethod,
    receivers: Sequence[Any],
    others: Sequence[Any],
) -> RunningDispatch | Passing | None: ...


def begin(  # noqa: C901 - in one piece, as each call more is paid by every dispatch
    signal: Signal,
    sender: object,
    named: Mapping[str, Any],
    method: SendMethod,
    receivers: Sequence[Any] = (),
    others: Sequence[Any] | None = None,
) -> RunningDispatch | Passing | None:
    """Open the record of a dispatch; return None if nothing listens to it.

    ``receivers`` and ``others`` are the sync and async receivers, if the wrapper's own loop is
    about to run. If there are no ``others``, the dispatch takes the fast path, and only then may
    the result be ``Passing``.
    """
    here = current.get()
    open_captures = NO_CAPTURES if here is None else here.captures
    hearers = open_captures.hearers
    if hearers.sinks is not sinks.process:
        hearers = open_captures.now()
    observing = NO_OBSERVERS
    dispatch = None
    try:
        if here is not None and here.offers is signal:
            return _adopt(here, receivers)
        if hearers.is_choosy and (hearers.leader or hearers).is_idle():
            return None
        name = _names.get(id(signal))
        if name is None:
            name = _decide(signal)
        if not name:
            if not hearers.object_captures:
                return None
            hearers = hearers.narrowed(signal)
            if hearers is NOBODY:
                return None
            name = signal_name(signal)
        elif hearers.for_signals is not None:
            hearers = hearers.for_signals.get(name) or hearing_of(name, hearers)
            if hearers.is_choosy and (hearers.leader or hearers).is_idle():
                return None
        path = _class_paths.get(id(sender)) or (
            sender_name(sender) if type(sender) is not str else details.text_sender(sender)
        )
        if hearers.observes:
            answer = observers.ask(hearers, name, path, method, receivers, others)
            if not isinstance(answer, tuple):
                return answer
            observing = answer
            if hearers.object_captures:
                known = () if others else receivers
                observing += observers.ask_captures(hearers, signal, sender, named, known)
        dispatch = RunningDispatch()
        dispatch.signal = name
        dispatch.sender = path
        dispatch.method = method
        dispatch.hearers = hearers
        dispatch.captures = open_captures
        dispatch.sequence = next_sequence()
        if len(receivers) == 1:  # the usual case; a comprehension takes twice the time
            [receiver] = receivers
            dispatch.receivers = (_receiver_names.get(id(receiver)) or receiver_name(receiver),)
        else:
            dispatch.receivers = [
                _receiver_names.get(id(each)) or receiver_name(each) for each in receivers
            ]
        dispatch.parent = None
        if here is not None and here.dispatch is not None:
            dispatch.caused_by(here.dispatch, here.index)
            if here.guesses:
                dispatch.by_time = True
        dispatch.thread = get_ident()
        dispatch.start_ns = start_ns = perf_counter_ns()
        dispatch.marks = [start_ns]
        opened = hearers.only
        if opened is not None and opened.room:
            opened.room -= 1
            opened.dispatches.append(dispatch)
        elif not (hearers.is_choosy or hearers.offer(dispatch) or hearers.hearing or observing):
            return None
        if hearers.prepares:
            dispatch.observers = observing
            _prepare(dispatch, signal, sender, named)
    except BaseException as error:
        _not_opened(dispatch, observing, error)
        return None
    return dispatch


def _not_opened(
    dispatch: RunningDispatch | None, observing: Observers, error: BaseException
) -> None:
    """Clean up after a dispatch whose record could not be opened.

    If an interruption was the cause, the dispatch has raised it: it is completed with that.
    """
    held = internal_errors.hold("opening a record", error)
    try:
        if held is None or getattr(dispatch, "marks", None) is None:
            observers.finished(observing, held)
        elif dispatch is not None:
            dispatch.observers = observing
            complete(dispatch, held)
    finally:
        internal_errors.resume(held)


def run(dispatch: RunningDispatch) -> list[int] | Exact | Stepping:
    """Tell the observers that the receivers are about to run; return what takes the marks."""
    try:
        return observers.run(dispatch)
    except BaseException as error:  # an interruption: neither our failure nor a receiver's
        observers.failed(dispatch, 0)
        complete(dispatch, error)
        raise


def _adopt(
    here: RecordingContext | RunningDispatch, receivers: Sequence[Any]
) -> RunningDispatch | None:
    """Take the record of this same dispatch, which an overriding send() has opened."""
    names = [receiver_name(receiver) for receiver in receivers]
    thread = get_ident()  # an override may call Signal's own method in another thread
    dispatch = here.adopt()  # a time limit that interrupts a call after this would leave it open
    if dispatch is not None:
        dispatch.receivers = names
        dispatch.thread = thread
        if dispatch.hearers.object_captures:
            observers.called(dispatch.observers, receivers)
    return dispatch


def _prepare(
    dispatch: RunningDispatch, signal: Signal, sender: object, named: Mapping[str, Any]
) -> None:
    """Do what takes time before the first receiver, and must not count as a receiver's time."""
    hearers = dispatch.hearers
    dispatch.started_ns = time_ns()
    if hearers.gathers:
        details.gather(dispatch, signal, sender, named, hearers.details)
    if hearers.beginning:
        observers.dispatch_started(hearers.beginning, dispatch)
    dispatch.restart(perf_counter_ns())


def _decide(signal: Signal) -> str:
    """The signal's name if it is inspected, otherwise ""; remembered once the name is final."""
    name = signal_name(signal)
    config = get_config()
    decided = name if _is_inspected(name, config.include, config.exclude) else ""
    if decided:
        details.prepare()
    if signal in signal_names and settings.configured:
        _inspected.set(signal, decided)
    return decided


@process_state.at_reset
def forget_decisions() -> None:
    """Forget which signals are inspected, because settings changed (``setting_changed``)."""
    _inspected.clear()


def finish(dispatch: RunningDispatch, responses: Sequence[tuple[Any, Any]]) -> None:
    """Complete a dispatch that ran the fast path and returned."""
    held = None
    hearers = dispatch.hearers
    try:
        dispatch.outcome = Outcome.RETURNED
        if dispatch.parent is not None:
            dispatch.leave_parent(dispatch.marks[-1])
        if hearers.object_captures:
            observers.responses(dispatch, responses)
        if hearers.wants_responses:
            details.responses(dispatch, responses)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure)
    try:
        if hearers.observes:
            observers.end(dispatch, None)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure, held)
    try:
        if hearers.hearing:
            observers.dispatch_finished(hearers.hearing, dispatch)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure, held)
    if held is not None:
        internal_errors.resume(held)


def stopped(
    dispatch: RunningDispatch, responses: Sequence[tuple[Any, Any]], error: BaseException
) -> None:
    """Complete a dispatch that ran the fast path and raised.

    Usually, the receiver after the last response has raised.
    """
    try:
        _stop(dispatch, responses, error)
    finally:
        if dispatch.outcome is Outcome.RUNNING:  # _stop() was interrupted too
            complete(dispatch, error)


def _stop(
    dispatch: RunningDispatch, responses: Sequence[tuple[Any, Any]], error: BaseException
) -> None:
    if dispatch.outcome is not Outcome.RUNNING:  # all receivers have returned
        if dispatch.observers:
            observers.end(dispatch, error)
        return
    end_ns = perf_counter_ns()
    index = len(responses)
    is_receivers = not _came_between(error)
    has_failed = dispatch.raised is not None and index in dispatch.raised
    if is_receivers or has_failed:
        dispatch.marks.append(end_ns)
    held = None
    try:
        if is_receivers and not has_failed:
            _failed(dispatch, index, error)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure)
    try:
        if dispatch.observers:
            observers.failed(dispatch, index)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure, held)
    try:
        if dispatch.hearers.object_captures:
            observers.responses(dispatch, responses)
        if dispatch.hearers.wants_responses:
            details.responses(dispatch, responses)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure, held)
    complete(dispatch, error, end_ns)
    internal_errors.resume(held)


def _came_between(error: BaseException) -> bool:
    """Whether our own loop raised this outside the receiver calls."""
    trace = internal_errors.traceback_of(error)  # begins with the loop
    if trace is None or trace.tb_next is None:
        return False
    return trace.tb_next.tb_frame.f_code in _BETWEEN or internal_errors.is_interrupted(trace)


def withdraw(dispatch: RunningDispatch) -> None:
    """Forget a record that turned out not to be a dispatch. No sink has been told of its end."""
    dispatch.parent = None
    for opened in dispatch.hearers.open_captures:
        kept = opened.dispatches
        for place in range(len(kept) - 1, -1, -1):
            if kept[place] is dispatch:
                del kept[place]
                opened.room += opened.is_open
                break
    told, dispatch.observers = dispatch.observers, NO_OBSERVERS
    if told:
        try:
            observers.withdrawn(told)
        finally:
            observers.finished(told, None)


def swallowed(dispatch: RunningDispatch, index: int, error: Exception) -> None:
    """Note what a receiver raised under a robust send, before Django logs it."""
    if dispatch.ends is None:
        dispatch.ends = {}
    dispatch.ends[index] = perf_counter_ns()
    _failed(dispatch, index, error)


_BETWEEN: Final = (
    observers.Exact.append.__code__,
    observers.Stepping.append.__code__,
    observers.SteppingAlone.append.__code__,
    swallowed.__code__,
)


def complete(
    dispatch: RunningDispatch, error: BaseException | None, end_ns: int | None = None
) -> None:
    """Note how and when a dispatch ended (now, by default); tell its parent and its sinks."""
    held = None
    hearers = dispatch.hearers
    try:
        if end_ns is None:
            end_ns = perf_counter_ns()
        dispatch.duration_ns = end_ns - dispatch.start_ns
        dispatch.outcome = outcome_of(error)
        if dispatch.parent is not None:
            dispatch.leave_parent(end_ns)
        if hearers.observes:
            observers.end(dispatch, error)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure)
        dispatch.outcome = outcome_of(error)
    try:
        if hearers.hearing:
            observers.dispatch_finished(hearers.hearing, dispatch)
    except BaseException as failure:
        held = internal_errors.hold("closing a record", failure, held)
    if held is not None:
        internal_errors.resume(held)


def resume(dispatch: RunningDispatch) -> None:
    """Raise an interruption that hit our code in a receiver call.

    Django may have treated it as the receiver's own exception.
    """
    held = dispatch.held
    if held is not None:
        dispatch.held = None
        internal_errors.resume(held)


def outcome_of(error: BaseException | None) -> Outcome:
    """The outcome of something that ended with this exception, or with None."""
    if error is None:
        return Outcome.RETURNED
    # Not isinstance(), which may ask the exception for its ``__class__``.
    cancelled = issubclass(type(error), asyncio.CancelledError | GeneratorExit)
    return Outcome.CANCELLED if cancelled else Outcome.RAISED


def _failed(dispatch: RunningDispatch, index: int, error: BaseException) -> None:
    held = None
    try:
        dispatch.fail(index, details.failure(dispatch, error), outcome_of(error))
    except BaseException as failure:
        held = internal_errors.hold("recording an exception", failure)
        if dispatch.raised is None or index not in dispatch.raised:
            dispatch.fail(index, details.class_of(error), outcome_of(error))
    try:
        if dispatch.observers:
            observers.raised(dispatch.observers, index, error)
    except BaseException as failure:
        held = internal_errors.hold("recording an exception", failure, held)
    if held is not None:
        internal_errors.resume(held)
