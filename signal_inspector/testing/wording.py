"""Dispatches in words, for the message of an assertion.

Values are told as in the panel: no ``__repr__`` of an unknown type runs, and no query. But nothing
is redacted: who reads it has written the test.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import ANY

from signal_inspector.conf import Limits
from signal_inspector.payload import Redactor, summarize
from signal_inspector.records import Caller, Outcome, Query, ReceiverCall, Summary
from signal_inspector.testing.captured import CapturedDispatch
from signal_inspector.testing.matchers import where

_LIMITS: Final = replace(Limits(), payload_depth=2, payload_items=10)
_MOST: Final = 20  # dispatches that a message tells of


class _Open(Redactor):
    """Redacts nothing."""

    __slots__ = ()

    def matches_key(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def redact_text(self, text: str) -> str:
        return text

    def redact_code(self, text: str) -> str:
        return text


#: For what only the author of a test reads.
OPEN_REDACTOR: Final[Redactor] = _Open()


def words(value: Any) -> str:
    """A value in a line."""
    if value is ANY:
        return "anything"
    if type(value) is where:
        return repr(value)
    return _told(summarize(value, _LIMITS, OPEN_REDACTOR))


def _told(summary: Summary) -> str:
    if not summary.items:
        return summary.text
    items = ", ".join(f"{key}: {_told(item)}" for key, item in summary.items)
    return f"{summary.text} ({items})"


def place(path: str, line: int, function: str = "") -> str:
    """Where something is in the source, from the current directory if it is in there."""
    if not path:
        return ""
    file = Path(path)
    try:
        path = str(file.relative_to(Path.cwd()))
    except (ValueError, OSError):
        path = str(file)
    return f"{path}:{line}{f' in {function}' if function else ''}"


def dispatch_lines(number: int, sent: CapturedDispatch) -> list[str]:
    """A dispatch: what was sent, from where, and what the receivers did."""
    caller: Caller | None = sent.record.caller
    at = "" if caller is None else f" at {place(*caller)}"
    lines = [f"{number}. {sent.name} from {sent.record.sender} by {sent.method.value}(){at}"]
    if sent.payload:
        payload = ", ".join(f"{key}={words(value)}" for key, value in sent.payload.items())
        lines.append(f"   {payload}")
    calls = sent.record.calls
    if calls:
        lines.append(f"   received by {', '.join(call_words(call) for call in calls)}")
    return lines


def call_words(call: ReceiverCall) -> str:
    """A receiver, and how its call ended if it did not return."""
    if call.outcome is Outcome.RETURNED:
        return call.receiver
    if call.failure is None:
        return f"{call.receiver} ({call.outcome.value})"
    return f"{call.receiver} ({call.outcome.value} {call.failure.exception_class})"


def list_of(dispatches: Iterable[CapturedDispatch]) -> list[str]:
    """Dispatches in words, numbered; of many the first ones."""
    dispatches = list(dispatches)
    if not dispatches:
        return ["nothing was sent"]
    lines = [
        line
        for number, sent in enumerate(dispatches[:_MOST], 1)
        for line in dispatch_lines(number, sent)
    ]
    if len(dispatches) > _MOST:
        lines.append(f"and {len(dispatches) - _MOST} more")
    return lines


def statements(queries: Iterable[Query]) -> list[str]:
    """SQL, each statement once with the number of times."""
    counts: dict[str, int] = {}
    for query in queries:
        counts[query.sql] = counts.get(query.sql, 0) + 1
    return [f"{count} × {sql}" for sql, count in counts.items()]


def indented(lines: Iterable[str], by: int = 2) -> str:
    """Lines as a block."""
    return "\n".join(" " * by + part for line in lines for part in line.split("\n"))


def so_often(count: int) -> str:
    """A number of times, as one says it."""
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def count_of(count: int) -> str:
    """A number of dispatches."""
    return f"{count} dispatch{'es' if count != 1 else ''}"
