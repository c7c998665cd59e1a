"""Exceptions as log records of OpenTelemetry, in the context of the span they happened in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry._logs import LoggerProvider, SeverityNumber, get_logger

from signal_inspector import __version__
from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Failure

SCOPE: Final = "signal_inspector"
EVENT: Final = "django.signal.receiver.exception"


class FailureLog:
    """Emits log records by one logger provider; None stands for the global one."""

    def __init__(self, logger_provider: LoggerProvider | None = None) -> None:
        self._logger = get_logger(SCOPE, __version__, logger_provider)

    def is_idle(self) -> bool:
        """Whether nothing would be emitted: no SDK is set, or it is switched off."""
        return not self._logger.enabled(severity_number=SeverityNumber.ERROR, event_name=EVENT)

    def swallowed(self, dispatch: Dispatch, index: int, failure: Failure) -> None:
        """Emit the failure of a receiver that a robust send swallowed.

        To be called while the span of the receiver call is current, and not where
        ``emit_exception`` was called for the same failure.
        """
        self.emit_exception(
            failure.exception_class,
            failure.message,
            failure.traceback,
            {
                "django.signal.name": dispatch.signal,
                "code.function.name": dispatch.receivers[index].name,
                "django.signal.dispatch.id": dispatch.id_text,
            },
        )

    def emit_exception(
        self,
        exception_type: str,
        message: str | None,  # None: not to be told
        stacktrace: str | None,  # None: not to be told, or unknown
        attributes: Mapping[str, str | int | bool] | None = None,
    ) -> None:
        """Emit an exception as a log record in the current context."""
        told: dict[str, str | int | bool] = {**(attributes or {})}
        told["exception.type"] = exception_type
        if message is not None:
            told["exception.message"] = message
        if stacktrace is not None:
            told["exception.stacktrace"] = stacktrace
        self._logger.emit(
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            event_name=EVENT,
            attributes=told,
        )
