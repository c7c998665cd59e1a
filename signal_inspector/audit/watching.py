"""The log as a source of ``signals watch``: what is written, as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connections

from signal_inspector.audit.commands.base import require_tables
from signal_inspector.audit.exporting.values import call_values, dispatch_values
from signal_inspector.audit.models import TransactionOutcome
from signal_inspector.audit.payloads import read_payload, read_response
from signal_inspector.audit.reading.entries import Entry, Reader, Wanted
from signal_inspector.audit.reading.following import Follower, start_of
from signal_inspector.audit.reading.selection import Selection
from signal_inspector.audit.settings import get_settings
from signal_inspector.watching.sources import Asked, Source, SourceAwayError, register

NAME: Final = "audit"

#: How long after its start a dispatch may be written and is still shown.
_WINDOW: Final = timedelta(minutes=5)


def offer() -> None:
    """Let ``signals watch --via audit`` read the log. Twice is harmless."""
    register(NAME, open_source)


def open_source(asked: Asked) -> Source:
    """The log from now on. Raises ``CommandError`` where it has no tables."""
    require_tables()
    return _Log(asked)


class _Log:
    interval: Final = 1.0

    def __init__(self, asked: Asked) -> None:
        reader = Reader(
            Wanted(
                selection=Selection(outcome="failed" if asked.failures else ""),
                signal_glob="" if asked.signal == "*" else asked.signal,
            )
        )
        self._follower = Follower(reader, start_of([], datetime.now(UTC)), _WINDOW)

    def look(self) -> Iterator[dict[str, Any]]:
        try:
            for ids in self._follower.look(datetime.now(UTC)):
                for entry in self._follower.entries(ids):
                    yield as_record(entry)
        except (DatabaseError, InterfaceError) as error:
            connections[get_settings().database].close()
            raise SourceAwayError(f"The database is away: {str(error).strip()}") from error

    def close(self) -> None:
        """Nothing is open."""


def as_record(entry: Entry) -> dict[str, Any]:
    """An entry in the form of ``Dispatch.as_dict()``, as far as the log has it."""
    dispatch = dispatch_values(entry)
    ending = entry.dispatch["transaction_outcome"]
    unknown = ending == TransactionOutcome.UNKNOWN
    return {
        **{key: dispatch[key] for key in ("id", "parent_id", "parent_call", "signal", "sender")},
        "method": dispatch["own_method"] or dispatch["method"],
        "unseen": dispatch["unseen"],
        "by_time": dispatch["by_time"],
        "trace_id": dispatch["trace_id"] or "",
        "span_id": dispatch["span_id"],
        "trace_sampled": dispatch["trace_sampled"],
        "started_at": dispatch["started_at"],
        "duration_ns": dispatch["duration_ns"],
        "outcome": dispatch["outcome"],
        "caller": dispatch["caller"] or None,
        "project_caller": dispatch["project_caller"] or None,
        "payload": _payload(entry.dispatch["payload"]),
        "payload_dropped": dispatch["payload_dropped"],
        "in_transaction": None if unknown else ending != TransactionOutcome.NONE,
        "rolled_back": None if unknown else ending == TransactionOutcome.ROLLED_BACK,
        "calls": [_call(call) for call in entry.calls],
        "process": dispatch["process"],
    }


def _call(row: dict[str, Any]) -> dict[str, Any]:
    call = call_values(row)
    failure = {key: call[key] for key in ("message", "traceback")}
    return {
        **{key: call[key] for key in ("receiver", "is_async", "outcome", "offset_ns")},
        **{key: call[key] for key in ("duration_ns", "self_ns", "query_count", "query_ns")},
        "queries_by_time": call["queries_by_time"],
        "location": call["location"],
        "timed": call["offset_ns"] is not None,
        "response": _response(row["response"]),
        "failure": {"exception_class": call["exception"], **failure}
        if call["exception"]
        else None,
    }


def _payload(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        return {name: summary.as_dict() for name, summary in read_payload(text).items()}
    except (ValueError, RecursionError):
        return None


def _response(text: str) -> dict[str, Any] | None:
    try:
        summary = read_response(text)
    except (ValueError, RecursionError):
        return None
    return None if summary is None else summary.as_dict()
