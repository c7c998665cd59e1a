"""A context of OpenTelemetry kept attached while the code of a dispatch runs, and no longer."""

from __future__ import annotations

from contextvars import Token

from opentelemetry.context import Context, attach, create_key, detach, get_current, set_value
from opentelemetry.trace import Span, set_span_in_context

from signal_inspector.sinks import Follower

_DISPATCH = create_key("signal_inspector.dispatch")


class Attached(Follower):
    """Follows a dispatch that gets no span of its own.

    Each attach has its detach in the same step of the same code, so nothing of ours is in a
    context while an async receiver is suspended: Django 6.1 runs all of them in one. What a
    receiver has attached itself is set aside meanwhile and put back for it alone.
    """

    needs_record = False
    by_receiver = False

    def __init__(self, span: Span | None, here: Context) -> None:
        """``span`` is what is to be current, in the context of the sender; None: nothing is."""
        self._span_context = None if span is None else span.get_span_context()
        self._context = here
        if span is not None:
            marked = set_value(_DISPATCH, self._span_context, here)
            self._context = set_span_in_context(span, marked)
        self._kept: dict[int | None, Context] = {}
        self._tokens: dict[int | None, Token[Context]] = {}

    def entered(self, index: int | None) -> None:
        if self._span_context is not None:
            self._tokens[index] = attach(self._kept.get(index) or self._around())

    def left(self, index: int | None, ended: bool) -> None:
        token = self._tokens.pop(index, None)
        if token is not None:
            if not ended:
                self._kept[index] = get_current()
            detach(token)

    def _around(self) -> Context:
        """The context that a receiver starts in: that of the dispatch, or what an overriding
        send() has attached on the way.
        """
        here = get_current()
        return here if here.get(_DISPATCH) is self._span_context else self._context
