"""An explanation as plain data: documented in docs/catalogue.md, and stable."""

from __future__ import annotations

from typing import Any

from signal_inspector.catalog import ExplainedReceiver, Explanation
from signal_inspector.management.signals.listing_json import (
    VERSION,
    receiver_as_json,
    signal_as_json,
)


def as_json(explanation: Explanation) -> dict[str, Any]:
    """All of an explanation."""
    return {
        "version": VERSION,
        **signal_as_json(explanation.signal),
        "inspected": explanation.inspected,
        "remark": explanation.remark or None,
        "sender": explanation.sender,
        "called": [_receiver(each) for each in explanation.called],
        "not_called": [_receiver(each) for each in explanation.not_called],
        "sends": [
            {
                "method": send.method.value,
                "function": send.function,
                "path": send.path,
                "line": send.line,
                "sender": send.sender or None,
            }
            for send in explanation.sends
        ],
        "unread": [
            {"module": module.module, "path": module.path, "problem": module.problem}
            for module in explanation.unread
        ],
    }


def _receiver(each: ExplainedReceiver) -> dict[str, Any]:
    """One receiver; the facts of a connection are null of what was never connected."""
    told = {"standing": each.standing.value, "detail": each.detail or None}
    if each.entry is not None:
        return receiver_as_json(each.order, each.entry) | told
    return {
        "order": None,
        "state": None,
        "receiver": each.receiver,
        "path": each.path,
        "line": each.line,
        "sender": each.sender,
        "is_async": None,
        "is_weak": None,
        "dispatch_uid": None,
        "connected_at": None,
    } | told
