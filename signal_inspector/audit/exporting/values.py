"""An entry of the log as plain values: words for numbers, texts for times and ids."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NoReturn
from uuid import UUID

from signal_inspector.audit.models import Ending, Method, Origin, TransactionOutcome, Unseen
from signal_inspector.audit.reading.entries import Entry, utc

_WORDS: Final[dict[str, dict[int, str]]] = {
    "method": {each.value: each.label for each in Method},
    "unseen": {each.value: each.label for each in Unseen},
    "outcome": {each.value: each.label for each in Ending},
    "transaction_outcome": {each.value: each.label for each in TransactionOutcome},
    "origin": {each.value: each.label for each in Origin},
}
#: Canonical JSON in the log.
DOCUMENTS: Final = ("payload", "response")


def dispatch_values(entry: Entry) -> dict[str, Any]:
    """The columns of the dispatch, without its calls."""
    found = {column: _plain(column, value) for column, value in entry.dispatch.items()}
    found["started_at"] = iso(utc(entry.dispatch["started_at"], entry.id))
    found["is_failed"] = bool(entry.dispatch["is_failed"])
    found["by_time"] = bool(entry.dispatch["by_time"])
    sampled = entry.dispatch["trace_sampled"]
    found["trace_sampled"] = None if sampled is None else bool(sampled)
    return found


def call_values(call: dict[str, Any]) -> dict[str, Any]:
    """The columns of a receiver call, without the id of its dispatch."""
    found = {column: _plain(column, value) for column, value in call.items()}
    del found["dispatch_id"]
    found["is_async"] = bool(found["is_async"])
    return found


def iso(moment: datetime) -> str:
    """A time with its microseconds and its zone: ``2026-11-22T14:03:07.120000+00:00``."""
    return moment.isoformat(timespec="microseconds")


def document(text: str) -> Any:
    """What a JSON text of the log holds; None for "", and the text itself if it is none."""
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"JSON does not hold {constant}.")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _plain(column: str, value: Any) -> Any:
    if column in _WORDS and value is not None:
        return _WORDS[column].get(value, str(value))
    convert = _CONVERSIONS.get(type(value))
    return value if convert is None else convert(value)


_CONVERSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    UUID: str,
    datetime: lambda moment: iso(utc(moment)),
}
