"""A context of OpenTelemetry kept attached while the code of a dispatch runs, and no longer.

What the user's code attaches in there and leaves attached is the application's: it stays for
those who run next, as it would without us. So each context that holds a span of ours says over
which one it was made, and when our span has ended it is taken out of what was left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextvars import Token
from typing import Any, Final, NamedTuple, TypeAlias

from opentelemetry.context import Context, attach, create_key, detach, get_current
from opentelemetry.trace import INVALID_SPAN, Span, set_span_in_context

from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.dispatch import Dispatch

#: Where a context keeps the span that is current: asking the API for that takes twice as long.
[SPAN_KEY] = set_span_in_context(INVALID_SPAN, Context())

_MARK_KEY: Final = create_key("signal_inspector.mark")

#: Stands in a context that we made: the span that we put into it, over which context. A plain
#: tuple, as one is made for each receiver.
_Mark: TypeAlias = tuple[Span, Context]


def with_span(span: Span, below: Context) -> Context:
    """A context with a span of ours, which ``carried`` takes out again."""
    return Context({**below, SPAN_KEY: span, _MARK_KEY: (span, below)})


def carried(left: Context, below: Context) -> Context:
    """What goes on in place of ``below``, where the user's code has left another context.

    That has the values that were left. It has the user's span if one was left, else the span
    that was current outside of ours. Spans of ours that ended earlier go too: a token that was
    taken under one, and is used later, brings it back.
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
    """Those of a context, the innermost first."""
    mark: Any = context.get(_MARK_KEY)
    while mark is not None:
        yield mark
        mark = mark[1].get(_MARK_KEY)


def _replaced(
    context: Context, other: Context, keys: Iterable[str] = (SPAN_KEY, _MARK_KEY)
) -> Context:
    """A context with what another has under these keys; the other, if they are equal then."""
    values = {key: value for key, value in context.items() if key not in keys}
    values.update((key, other[key]) for key in keys if key in other)
    return other if _holds_the_same(values, other) else Context(values)


def _holds_the_same(values: Mapping[str, object], others: Mapping[str, object]) -> bool:
    """Whether two contexts are equal, without asking the user's values."""
    return len(values) == len(others) and all(
        key in others and others[key] is value for key, value in values.items()
    )


def put_back(token: Token[Context], left: Context, made: Context) -> None:
    """Detach a context that we made, and carry on what the user's code has left instead of it."""
    detach(token)
    if left is not made:  # which is rare
        below = get_current()
        context = carried(left, below)
        if context is not below:
            attach(context)


class _Entered(NamedTuple):
    """The context that was attached, and the one to compare what is left with: that or ours."""

    token: Token[Context]
    inside: Context
    made: Context


class _Suspended(NamedTuple):
    """What a receiver had attached, and what the others find in its place meanwhile."""

    context: Context
    made: Context
    below: Context


class Attached(Observer):
    """Observes a dispatch, and keeps its span current if it has one.

    Each attach has its detach in the same step of the same code, so while an async receiver is
    suspended no span is current but the sender's: Django 6.1 runs all of them in one context. A
    span that a receiver has made current itself is set aside meanwhile and is current again for
    it alone. Other values that it has attached are there for all, as without us.
    """

    needs_record = False
    by_receiver = False

    # Of the send as a whole, and of its receivers by their index.
    _entered: dict[int | None, _Entered]
    _suspended: dict[int | None, _Suspended]

    def __init__(self, span: Span | None, here: Context, receivers: int | None) -> None:
        """``span`` is to be current, in the context of the sender; None: what is current there.

        ``receivers`` is their number where it is known, which it is not where the send is
        overridden.
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
            # Sampled or not: its id stands in logs and headers.
            dispatch.trace = self._span.get_span_context()

    def entered(self, index: int | None) -> None:
        below = get_current()
        suspended = self._suspended.pop(index, None)
        if suspended is None:
            inside = made = self._first(index, below)
        else:
            inside = suspended.context
            if suspended.below is not below:  # others have changed it
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
        """The context in which that code begins to run."""
        return self._around(below)

    def _around(self, below: Context) -> Context:
        """The context of the dispatch, for code that would run in ``below`` without us."""
        if below is self._here or below is self._context:
            return self._context
        span = self._span
        if span is None or self._context is self._here:
            return below
        if any(ours is span for ours, _ in _marks(below)):
            return below  # with what an overriding send() has attached on the way
        if below.get(SPAN_KEY) is self._here.get(SPAN_KEY):
            return with_span(span, below)
        return below  # an earlier receiver has left a span: what follows belongs to that
