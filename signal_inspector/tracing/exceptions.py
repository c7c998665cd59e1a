"""An exception on a span, as an event or as a log record: one way for all of them."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from opentelemetry.trace import Span, Status, StatusCode

from signal_inspector import gather
from signal_inspector.conf import get_config
from signal_inspector.ids import time_ns
from signal_inspector.payload import summarize_exception
from signal_inspector.records import Failure
from signal_inspector.tracing.attributes import ERROR_TYPE, FUNCTION, Attributes
from signal_inspector.tracing.logs import FailureLog
from signal_inspector.tracing.settings import Tracing

_OPT_IN: Final = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"


def as_events() -> bool:
    """Whether exceptions are to be events of spans; the conventions are leaving that behind."""
    opted = _opted()
    return "logs" not in opted or "logs/dup" in opted


def as_logs() -> bool:
    """Whether they are to be log records."""
    return not {"logs", "logs/dup"}.isdisjoint(_opted())


def _opted() -> list[str]:
    return [value.strip() for value in os.environ.get(_OPT_IN, "").split(",")]


def told(error: BaseException, tracing: Tracing, known: Failure | None = None) -> Failure:
    """What may be told of an exception by the settings. Never raises.

    ``known`` is what the record has of it, which may lack the traceback, or tell too much in it.
    """
    if known is not None and not _lacks(known, tracing):
        return tellable(known, tracing)
    config = get_config()
    return gather.unrecorded(
        summarize_exception,
        error,
        config.limits,
        with_traceback=tracing.exception_stacktraces,
        with_messages=tracing.exception_messages,
        redactor=gather.redactor(config),
    )


def _lacks(known: Failure, tracing: Tracing) -> bool:
    """Whether settings ask for a traceback that is not among what is known."""
    if not tracing.exception_stacktraces:
        return False
    return known.traceback is None or not tracing.exception_messages


def tellable(failure: Failure, tracing: Tracing) -> Failure:
    """What the settings let through of an exception that is already in words.

    A traceback tells messages too, so that without them it goes as a whole.
    """
    with_traceback = tracing.exception_stacktraces and tracing.exception_messages
    return replace(
        failure,
        message=failure.message if tracing.exception_messages else "",
        traceback=failure.traceback if with_traceback else None,
    )


def mark(span: Span, failure: Failure) -> None:
    """Give a span the status of an error."""
    span.set_attribute(ERROR_TYPE, failure.exception_class)
    span.set_status(Status(StatusCode.ERROR, failure.message or None))


def record(span: Span, failure: Failure, log: FailureLog, attributes: Attributes) -> bool:
    """Record an exception on the span, which is current; whether a log record was emitted."""
    if as_events():
        event: Attributes = {"exception.type": failure.exception_class}
        if FUNCTION in attributes:  # which tells several on the span of a dispatch apart
            event[FUNCTION] = attributes[FUNCTION]
        if failure.message:
            event["exception.message"] = failure.message
        if failure.traceback is not None:
            event["exception.stacktrace"] = failure.traceback
        span.add_event("exception", event, time_ns())
    if not as_logs():
        return False
    log.emit_exception(
        failure.exception_class, failure.message or None, failure.traceback, attributes
    )
    return True
