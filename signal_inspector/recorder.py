"""What happens when a dispatch starts, when its receivers run, and when it ends.

The instrument knows this module alone: ``begin`` answers a ``Dispatch`` when somebody listens
and None when nobody does, ``finish`` completes it and hands it on. What goes wrong in here is
reported to ``signal_inspector.trouble`` and the signal is sent all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from time import perf_counter_ns, time_ns
from typing import Any

from django.dispatch import Signal

from signal_inspector import gather, trouble
from signal_inspector.conf import get_config
from signal_inspector.dispatches import Dispatch
from signal_inspector.ids import next_sequence
from signal_inspector.names import (
    IdentityMap,
    is_inspected,
    receiver_name,
    receiver_names,
    sender_name,
    signal_name,
    signal_names,
)
from signal_inspector.names.safe import class_paths
from signal_inspector.records import Outcome, ReceiverCall, SendMethod
from signal_inspector.scopes import NOBODY, Scope, current, process_audience
from signal_inspector.sinks import Sink

#: The name of each signal met so far; "" where it is not to be inspected.
_inspected: IdentityMap[str] = IdentityMap()

# Looked up once per dispatch, and so kept where that takes least.
_names = _inspected.by_id
_class_paths = class_paths.by_id
_receiver_names = receiver_names.by_id


def begin(
    signal: Signal,
    sender: object,
    named: Mapping[str, Any],
    method: SendMethod,
    receivers: Sequence[Any] = (),
) -> Dispatch | None:
    """Open the record of a dispatch; None when nobody listens to this one.

    ``receivers`` are those that are about to run the fast way, if it is to be that.
    """
    scope = current.get()
    audience = process_audience() if scope is None else scope.audience
    if audience is NOBODY:
        return None
    try:
        if scope is not None and scope.offers is signal:
            return _adopt(scope, receivers)
        name = _names.get(id(signal))
        if name is None:
            name = _decide(signal)
        if not name:
            return None
        dispatch = Dispatch()
        dispatch.signal = name
        dispatch.sender = _class_paths.get(id(sender)) or sender_name(sender)
        dispatch.method = method
        dispatch.audience = audience
        dispatch.sequence = next_sequence()
        try:
            dispatch.receivers = [_receiver_names[id(receiver)] for receiver in receivers]
        except KeyError:
            dispatch.receivers = [receiver_name(receiver) for receiver in receivers]
        dispatch.parent = None
        if scope is not None and scope.dispatch is not None:
            dispatch.caused_by(scope.dispatch, scope.index)
        dispatch.start_ns = start_ns = perf_counter_ns()
        dispatch.marks = [start_ns]
        collector = audience.only
        if collector is not None and collector.room:
            collector.room -= 1
            collector.dispatches.append(dispatch)
        elif not audience.offer(dispatch) and not audience.sinks:
            return None
        if audience.prepares:
            _prepare(dispatch, signal, sender, named)
    except Exception as error:
        trouble.report("opening a record", error)
        return None
    return dispatch


def _adopt(scope: Scope | Dispatch, receivers: Sequence[Any]) -> Dispatch | None:
    """The record of this very dispatch, which an overriding send() has opened."""
    dispatch = scope.adopt()
    if dispatch is not None:
        dispatch.receivers = [receiver_name(receiver) for receiver in receivers]
    return dispatch


def _prepare(dispatch: Dispatch, signal: Signal, sender: object, named: Mapping[str, Any]) -> None:
    """What costs time before the first receiver, and is not to be counted as a receiver's."""
    audience = dispatch.audience
    dispatch.started_ns = time_ns()
    gather.details(dispatch, signal, sender, named, audience.details)
    _tell(audience.sinks, "dispatch_started", dispatch)
    dispatch.restart(perf_counter_ns())


def _decide(signal: Signal) -> str:
    """The signal's name if it is to be inspected, else ""; remembered once it is final."""
    name = signal_name(signal)
    config = get_config()
    decided = name if is_inspected(name, config.include, config.exclude) else ""
    if signal in signal_names:
        _inspected.set(signal, decided)
    return decided


def forget_decisions() -> None:
    """Decide anew which signals are inspected (``setting_changed``)."""
    _inspected.clear()


def finish(dispatch: Dispatch, responses: Sequence[tuple[Any, Any]]) -> None:
    """Complete a dispatch that ran the fast way and returned."""
    try:
        dispatch.outcome = Outcome.RETURNED
        if dispatch.parent is not None:
            dispatch.leave_parent(dispatch.marks[-1])
        audience = dispatch.audience
        if audience.wants_responses:
            gather.responses(dispatch, responses)
        if audience.sinks:
            _tell(audience.sinks, "dispatch_finished", dispatch)
    except Exception as failure:
        trouble.report("closing a record", failure)


def stopped(
    dispatch: Dispatch, responses: Sequence[tuple[Any, Any]], error: BaseException
) -> None:
    """Complete a dispatch that ran the fast way and raised: the next receiver's doing."""
    index = len(responses)
    if dispatch.raised is None or index not in dispatch.raised:
        _failed(dispatch, index, error)
    try:
        if dispatch.audience.wants_responses:
            gather.responses(dispatch, responses)
    except Exception as failure:
        trouble.report("closing a record", failure)
    complete(dispatch, error, dispatch.marks[-1])


def swallowed(dispatch: Dispatch, index: int, error: Exception) -> None:
    """Note what a receiver raised under a robust send, before Django logs it."""
    if dispatch.ends is None:
        dispatch.ends = {}
    dispatch.ends[index] = perf_counter_ns()
    _failed(dispatch, index, error)


def complete(dispatch: Dispatch, error: BaseException | None, end_ns: int | None = None) -> None:
    """Note how and when a dispatch ended (now, by default); tell its parent and its sinks."""
    try:
        if end_ns is None:
            end_ns = perf_counter_ns()
        dispatch.duration_ns = end_ns - dispatch.start_ns
        dispatch.outcome = outcome_of(error)
        if dispatch.parent is not None:
            dispatch.leave_parent(end_ns)
        audience = dispatch.audience
        if audience.sinks:
            _tell(audience.sinks, "dispatch_finished", dispatch)
    except Exception as failure:
        trouble.report("closing a record", failure)


def outcome_of(error: BaseException | None) -> Outcome:
    """How something that ended with this exception, or with none, ended."""
    if error is None:
        return Outcome.RETURNED
    cancelled = isinstance(error, asyncio.CancelledError | GeneratorExit)
    return Outcome.CANCELLED if cancelled else Outcome.RAISED


def _failed(dispatch: Dispatch, index: int, error: BaseException) -> None:
    try:
        dispatch.fail(index, gather.failure(dispatch, error), outcome_of(error))
    except Exception as failure:
        trouble.report("recording an exception", failure)


def entered(dispatch: Dispatch, index: int) -> None:
    """Tell the live sinks that a receiver's code runs from here on."""
    audience = dispatch.audience
    if audience.live:
        _tell(audience.live, "receiver_entered", dispatch, index)


def left(dispatch: Dispatch, index: int, call: ReceiverCall | None) -> None:
    """Tell the live sinks that a receiver's code has suspended (call is None) or ended."""
    audience = dispatch.audience
    if audience.live:
        _tell(audience.live[::-1], "receiver_left", dispatch, index, call)


def _tell(sinks: Sequence[Sink], what: str, *args: Any) -> None:
    """Call one method of every sink. The one place where records leave for other code."""
    token = current.set(Scope(NOBODY))  # what a sink sends is not recorded, nor its queries
    try:
        for sink in sinks:
            try:
                getattr(sink, what)(*args)
            except Exception as error:
                kind = f"{type(sink).__module__}.{type(sink).__qualname__}.{what}"
                trouble.report(f"sink {kind}", error)
    finally:
        current.reset(token)
