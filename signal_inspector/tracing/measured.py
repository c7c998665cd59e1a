"""What observes a dispatch whether or not there is a span of it: durations, and failures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from django.dispatch import dispatcher
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, Tracer

from signal_inspector.core import internal_errors
from signal_inspector.core.listening import observers
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Failure, Outcome
from signal_inspector.tracing import exceptions
from signal_inspector.tracing.context import Attached
from signal_inspector.tracing.exceptions import FailureLog
from signal_inspector.tracing.metrics import Meters
from signal_inspector.tracing.otel import Tracing, follows_parent

#: Tells one exception from another without keeping it: its id alone may be given anew.
Origin = tuple[int, int, int]

#: How the paths of the code begin that carries a send to its receivers.
_SENDING: Final = (
    f"{Path(__file__).parents[1]}{os.sep}",
    f"{Path(dispatcher.__file__).parent}{os.sep}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What observers work with, made once for the settings as they are."""

    settings: Tracing
    tracer: Tracer
    meters: Meters | None  # None: nothing is measured
    log: FailureLog
    dispatch_hook: Callable[..., None] | None
    receiver_hook: Callable[..., None] | None
    has_ends: bool = field(init=False)  # whether anything is to be done where spans end
    follows_parent: bool = field(init=False)  # whether the sampler need not be asked

    def __post_init__(self) -> None:
        ends = (self.meters, self.dispatch_hook, self.receiver_hook)
        object.__setattr__(self, "has_ends", any(each is not None for each in ends))
        object.__setattr__(self, "follows_parent", follows_parent(self.tracer))


class Measured(Attached):
    """Measures a dispatch and its receivers, and logs failures. It has no span of its own."""

    needs_record = True

    _outer: Measured | None = None
    _recorded: set[Origin] | None = None  # of this dispatch's own receivers
    _passed: set[Origin] | None = None  # of those of dispatches further in

    def __init__(
        self, tools: Tools, span: Span | None, here: Context, receivers: int | None
    ) -> None:
        super().__init__(span, here, receivers)
        self._tools = tools
        self._meters = tools.meters
        if self._meters is not None:
            self.by_receiver = True
        self._has_ends = tools.has_ends

    def started(self, dispatch: Dispatch) -> None:
        super().started(dispatch)
        if dispatch.parent is not None:
            for observer in observers.of(dispatch.parent):
                if isinstance(observer, Measured):
                    self._outer = observer

    def raised(self, index: int, error: BaseException) -> None:
        outcome, failure, _ = self.dispatch.end_of(index)
        if outcome is Outcome.CANCELLED:
            self._cancelled(index)
            return
        if not self._tells():
            return
        told = exceptions.told(error, self._tools.settings, failure)
        self._failed(index, told)
        if not self.is_recorded(error):
            is_logged = self._record(index, told)
            swallowed = self.dispatch.method.is_robust and issubclass(type(error), Exception)
            if swallowed and self._tools.settings.log_failures and not is_logged:
                self._tools.log.swallowed(self.dispatch, index, told)

    def left(self, index: int | None, ended: bool) -> None:
        try:
            if ended and index is not None and self._meters is not None:
                self._meters.received(self.dispatch, index)
        finally:
            super().left(index, ended)

    def finished(self, error: BaseException | None) -> None:
        self._outer = None
        if self._has_ends and hasattr(self, "dispatch"):  # else it was none
            token = attach(self._context)
            try:
                self._ended_whole(error)
            finally:
                detach(token)

    def _ended_whole(self, error: BaseException | None) -> None:
        if self._meters is not None:
            self._meters.sent(self.dispatch, error)

    def _tells(self) -> bool:
        """Whether anybody is told of failures: to put one in words takes longer than a send."""
        return self._tools.settings.log_failures

    def _cancelled(self, index: int) -> None:
        """Note that a receiver was cancelled."""

    def _failed(self, index: int, failure: Failure) -> None:
        """Note that a receiver failed."""

    def _record(self, index: int, failure: Failure) -> bool:  # noqa: ARG002
        """Record an exception where it belongs; whether that is a log record."""
        return False

    def is_recorded(self, error: BaseException) -> bool:
        """Whether the exception was met before; dispatches further out will know that it was.

        A group, such as Django 6.1 makes of several failures, was if all in it were.
        """
        met = True
        for each in _leaves(error):
            met = self._has_met(each, error) and met
        return met

    def _has_met(self, error: BaseException, whole: BaseException) -> bool:
        """Whether one was met that is, or stands in the group, ``whole``.

        It may come from a dispatch that this one's receiver has sent, through both of them. By
        then the id of one that was swallowed in there may be another exception's.
        """
        origin = _origin(error)
        met = self._recorded is not None and origin in self._recorded
        if not met and self._passed is not None and origin in self._passed:
            # In a group, its own traceback begins further in: where it was put into the group.
            in_group = error is not whole and any(map(_is_of_a_send, _frames(error)))
            met = in_group or _came_through_a_send(whole)
        if self._recorded is None:
            self._recorded = set()
        self._recorded.add(origin)
        if self._outer is not None:
            self._outer._remember(origin)
        return met

    def _remember(self, origin: Origin) -> None:
        """Note an exception that a dispatch further in has met."""
        if self._passed is None:
            self._passed = set()
        self._passed.add(origin)


def _origin(error: BaseException) -> Origin:
    place = internal_errors.traceback_of(error)
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None:
        return id(error), 0, 0
    return id(error), id(place.tb_frame.f_code), place.tb_lineno


def _came_through_a_send(error: BaseException) -> bool:
    """Whether the receiver that it was caught from has it from a dispatch of its own."""
    is_inside = False
    for frame in _frames(error):
        if not _is_of_a_send(frame):
            is_inside = True  # the frames before were those of the send that caught it
        elif is_inside:
            return True
    return False


def _is_of_a_send(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_SENDING)


def _frames(error: BaseException) -> Iterator[FrameType]:
    """The frames that an exception went through, the innermost last."""
    place = internal_errors.traceback_of(error)
    while place is not None:
        yield place.tb_frame
        place = place.tb_next


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, those of groups in it included; or the one."""
    if issubclass(type(error), BaseExceptionGroup):
        for each in _members(error):
            yield from _leaves(each)
    else:
        yield error


#: Past any property of a class of the user's.
_members: Final[Callable[[BaseException], Any]] = BaseExceptionGroup.__dict__["exceptions"].__get__
