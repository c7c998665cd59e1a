"""The observers of a traced dispatch: they make its span and the spans of its receivers."""

from __future__ import annotations

from contextvars import Token
from typing import Final

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import INVALID_SPAN, Span

from signal_inspector.core import internal_errors
from signal_inspector.core.record import recorder
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.ids import time_ns
from signal_inspector.core.record.values import Failure, Outcome
from signal_inspector.tracing import attributes, exceptions
from signal_inspector.tracing.measured import Attached, Measured, Tools, put_back, with_span

_CANCELLED: Final = Outcome.CANCELLED.value

#: Instead of name and attributes if the span was started to ask the sampler, and has them.
_SAID: Final[attributes.Described] = ("", {})


class DispatchSpan(Measured):
    """The span of a dispatch. Exceptions of receivers are recorded on it."""

    _span: Span = INVALID_SPAN
    _described: attributes.Described | None = None
    _failures = 0
    _is_over = False

    def __init__(
        self,
        tools: Tools,
        span: Span | attributes.Described,
        here: Context,
        receivers: int | None,
    ) -> None:
        """``span`` is a span that was started, or the name and first attributes of one."""
        if isinstance(span, tuple):
            super().__init__(tools, None, here, receivers)
            self._span = INVALID_SPAN  # until the span is started, if that succeeds
            self._described = span
        else:
            super().__init__(tools, span, here, receivers)

    def started(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch
        if dispatch.parent is not None:
            super().started(dispatch)
        name, known = self._described or _SAID
        code = attributes.of_callers(dispatch.caller, dispatch.project_caller)
        about = {**known, **code, attributes.DISPATCH_ID: dispatch.id_text}
        if self._receivers is None and dispatch.receivers:
            self._receivers = about[attributes.RECEIVER_COUNT] = len(dispatch.receivers)
        keys = self._tools.settings.payload_attributes
        if keys:
            about.update(attributes.of_payload(dispatch.payload, keys))
        if self._described is None:
            self._span.set_attributes(about)
        else:
            # With all attributes at once: adding them later takes longer.
            here = self._context
            self._span = span = self._tools.tracer.start_span(
                name, here, attributes=about, start_time=time_ns()
            )
            self._context = with_span(span, here)
        dispatch.trace = self._span.get_span_context()

    def left(self, index: int | None, ended: bool) -> None:
        try:
            super().left(index, ended)
        finally:
            if self._is_over and index is None and ended:
                self._span.end(end_time=time_ns())

    def finished(self, error: BaseException | None) -> None:
        try:
            if hasattr(self, "dispatch"):  # otherwise it could not be recorded, and never started
                if error is not None or self._failures or self._receivers is None:
                    self._conclude(error)
                self._outer = None
                if self._has_ends:
                    self._tell_end(error)
        finally:
            # An overridden send() may go on after Signal's own, and is still in this span.
            self._is_over = None in self._entered
            if not self._is_over:
                self._span.end(end_time=time_ns())

    def _ended_whole(self, error: BaseException | None) -> None:
        if self._tools.dispatch_hook is not None:
            self._tools.dispatch_hook(self._span, self.dispatch)
        super()._ended_whole(error)

    def _tells(self) -> bool:
        return True

    def _failed(self, index: int, failure: Failure) -> None:  # noqa: ARG002
        self._failures += 1

    def _record(self, index: int, failure: Failure) -> bool:
        return self._record_on(self._span, self.dispatch.receivers[index].name, failure)

    def _record_on(self, span: Span, receiver: str, failure: Failure) -> bool:
        about: attributes.Attributes = {
            attributes.SIGNAL: self.dispatch.signal,
            attributes.METHOD: self.dispatch.method.value,
            attributes.DISPATCH_ID: self.dispatch.id_text,
        }
        if receiver:
            about[attributes.FUNCTION] = receiver
        return exceptions.record(span, failure, self._tools.log, about)

    def _conclude(self, error: BaseException | None) -> None:
        dispatch, late = self.dispatch, attributes.Attributes()
        if self._receivers is None:
            self._conclude_override()
        if error is not None:
            skipped = [call for call in dispatch.calls if call.outcome is Outcome.SKIPPED]
            if skipped:
                late[attributes.SKIPPED_COUNT] = len(skipped)
            if recorder.outcome_of(error) is Outcome.CANCELLED:
                late[attributes.DISPATCH_OUTCOME] = _CANCELLED
            else:
                self._conclude_failure(error)
        if dispatch.unseen is not None:
            late[attributes.DISPATCH_OUTCOME] = dispatch.unseen.value
        if self._failures:
            late[attributes.FAILED_COUNT] = self._failures
        if late:
            self._span.set_attributes(late)

    def _conclude_failure(self, error: BaseException) -> None:
        failure = exceptions.told(error, self._tools.settings)
        exceptions.mark(self._span, failure)
        if not self.is_recorded(error):
            self._record_on(self._span, "", failure)

    def _conclude_override(self) -> None:
        """Add what is known only after an overridden send() has returned."""
        calls = self.dispatch.calls
        if self.dispatch.unseen is None:
            self._span.set_attribute(attributes.RECEIVER_COUNT, len(calls))
        for call in calls:
            if call.outcome is Outcome.RAISED:
                self._failures += 1
                if call.failure is not None and self.dispatch.method.is_robust:
                    failure = exceptions.tellable(call.failure, self._tools.settings)
                    self._record_on(self._span, call.receiver, failure)


class ReceiverSpans(DispatchSpan):
    """The span of a dispatch, and one for each of its receivers."""

    by_receiver = True

    # For receivers on the fast path, which run one at a time:
    _below: Context | None = None
    _around_loop: Context
    _known: list[attributes.Described]
    _running: Span | None = None
    _token: Token[Context] | None = None
    _inside: Context
    _has_finished = False

    def __init__(
        self,
        tools: Tools,
        span: Span | attributes.Described,
        here: Context,
        receivers: int | None,
    ) -> None:
        #: The spans of receivers that are not on the fast path; None once a span has ended.
        self._spans: dict[int, Span | None] = {}
        #: When receivers failed whose failure Django has not logged yet (Unix time).
        self._failed_ns: dict[int, int] = {}
        if receivers is None or not isinstance(span, tuple):
            super().__init__(tools, span, here, receivers)
            return
        # The most common case: what the constructors above do, without calling them.
        self._tools = tools
        self._meters = tools.meters
        self._has_ends = tools.has_ends
        self._described = span
        self._receivers = receivers
        self._here = self._context = here
        self._entered = {}
        self._suspended = {}

    def entered(self, index: int | None) -> None:
        if index is None or not self.dispatch.in_loop:
            super().entered(index)
            return
        below = get_current()
        if below is not self._below:
            if not index:
                dispatch = self.dispatch
                self._known = attributes.of_receivers(dispatch.signal, dispatch.receivers)
            self._below, self._around_loop = below, self._around(below)
        self._running, self._inside = self._open(self._known[index], self._around_loop)
        self._token = attach(self._inside)

    def _first(self, index: int | None, below: Context) -> Context:
        around = self._around(below)
        if index is None:
            return around
        if index in self._spans:  # the receiver has ended, and Django logs its failure
            span = self._spans[index]
            return around if span is None else with_span(span, around)
        receiver = self.dispatch.receivers[index]
        known = attributes.of_receiver(self.dispatch.signal, receiver)
        self._spans[index], inside = self._open(known, around)
        return inside

    def _open(self, known: attributes.Described, around: Context) -> tuple[Span | None, Context]:
        """Start the span of a receiver; return it with the context to run the receiver in."""
        name, about = known
        try:
            span = self._tools.tracer.start_span(
                name, around, attributes=about, start_time=time_ns()
            )
        except Exception as error:  # raised by a sampler or a processor
            internal_errors.report("starting the span of a receiver", error)
            return None, around
        return span, with_span(span, around)

    def stepped(self, index: int, is_last: bool) -> None:
        if get_current() is not self._inside:  # the receiver has left something attached
            try:
                self.left(index, True)
            finally:
                if not is_last:
                    self.entered(index + 1)
            return
        span, self._running = self._running, None
        try:
            if self._has_ends:
                self._ended(index, span)
            if span is not None:
                span.end(end_time=time_ns())
        finally:
            # Detaching the first token restores what every receiver's token would restore.
            if not is_last:
                known = self._known[index + 1]
                self._running, self._inside = self._open(known, self._around_loop)
                attach(self._inside)
            elif self._token is not None:
                detach(self._token)

    def left(self, index: int | None, ended: bool) -> None:
        if index is None or not ended:
            Attached.left(self, index, ended)  # skips what is done for spans that end
            if self._is_over and ended:
                self._span.end(end_time=time_ns())
            if index is not None and index in self._failed_ns:
                self._end_failed(index)
            return
        left = get_current()
        span = self._span_of(index)
        is_logged = self._is_logged_next(index)
        if is_logged:
            self._failed_ns[index] = time_ns()
        elif index in self._spans:
            self._spans[index] = None
        else:
            self._running = None
        try:
            if self._has_ends:
                self._ended(index, span)
        finally:
            token, self._token = self._token, None
            if token is not None:
                put_back(token, left, self._inside)
            else:
                Attached.left(self, index, ended)
            if span is not None and not is_logged:
                span.end(end_time=time_ns())

    def _is_logged_next(self, index: int) -> bool:
        """Whether Django is about to log a receiver's failure, so its span has to stay open."""
        return (
            index in self._spans
            and not self._has_finished
            and self.dispatch.method.is_robust
            and self.dispatch.end_of(index)[0] is Outcome.RAISED
        )

    def _end_failed(self, index: int) -> None:
        span, self._spans[index] = self._spans[index], None
        ended_ns = self._failed_ns.pop(index)
        if span is not None:
            span.end(end_time=ended_ns)

    def finished(self, error: BaseException | None) -> None:
        self._has_finished = True
        try:
            for index in tuple(self._failed_ns):
                self._end_failed(index)
        finally:
            super().finished(error)

    def _span_of(self, index: int) -> Span | None:
        """The span of a receiver that has not ended."""
        return self._spans.get(index, self._running)

    def _ended(self, index: int, span: Span | None) -> None:
        if span is not None and self._tools.receiver_hook is not None:
            self._tools.receiver_hook(span, self.dispatch, index)
        if self._meters is not None:
            self._meters.received(self.dispatch, index)

    def _cancelled(self, index: int) -> None:
        span = self._span_of(index)
        if span is not None:
            span.set_attribute(attributes.RECEIVER_OUTCOME, _CANCELLED)

    def _failed(self, index: int, failure: Failure) -> None:
        super()._failed(index, failure)
        span = self._span_of(index)
        if span is not None:
            exceptions.mark(span, failure)

    def _record(self, index: int, failure: Failure) -> bool:
        span = self._span_of(index) or self._span
        return self._record_on(span, self.dispatch.receivers[index].name, failure)
