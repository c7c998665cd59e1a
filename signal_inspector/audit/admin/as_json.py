"""A dispatch as plain data, for Copy as JSON: what the page shows, and no more than that."""

from __future__ import annotations

import json
from typing import Any, Final

from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.models import AuditedCall, AuditedDispatch

_DISPATCH: Final = (
    "duration_ns",
    "is_failed",
    "receiver_count",
    "failed_count",
    "skipped_count",
    "parent_call",
    "query_count",
    "query_ns",
    "own_method",
    "actor",
    "actor_label",
    "request_id",
    "origin_name",
    "client",
    "trace_id",
    "span_id",
    "payload_dropped",
)
_CALL: Final = (
    "index",
    "is_async",
    "offset_ns",
    "duration_ns",
    "self_ns",
    "query_count",
    "query_ns",
    "queries_by_time",
)
_NAMES: Final = ("signal", "sender", "caller", "project_caller", "process", "delivery")


def dispatch_data(
    dispatch: AuditedDispatch, calls: list[AuditedCall], texts: Texts, *, may_see: bool
) -> dict[str, Any]:
    """Names as text, times as ISO 8601, the payload as it was kept."""
    data: dict[str, Any] = {"id": str(dispatch.id)}
    data |= {"started_at": dispatch.started_at.isoformat()}
    data |= {name: texts[getattr(dispatch, f"{name}_id")] for name in _NAMES}
    data |= {
        "method": dispatch.get_method_display(),
        "outcome": dispatch.get_outcome_display(),
        "transaction_outcome": dispatch.get_transaction_outcome_display(),
        "transaction_id": _text(dispatch.transaction_id),
        "origin": dispatch.get_origin_display(),
        "parent_id": _text(dispatch.parent_id),
    }
    data |= {name: getattr(dispatch, name) for name in _DISPATCH}
    data["is_failed"] = bool(dispatch.is_failed)
    data["by_time"] = bool(dispatch.by_time)
    data["unseen"] = dispatch.get_unseen_display()
    sampled = dispatch.trace_sampled
    data["trace_sampled"] = None if sampled is None else bool(sampled)
    if may_see:
        data["payload"] = _json(dispatch.payload)
    data["calls"] = [_call(call, texts, may_see) for call in calls]
    return data


def _call(call: AuditedCall, texts: Texts, may_see: bool) -> dict[str, Any]:
    data: dict[str, Any] = {
        "receiver": texts[call.receiver_id],
        "location": texts[call.location_id],
        "outcome": call.get_outcome_display(),
        "exception": texts[call.exception_id],
    }
    data |= {name: getattr(call, name) for name in _CALL}
    if may_see:
        data |= {"message": call.message, "traceback": call.traceback}
        data["response"] = _json(call.response)
    return data


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text
