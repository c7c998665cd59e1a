"""What is written to logs, warned about, or raised where nobody can catch it."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self
from unittest import mock

from tests.differential import describe


class _Handler(logging.Handler):
    """Describes records at once: a record that is kept keeps its exception alive."""

    def __init__(self, log: list[object]) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        try:
            message = record.getMessage().splitlines()[0]
        except RuntimeError as failure:
            message = f"unprintable: {failure}"
        self._log.append(
            (record.name, record.levelname, describe.clean(message), describe.exception(error))
        )


class Watching:
    """Watches for as long as it is entered. Log records of signals are part of the log."""

    def __init__(self, log: list[object]) -> None:
        self._loose: list[object] = []
        self._warned: list[warnings.WarningMessage] = []
        self._handlers = {
            "django.dispatch": _Handler(log),
            "asyncio": _Handler(self._loose),
        }
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        self._warned = self._undo.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always")
        self._undo.enter_context(mock.patch.object(sys, "unraisablehook", self._unraisable))
        for name, handler in self._handlers.items():
            logger = logging.getLogger(name)
            self._undo.enter_context(mock.patch.object(logger, "handlers", [handler]))
            self._undo.enter_context(mock.patch.object(logger, "propagate", False))
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._undo.close()

    def loose(self) -> list[object]:
        """What has come about since it was last asked, sorted."""
        for warning in self._warned:
            place = (warning.filename, warning.lineno) if warning.category is UserWarning else ()
            message = describe.clean(str(warning.message))
            self._loose.append((warning.category.__name__, message, *place))
        self._warned.clear()
        found = sorted(self._loose, key=repr)
        self._loose.clear()
        return found

    def _unraisable(self, unraisable: Any) -> None:
        self._loose.append(("unraisable", describe.exception(unraisable.exc_value)))
