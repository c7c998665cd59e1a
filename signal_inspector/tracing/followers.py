"""What follows a dispatch that is traced: its span, and the spans of its receivers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Span, set_span_in_context

from signal_inspector import recorder, trouble
from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Failure, Outcome
from signal_inspector.tracing import attributes, exceptions
from signal_inspector.tracing.measured import Measured, Tools

_CANCELLED: Final = Outcome.CANCELLED.value


class DispatchSpan(Measured):
    """The span of a dispatch. Exceptions of receivers are recorded on it."""

    def __init__(
        self, tools: Tools, span: Span, here: Context, measures: bool, receivers: int | None
    ) -> None:
        super().__init__(tools, span, here, measures)
        self._span = span
        self._receivers = receivers
        self._failures = 0
        self._is_over = False

    def started(self, dispatch: Dispatch) -> None:
        super().started(dispatch)
        dispatch.trace = self._span_context
        late: attributes.Attributes = {attributes.DISPATCH_ID: dispatch.id_text}
        if self._receivers is None and dispatch.receivers:
            self._receivers = late[attributes.RECEIVER_COUNT] = len(dispatch.receivers)
        keys = self._tools.settings.payload_attributes
        if keys:
            late.update(attributes.of_payload(dispatch.payload, keys))
        self._span.set_attributes(late)

    def left(self, index: int | None, ended: bool) -> None:
        try:
            super().left(index, ended)
        finally:
            if self._is_over and index is None and ended:
                self._span.end()

    def finished(self, error: BaseException | None) -> None:
        token = attach(self._context)
        try:
            if hasattr(self, "dispatch"):  # else it could not be recorded, and never started
                self._conclude(error)
                if self._tools.dispatch_hook is not None:
                    self._tools.dispatch_hook(self._span, self.dispatch)
                super().finished(error)
        finally:
            detach(token)
            # An overriding send() may go on after Signal's own, and still is in this span.
            self._is_over = None in self._tokens
            if not self._is_over:
                self._span.end()

    def _failed(self, index: int, failure: Failure) -> None:  # noqa: ARG002
        self._failures += 1

    def _record(self, index: int, failure: Failure) -> bool:
        return self._record_on(self._span, self.dispatch.receivers[index].name, failure)

    def _record_on(self, span: Span, receiver: str, failure: Failure) -> bool:
        about: attributes.Attributes = {
            attributes.SIGNAL: self.dispatch.signal,
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
        if self._failures:
            late[attributes.FAILED_COUNT] = self._failures
        if late:
            self._span.set_attributes(late)

    def _conclude_failure(self, error: BaseException) -> None:
        failure = exceptions.told(error, self._tools.settings)
        exceptions.mark(self._span, failure)
        if not all([self.is_recorded(each) for each in _leaves(error)]):  # noqa: C419 - of all
            self._record_on(self._span, "", failure)

    def _conclude_override(self) -> None:
        """Tell what an overriding send() let nobody see before it returned."""
        calls = self.dispatch.calls
        self._span.set_attribute(attributes.RECEIVER_COUNT, len(calls))
        for call in calls:
            if call.outcome is Outcome.RAISED:
                self._failures += 1
                if call.failure is not None and self.dispatch.method.is_robust:
                    failure = exceptions.tellable(call.failure, self._tools.settings)
                    self._record_on(self._span, call.receiver, failure)


class ReceiverSpans(DispatchSpan):
    """The span of a dispatch, and one for each of its receivers."""

    def __init__(
        self, tools: Tools, span: Span, here: Context, measures: bool, receivers: int | None
    ) -> None:
        super().__init__(tools, span, here, measures, receivers)
        self.by_receiver = True
        self._spans: dict[int, Span] = {}

    def entered(self, index: int | None) -> None:
        if index is not None and index not in self._kept:
            self._start(index)
        super().entered(index)

    def _start(self, index: int) -> None:
        dispatch = self.dispatch
        around = self._kept[index] = self._around()
        name, about = attributes.of_receiver(dispatch.signal, dispatch.receivers[index])
        try:
            span = self._tools.tracer.start_span(name, around, attributes=about)
            self._spans[index] = span
            self._kept[index] = set_span_in_context(span, around)
        except Exception as error:  # of a sampler or a processor
            trouble.report("starting the span of a receiver", error)

    def left(self, index: int | None, ended: bool) -> None:
        span = self._spans.pop(index, None) if ended and index is not None else None
        try:
            if span is not None and self._tools.receiver_hook is not None:
                self._tools.receiver_hook(span, self.dispatch, index)
            super().left(index, ended)
        finally:
            if span is not None:
                span.end()

    def stepped(self, index: int, is_last: bool) -> None:
        try:
            self.left(index, True)
        finally:
            if not is_last:
                self.entered(index + 1)

    def _cancelled(self, index: int) -> None:
        span = self._spans.get(index)
        if span is not None:
            span.set_attribute(attributes.RECEIVER_OUTCOME, _CANCELLED)

    def _failed(self, index: int, failure: Failure) -> None:
        super()._failed(index, failure)
        span = self._spans.get(index)
        if span is not None:
            exceptions.mark(span, failure)

    def _record(self, index: int, failure: Failure) -> bool:
        span = self._spans.get(index, self._span)
        return self._record_on(span, self.dispatch.receivers[index].name, failure)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions of a group, such as Django 6.1 makes of several failures; or the one."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error
