"""The list as plain data: documented in docs/catalogue.md, and stable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.catalog.matching import app_label_of
from signal_inspector.catalog.selection import Selected

VERSION: Final = 1  # raised when a key changes its meaning or goes; new keys may come without


def as_json(selected: Sequence[Selected], others: int) -> dict[str, Any]:
    """``others``: signals that the filters let through, left out as they are not inspected."""
    return {
        "version": VERSION,
        "not_inspected_left_out": others,
        "signals": [_signal(each) for each in selected],
    }


def _signal(selected: Selected) -> dict[str, Any]:
    return signal_as_json(selected.entry) | {
        "receivers": [receiver_as_json(order, each) for order, each in selected.receivers],
        "receivers_left_out": selected.left_out,
    }


def signal_as_json(entry: SignalEntry) -> dict[str, Any]:
    """The signal itself, without its receivers."""
    return {
        "signal": entry.signal,
        "class": entry.kind,
        "app": app_label_of(entry.signal) or None,
        "path": entry.path or None,
        "line": entry.line or None,
        "is_inspected": entry.is_inspected,
        "problem": entry.problem or None,
    }


def receiver_as_json(order: int | None, receiver: ReceiverEntry) -> dict[str, Any]:
    """One connection; ``order`` is its place in the order of execution if it is called."""
    caller = receiver.connected_at
    connected_at = caller and {
        "path": caller.path,
        "line": caller.line,
        "function": caller.function,
    }
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
        "connected_at": connected_at,
    }
