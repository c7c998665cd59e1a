"""The list as plain data: documented in docs/catalogue.md, and stable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from signal_inspector.catalog import ReceiverEntry
from signal_inspector.catalog.matching import app_label_of
from signal_inspector.catalog.selection import Selected

VERSION: Final = 1  # raised when a key changes its meaning or goes; new keys may come without


def as_json(selected: Sequence[Selected], others: int) -> dict[str, Any]:
    """``others`` is the number of signals that are left out because they are not inspected."""
    return {
        "version": VERSION,
        "not_inspected": others,
        "signals": [_signal(each) for each in selected],
    }


def _signal(selected: Selected) -> dict[str, Any]:
    entry = selected.entry
    return {
        "signal": entry.signal,
        "class": entry.kind,
        "app": app_label_of(entry.signal) or None,
        "path": entry.path or None,
        "line": entry.line or None,
        "is_inspected": entry.is_inspected,
        "problem": entry.problem or None,
        "receivers": [_receiver(order, receiver) for order, receiver in selected.receivers],
        "receivers_left_out": selected.left_out,
    }


def _receiver(order: int | None, receiver: ReceiverEntry) -> dict[str, Any]:
    caller = receiver.connected_at
    return {
        "order": order,
        "state": receiver.state.value,
        "receiver": receiver.receiver,
        "path": receiver.path or None,
        "line": receiver.line or None,
        "sender": receiver.sender,
        "is_async": receiver.is_async,
        "is_weak": receiver.is_weak,
        "dispatch_uid": receiver.dispatch_uid,
        "connected_at": None
        if caller is None
        else {"path": caller.path, "line": caller.line, "function": caller.function},
    }
