"""A dispatch as a watcher sees it: read from plain data that anybody may have sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

#: What is read of a text, in characters.
_LONGEST: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCall:
    """A receiver's part in it."""

    receiver: str
    outcome: str  # a value of records.Outcome
    duration_ns: int
    is_timed: bool
    is_async: bool
    query_count: int
    exception: str  # dotted name of the class, "" where none
    message: str

    @property
    def has_failed(self) -> bool:
        return self.outcome == "raised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A dispatch, and the plain data that it was read from."""

    id: str
    parent_id: str
    parent_call: int  # -1 where it is not known
    signal: str
    sender: str
    method: str
    started_at: datetime
    duration_ns: int
    outcome: str  # a value of records.Outcome
    unseen: str  # a value of records.Unseen, "" where all was seen
    calls: tuple[SeenCall, ...]
    payload: tuple[tuple[str, str], ...]  # argument and its text
    in_transaction: bool
    rolled_back: bool
    process: str
    data: dict[str, Any]

    @property
    def has_failed(self) -> bool:
        """Whether a receiver failed, swallowed or not, or the send did not return."""
        return self.outcome == "raised" or any(call.has_failed for call in self.calls)

    @property
    def is_orphan(self) -> bool:
        """Whether nobody received it, and nobody will."""
        return not self.calls and self.outcome == "returned" and not self.unseen


def read_seen(data: dict[str, Any], process: str) -> Seen:
    """A dispatch of ``Dispatch.as_dict()``. Raises ValueError for what is none."""
    try:
        return _read(data, process)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("not a dispatch") from error


def _read(data: dict[str, Any], process: str) -> Seen:
    started_at = datetime.fromisoformat(_text(data["started_at"]))
    if started_at.tzinfo is None:
        started_at = started_at.replace(tzinfo=UTC)
    parent_call = data.get("parent_call")
    return Seen(
        id=_text(data["id"]),
        parent_id=_text(data.get("parent_id") or ""),
        parent_call=-1 if parent_call is None else int(parent_call),
        signal=_text(data["signal"]),
        sender=_text(data["sender"]),
        method=_text(data["method"]),
        started_at=started_at,
        duration_ns=int(data["duration_ns"]),
        outcome=_text(data["outcome"]),
        unseen=_text(data.get("unseen") or ""),
        calls=tuple(_read_call(call) for call in data["calls"]),
        payload=tuple(
            (_text(key), _text(summary["text"])) for key, summary in _items(data.get("payload"))
        ),
        in_transaction=bool(data.get("in_transaction")),
        rolled_back=bool(data.get("rolled_back")),
        process=process,
        data=data,
    )


def _read_call(call: dict[str, Any]) -> SeenCall:
    failure = call.get("failure") or {}
    return SeenCall(
        receiver=_text(call["receiver"]),
        outcome=_text(call["outcome"]),
        duration_ns=int(call["duration_ns"]),
        is_timed=bool(call.get("timed", True)),
        is_async=bool(call["is_async"]),
        query_count=int(call["query_count"]),
        exception=_text(failure.get("exception_class", "")),
        message=_text(failure.get("message", "")),
    )


def _items(payload: Any) -> Any:
    return dict(payload or {}).items()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value[:_LONGEST]
