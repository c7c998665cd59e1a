"""Keep an OpenTelemetry context attached while the code of a dispatch runs, and no longer.

A context that the user's code attaches meanwhile and leaves attached belongs to the application:
it stays attached for the code that runs next, as it would without us. So each context that holds
one of our spans records the context it was made from, and once our span has ended, the span is
taken out of what the user's code left attached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextvars import Token
from typing import Any, Final, NamedTuple, TypeAlias

from opentelemetry.context import Context, attach, create_key, detach, get_current
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.dispatch import Dispatch

#: The key under which a context keeps the current span: asking the API takes twice as long.
[SPAN_KEY] = set_span_in_context(INVALID_SPAN, Context())

_MARK_KEY: Final = create_key("signal_inspector.mark")

#: Kept in each context that we make: the span that we put into it, and the context it was made
#: from. A plain tuple, as one is made for each receiver.
_Mark: TypeAlias = tuple[Span, Context]


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
