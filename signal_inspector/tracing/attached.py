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

    # Class attributes as long as nothing else is known: most dispatches need few of them.
    _whole: Token[Context] | None = None  # while the code of the send is entered
    _whole_kept: Context | None = None
    _mark: object | None = None
    # Of receivers that run in steps, or in another thread, each has its own.
    _kept: dict[int, Context]
    _tokens: dict[int, Token[Context]]

    def __init__(self, span: Span | None, here: Context, receivers: int | None) -> None:
        """``span`` is to be current, in the context of the sender; None: what is current there.

        ``receivers`` is their number where it is known, which it is not where the send is
        overridden: that may attach something on the way to the receivers.
        """
        if receivers is None:
            self._mark = object()
            here = set_value(_DISPATCH, self._mark, here)
        self._span = span
        self._receivers = receivers
        self._context = here if span is None else set_span_in_context(span, here)
        self._kept = {}
        self._tokens = {}

    def entered(self, index: int | None) -> None:
        if index is None:
            self._whole = attach(self._whole_kept or self._context)
        else:
            self._tokens[index] = attach(self._kept.get(index) or self._around())

    def left(self, index: int | None, ended: bool) -> None:
        if index is None:
            token, self._whole = self._whole, None
            if not ended and token is not None:
                self._whole_kept = get_current()
        else:
            token = self._tokens.pop(index, None)
            if not ended and token is not None:
                self._kept[index] = get_current()
        if token is not None:
            detach(token)

    def _around(self) -> Context:
        """The context that a receiver starts in: that of the dispatch, or what an overriding
        send() has attached on the way.
        """
        if self._mark is None:
            return self._context
        here = get_current()
        return here if here.get(_DISPATCH) is self._mark else self._context
