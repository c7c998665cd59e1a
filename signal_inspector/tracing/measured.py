"""The observer that measures durations and logs failures, whether or not there is a span.

It keeps an OpenTelemetry context attached while the code of a dispatch runs, and no longer. A
context that the user's code attaches meanwhile and leaves attached belongs to the application:
it stays attached for the code that runs next, as it would without us. So each context that holds
one of our spans records the context it was made from, and once our span has ended, the span is
taken out of what the user's code left attached.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Token
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple, TypeAlias

from django.dispatch import dispatcher
from opentelemetry.context import Context, attach, create_key, detach, get_current
from opentelemetry.trace import INVALID_SPAN, Span, Tracer, set_span_in_context

from signal_inspector.core import internal_errors
from signal_inspector.core.listening import observers
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Failure, Outcome
from signal_inspector.tracing import exceptions
from signal_inspector.tracing.exceptions import FailureLog
from signal_inspector.tracing.metrics import Meters
from signal_inspector.tracing.otel import Tracing, follows_parent

#: The key under which a context keeps the current span: asking the API takes twice as long.
[SPAN_KEY] = set_span_in_context(INVALID_SPAN, Context())

_MARK_KEY: Final = create_key("signal_inspector.mark")

#: Kept in each context that we make: the span that we put into it, and the context it was made
#: from. A plain tuple, as one is made for each receiver.
_Mark: TypeAlias = tuple[Span, Context]

#: Identifies an exception without keeping it alive; an id alone may be reused by another object.
Origin = tuple[int, int, int]

#: The beginnings of the paths of code that runs between a send and its receivers.
_SENDING: Final = (
    f"{Path(__file__).parents[1]}{os.sep}",
    f"{Path(dispatcher.__file__).parent}{os.sep}",
)

#: Reads the exceptions of a group, bypassing any property that the user's class defines.
_members: Final[Callable[[BaseException], Any]] = BaseExceptionGroup.__dict__["exceptions"].__get__


def with_span(span: Span, below: Context) -> Context:
    """A context with one of our spans, which ``carried`` takes out again."""
    return Context({**below, SPAN_KEY: span, _MARK_KEY: (span, below)})


def carried(left: Context, below: Context) -> Context:
    """The context to use instead of ``below`` after the user's code left another one attached.

    It has the values that were left. Its span is the user's span if one was left, and otherwise
    the span that was current outside of ours. Spans of ours that ended earlier are removed too:
    detaching a token that was taken under such a span brings the span back.
    """
    running = list(_marks(below))
    for mark in _marks(left):
        if any(mark is each for each in running):
            break
        span, below_mark = mark
        keys = (SPAN_KEY, _MARK_KEY) if left.get(SPAN_KEY) is span else (_MARK_KEY,)
        left = _replaced(left, below_mark, keys)
    return below if _holds_the_same(left, below) else left


def _marks(context: Context) -> Iterator[_Mark]:
    """The marks of a context, the innermost first."""
    mark: Any = context.get(_MARK_KEY)
    while mark is not None:
        yield mark
        mark = mark[1].get(_MARK_KEY)


def _replaced(
    context: Context, other: Context, keys: Iterable[str] = (SPAN_KEY, _MARK_KEY)
) -> Context:
    """A context with another one's values for these keys; the other if they are then equal."""
    values = {key: value for key, value in context.items() if key not in keys}
    values.update((key, other[key]) for key in keys if key in other)
    return other if _holds_the_same(values, other) else Context(values)


def _holds_the_same(values: Mapping[str, object], others: Mapping[str, object]) -> bool:
    """Whether two contexts hold the same objects, without calling ``==`` of the user's values."""
    return len(values) == len(others) and all(
        key in others and others[key] is value for key, value in values.items()
    )


def put_back(token: Token[Context], left: Context, made: Context) -> None:
    """Detach a context that we made, and keep what the user's code has left attached."""
    detach(token)
    if left is not made:  # rare
        below = get_current()
        context = carried(left, below)
        if context is not below:
            attach(context)


class _Entered(NamedTuple):
    """The attached context, and the one that we made, to compare with when the code ends."""

    token: Token[Context]
    inside: Context
    made: Context


class _Suspended(NamedTuple):
    """What a suspended receiver had attached, and the context that the others see meanwhile."""

    context: Context
    made: Context
    below: Context


class Attached(Observer):
    """Observes a dispatch, and keeps its span current if it has one.

    Each context is detached in the same step of the same code that attached it. So while an async
    receiver is suspended, only the sender's span is current: Django 6.1 runs all async receivers
    in one context. A span that the receiver itself has made current is set aside meanwhile, and
    is made current again only for this receiver. Other values that it has attached are visible
    to all receivers, as they would be without us.
    """

    needs_record = False
    by_receiver = False

    # By the index of a receiver; None is the send as a whole.
    _entered: dict[int | None, _Entered]
    _suspended: dict[int | None, _Suspended]

    def __init__(self, span: Span | None, here: Context, receivers: int | None) -> None:
        """Make ``span`` current over the sender's context ``here``; None leaves it as it is.

        ``receivers`` is the number of receivers; None if it is not known, because the project
        overrides the send method.
        """
        self._span = span
        self._receivers = receivers
        self._here = here
        self._context = here if span is None else with_span(span, here)
        self._entered = {}
        self._suspended = {}

    def started(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch
        if self._span is not None and self._context is not self._here:
            # Even if it is not sampled: its id is in logs and headers.
            dispatch.trace = self._span.get_span_context()

    def entered(self, index: int | None) -> None:
        below = get_current()
        suspended = self._suspended.pop(index, None)
        if suspended is None:
            inside = made = self._first(index, below)
        else:
            inside = suspended.context
            if suspended.below is not below:  # other receivers have changed it
                inside = _replaced(below, inside)
            made = inside if suspended.context is suspended.made else suspended.made
        if inside is not below:
            self._entered[index] = _Entered(attach(inside), inside, made)

    def left(self, index: int | None, ended: bool) -> None:
        entered = self._entered.pop(index, None)
        if entered is None:
            return
        left = get_current()
        if ended:
            put_back(entered.token, left, entered.made)
            return
        detach(entered.token)
        below = get_current()
        if left is not entered.inside:
            shared = _replaced(left, below)
            if shared is not below:
                attach(shared)
                below = shared
        self._suspended[index] = _Suspended(left, entered.made, below)

    def _first(self, index: int | None, below: Context) -> Context:  # noqa: ARG002
        """The context in which the send, or the receiver of this index, begins to run."""
        return self._around(below)

    def _around(self, below: Context) -> Context:
        """The context of the dispatch, for code that would run in ``below`` without us."""
        if below is self._here or below is self._context:
            return self._context
        span = self._span
        if span is None or self._context is self._here:
            return below
        if any(ours is span for ours, _ in _marks(below)):
            return below  # with what an overridden send() has attached on the way
        if below.get(SPAN_KEY) is self._here.get(SPAN_KEY):
            return with_span(span, below)
        return below  # an earlier receiver has left a span: what follows belongs to that span


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
