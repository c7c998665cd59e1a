"""An explanation as plain data: documented in docs/catalogue.md, and stable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signal_inspector.catalog import ExplainedReceiver, Explanation
from signal_inspector.catalog.explaining import Part
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
                "arguments": list(send.arguments),
                "has_more_arguments": send.is_open,
                "through": send.through or None,
            }
            for send in explanation.sends
        ],
        "handed_on": [
            {"path": each.path, "line": each.line, "to": each.label or None}
            for each in explanation.handed_on
        ],
        "unread": [
            {"module": module.module, "path": module.path, "problem": module.problem}
            for module in explanation.unread
        ],
    }


def parts_as_json(parts: Sequence[Part], **about: str) -> dict[str, Any]:
    """What signals have to do with a sender or a receiver."""
    return {
        "version": VERSION,
        **about,
        "signals": [
            {
                **signal_as_json(part.signal),
                "called": [_receiver(each) for each in part.called],
                "not_called": [_receiver(each) for each in part.not_called],
            }
            for part in parts
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
