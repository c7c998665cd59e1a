"""The observer that measures durations and logs failures, whether or not there is a span."""

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

#: Identifies an exception without keeping it alive; an id alone may be reused by another object.
Origin = tuple[int, int, int]

#: The beginnings of the paths of code that runs between a send and its receivers.
_SENDING: Final = (
    f"{Path(__file__).parents[1]}{os.sep}",
    f"{Path(dispatcher.__file__).parent}{os.sep}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What all observers use, made once for the current settings."""

    settings: Tracing
    tracer: Tracer
    meters: Meters | None  # None: nothing is measured
    log: FailureLog
    dispatch_hook: Callable[..., None] | None
    receiver_hook: Callable[..., None] | None
    has_ends: bool = field(init=False)  # whether there is anything to do when spans end
    follows_parent: bool = field(init=False)  # whether the sampler need not be asked

    def __post_init__(self) -> None:
        ends = (self.meters, self.dispatch_hook, self.receiver_hook)
        object.__setattr__(self, "has_ends", any(each is not None for each in ends))
        object.__setattr__(self, "follows_parent", follows_parent(self.tracer))


class Measured(Attached):
    """Measures a dispatch and its receivers, and logs failures. It has no span of its own."""

    needs_record = True

    _outer: Measured | None = None
    _recorded: set[Origin] | None = None  # exceptions met in this dispatch
    _passed: set[Origin] | None = None  # exceptions met in dispatches nested in this one

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
        if self._has_ends and hasattr(self, "dispatch"):  # otherwise none was recorded
            self._tell_end(error)

    def _tell_end(self, error: BaseException | None) -> None:
        token = attach(self._context)
        try:
            self._ended_whole(error)
        finally:
            detach(token)

    def _ended_whole(self, error: BaseException | None) -> None:
        if self._meters is not None:
            self._meters.sent(self.dispatch, error)

    def _tells(self) -> bool:
        """Whether failures are used at all: summarizing one takes longer than a send."""
        return self._tools.settings.log_failures

    def _cancelled(self, index: int) -> None:
        """Note that a receiver was cancelled."""

    def _failed(self, index: int, failure: Failure) -> None:
        """Note that a receiver failed."""

    def _record(self, index: int, failure: Failure) -> bool:  # noqa: ARG002
        """Record an exception on its span, if any; return whether a log record was emitted."""
        return False

    def is_recorded(self, error: BaseException) -> bool:
        """Whether the exception was met before; from now on, outer dispatches know it too.

        A group, such as Django 6.1 makes of several failures, was met if all its exceptions were.
        """
        met = True
        for each in _leaves(error):
            met = self._has_met(each, error) and met
        return met

    def _has_met(self, error: BaseException, whole: BaseException) -> bool:
        """Whether an exception was met before; ``whole`` is the exception itself or its group.

        The exception may come from a nested dispatch, and pass through both. The id of an
        exception that was swallowed in the nested dispatch may belong to another one by then.
        """
        origin = _origin(error)
        met = self._recorded is not None and origin in self._recorded
        if not met and self._passed is not None and origin in self._passed:
            # In a group, the exception's own traceback begins only where it joined the group.
            in_group = error is not whole and any(map(_is_of_a_send, _frames(error)))
            met = in_group or _came_through_a_send(whole)
        if self._recorded is None:
            self._recorded = set()
        self._recorded.add(origin)
        if self._outer is not None:
            self._outer._remember(origin)
        return met

    def _remember(self, origin: Origin) -> None:
        """Note an exception that a nested dispatch has met."""
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
    """Whether the exception reached the receiver from a dispatch that the receiver sent."""
    is_inside = False
    for frame in _frames(error):
        if not _is_of_a_send(frame):
            is_inside = True  # the frames before this one are of the send that caught it
        elif is_inside:
            return True
    return False


def _is_of_a_send(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_SENDING)


def _frames(error: BaseException) -> Iterator[FrameType]:
    """The frames that an exception passed through, the innermost last."""
    place = internal_errors.traceback_of(error)
    while place is not None:
        yield place.tb_frame
        place = place.tb_next


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, including those of nested groups; or the exception itself."""
    if issubclass(type(error), BaseExceptionGroup):
        for each in _members(error):
            yield from _leaves(each)
    else:
        yield error


#: Reads the exceptions of a group, bypassing any property that the user's class defines.
_members: Final[Callable[[BaseException], Any]] = BaseExceptionGroup.__dict__["exceptions"].__get__
