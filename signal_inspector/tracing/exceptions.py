"""Record an exception on a span: as an event, or as a log record in the context of the span.

There are two ways to a log record, and each failure takes only one of them:

- ``emit_exception`` records an exception of a span if
  ``OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN`` asks for log records.
- ``swallowed`` is for ``LOG_FAILURES``: an exception that a receiver raised under a robust send,
  which the sender may never look at.

Django logs swallowed exceptions too, to the standard library's logger "django.dispatch". If an
OpenTelemetry handler exports that logger, our log record is the second one of the same failure.
That is why ``LOG_FAILURES`` is off by default. Unlike Django's, our record has the names of
signal and receiver and the dispatch id as attributes, has an event name to route by, and follows
the settings about messages and stack traces. If both are on, we log one warning.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger
from opentelemetry.trace import Span, Status, StatusCode

from signal_inspector import payload
from signal_inspector.conf import get_config
from signal_inspector.core.record import details
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.ids import time_ns
from signal_inspector.core.record.values import Failure
from signal_inspector.tracing import otel
from signal_inspector.tracing.attributes import (
    DISPATCH_ID,
    ERROR_TYPE,
    FUNCTION,
    METHOD,
    SIGNAL,
    Attributes,
)
from signal_inspector.tracing.otel import Tracing

EVENT: Final = "django.signal.receiver.exception"

#: The standard library's logger to which Django logs failures under robust sends.
_DJANGOS_LOGGER: Final = "django.dispatch"

logger = logging.getLogger("signal_inspector")

_OPT_IN: Final = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"


class FailureLog:
    """Emits log records through one logger provider; None is the global one."""

    def __init__(self, logger_provider: LoggerProvider | None = None) -> None:
        self._logger = get_logger(otel.NAME, otel.VERSION, logger_provider, otel.SCHEMA_URL)
        self._looked_for_doubles = False

    def is_idle(self) -> bool:
        """Whether nothing would be emitted: no SDK is set up, or it is switched off."""
        enabled = getattr(self._logger, "enabled", None)  # older versions of the API lack it
        if enabled is None:
            return False
        return not enabled(severity_number=SeverityNumber.ERROR, event_name=EVENT)

    def swallowed(self, dispatch: Dispatch, index: int, failure: Failure) -> None:
        """Emit the failure of a receiver that a robust send swallowed.

        Call this while the span of the receiver call is current, with a ``failure`` that holds
        only what settings allow, and only if ``emit_exception`` was not called for this failure.
        """
        if self.is_idle():
            return
        self._look_for_doubles()
        self.emit_exception(
            failure.exception_class,
            failure.message or None,
            failure.traceback,
            {
                SIGNAL: dispatch.signal,
                METHOD: dispatch.method.value,
                DISPATCH_ID: dispatch.id_text,
                FUNCTION: dispatch.receivers[index].name,
            },
        )

    def emit_exception(
        self,
        exception_type: str,
        message: str | None,  # None: not allowed by settings
        stacktrace: str | None,  # None: not allowed by settings, or unknown
        attributes: Attributes | None = None,
    ) -> None:
        """Emit an exception as a log record, with the current span as its context.

        The body names the signal and receiver from the attributes, and not the exception.
        """
        told: Attributes = {**(attributes or {})}
        body = _in_words(told)
        told["exception.type"] = exception_type
        if message is not None:
            told["exception.message"] = message
        if stacktrace is not None:
            told["exception.stacktrace"] = stacktrace
        # Without emit(exception=...), because an SDK would add the message and stack trace.
        self._logger.emit(
            timestamp=time_ns(),
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            event_name=EVENT,
            body=body,
            attributes=told,
        )

    def _look_for_doubles(self) -> None:
        if not self._looked_for_doubles:
            self._looked_for_doubles = True
            if _is_exported(_DJANGOS_LOGGER):
                logger.warning(
                    'SIGNAL_INSPECTOR["TRACING"]["LOG_FAILURES"] is on, and an OpenTelemetry '
                    'handler exports what Django logs to "%s": each receiver failure in '
                    "a robust send is exported twice. Turn one of the two off.",
                    _DJANGOS_LOGGER,
                )


def _in_words(attributes: Attributes) -> str:
    sent = f"{attributes.get(METHOD, 'send')} of {attributes.get(SIGNAL, 'a signal')}"
    receiver = attributes.get(FUNCTION)
    return f"{receiver} failed in {sent}" if receiver else f"{sent} failed"


def _is_exported(name: str) -> bool:
    """Whether an OpenTelemetry handler exports what is logged under this name."""
    place: logging.Logger | None = logging.getLogger(name)
    while place is not None:
        if any(type(each).__module__.startswith("opentelemetry.") for each in place.handlers):
            return True
        place = place.parent if place.propagate else None
    return False


def as_events() -> bool:
    """Whether to record exceptions as span events, which the conventions are moving away from."""
    opted = _opted()
    return "logs" not in opted or "logs/dup" in opted


def as_logs() -> bool:
    """Whether to record exceptions as log records."""
    return not {"logs", "logs/dup"}.isdisjoint(_opted())


def _opted() -> list[str]:
    return [value.strip() for value in os.environ.get(_OPT_IN, "").split(",")]


def told(error: BaseException, tracing: Tracing, known: Failure | None = None) -> Failure:
    """What settings allow to record of an exception. Never raises.

    ``known`` is the failure in the record, whose traceback may be missing or reveal too much.
    """
    if known is not None and not _lacks(known, tracing):
        return tellable(known, tracing)
    config = get_config()
    return details.unrecorded(
        payload.summarize_exception,
        error,
        config.limits,
        with_traceback=tracing.exception_stacktraces,
        with_messages=tracing.exception_messages,
        redactor=details.redactor(config),
    )


def _lacks(known: Failure, tracing: Tracing) -> bool:
    """Whether settings ask for a traceback that the known failure cannot provide."""
    if not tracing.exception_stacktraces:
        return False
    return known.traceback is None or not tracing.exception_messages


def tellable(failure: Failure, tracing: Tracing) -> Failure:
    """What settings allow of an exception that has already been summarized.

    A traceback contains messages, so if messages are off, the whole traceback is left out.
    """
    with_traceback = tracing.exception_stacktraces and tracing.exception_messages
    return failure._replace(
        message=failure.message if tracing.exception_messages else "",
        traceback=failure.traceback if with_traceback else None,
    )


def mark(span: Span, failure: Failure) -> None:
    """Set the status of a span to error."""
    span.set_attribute(ERROR_TYPE, failure.exception_class)
    span.set_status(Status(StatusCode.ERROR, failure.message or None))


def record(span: Span, failure: Failure, log: FailureLog, attributes: Attributes) -> bool:
    """Record an exception on the current span; return whether a log record was emitted."""
    if as_events():
        event: Attributes = {"exception.type": failure.exception_class}
        if FUNCTION in attributes:  # tells several exceptions on the span of a dispatch apart
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
