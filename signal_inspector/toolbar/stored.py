"""``StoredDispatch``: a dispatch as the toolbar's store gives it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signal_inspector.records import (
    Caller,
    NotCalled,
    Outcome,
    ReceiverCall,
    SendMethod,
    Summary,
    Unseen,
    plain,
)

FAILED = frozenset({Outcome.RAISED, Outcome.SKIPPED, Outcome.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDispatch:
    """A dispatch as it comes back from the store. The fields mean what ``Dispatch`` says."""

    index: int  # place in the request, from 0
    id: str
    parent_id: str | None
    parent_call: int | None
    by_time: bool = False
    trace_id: str = ""
    span_id: str = ""
    trace_sampled: bool | None = None
    signal: str
    sender: str
    method: SendMethod
    started_at: str  # ISO 8601, UTC
    start_ns: int
    duration_ns: int
    outcome: Outcome
    unseen: Unseen | None = None
    caller: Caller | None
    project_caller: Caller | None = None
    stack: tuple[Caller, ...]
    payload: dict[str, Summary] | None
    payload_dropped: int
    in_transaction: bool | None
    rolled_back: bool | None
    calls: tuple[ReceiverCall, ...]
    not_called: tuple[NotCalled, ...]

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns

    @property
    def is_orphan(self) -> bool:
        """Whether nobody received it, and nobody will."""
        return self.outcome is Outcome.RETURNED and not self.calls and self.unseen is None

    @property
    def has_failed(self) -> bool:
        """Whether it, or a receiver of it, raised, was skipped or was cancelled."""
        return self.outcome in FAILED or any(call.outcome in FAILED for call in self.calls)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: what ``Dispatch.as_dict`` gave before it was stored."""
        payload = self.payload
        return {
            "id": self.id,
            "parent_id": self.parent_id,
            "parent_call": self.parent_call,
            "by_time": self.by_time,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "trace_sampled": self.trace_sampled,
            "signal": self.signal,
            "sender": self.sender,
            "method": self.method.value,
            "started_at": self.started_at,
            "start_ns": self.start_ns,
            "duration_ns": self.duration_ns,
            "outcome": self.outcome.value,
            "unseen": None if self.unseen is None else self.unseen.value,
            "caller": None if self.caller is None else self.caller._asdict(),
            "project_caller": (
                None if self.project_caller is None else self.project_caller._asdict()
            ),
            "stack": [list(frame) for frame in self.stack],
            "payload": None if payload is None else {k: v.as_dict() for k, v in payload.items()},
            "payload_dropped": self.payload_dropped,
            "in_transaction": self.in_transaction,
            "rolled_back": self.rolled_back,
            "calls": [call.as_dict() for call in self.calls],
            "not_called": [plain(receiver) for receiver in self.not_called],
        }
