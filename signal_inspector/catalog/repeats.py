"""Receivers that one send calls more than once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import MethodType

from signal_inspector.catalog.entries import ReceiverEntry
from signal_inspector.connections import Entry

Pair = tuple[Entry, ReceiverEntry]


def repeats(called: Sequence[Pair]) -> list[str]:
    """For each of the receivers that one send calls: what is odd about its being called again."""
    return [_remark(pair, [other for other in called if other is not pair]) for pair in called]


def _remark(pair: Pair, others: Sequence[Pair]) -> str:
    found, entry = pair
    same = [other for other in others if _is_same(other[0].receiver, found.receiver)]
    if same:
        times = "twice" if len(same) == 1 else f"{len(same) + 1} times"
        return f"it is connected {times}, so it is called {times}: {_how([pair, *same])}"
    twins = [other for other in others if _is_twin(other[1], entry)]
    if not twins or _is_made_anew(found.receiver, entry):
        return ""
    if twins[0][1].receiver != entry.receiver:
        return (
            f"the same code is called as {twins[0][1].receiver}, too: its module was imported "
            "under two names"
        )
    return "another copy of it is called, too: its module was loaded twice"


def _is_same(one: object, other: object) -> bool:
    if type(one) is MethodType and type(other) is MethodType:
        return one.__self__ is other.__self__ and one.__func__ is other.__func__
    return one is other


def _is_twin(one: ReceiverEntry, other: ReceiverEntry) -> bool:
    """Whether two receivers were made by the same lines."""
    return bool(one.path) and (one.path, one.line, _last(one)) == (
        other.path,
        other.line,
        _last(other),
    )


def _last(entry: ReceiverEntry) -> str:
    return entry.receiver.rpartition(".")[2]


def _is_made_anew(receiver: object, entry: ReceiverEntry) -> bool:
    """Whether the same lines make many receivers on purpose: closures, methods, instances."""
    name = getattr(receiver, "__qualname__", None) if _is_function(receiver) else None
    return not isinstance(name, str) or "<locals>" in entry.receiver


def _is_function(receiver: object) -> bool:
    return type(receiver).__name__ == "function"


def _how(pairs: Sequence[Pair]) -> str:
    """What makes Django take them for different connections."""
    ways = []
    for _, entry in pairs:
        uid = entry.dispatch_uid
        way = "without a dispatch_uid" if uid is None else f"under dispatch_uid {json.dumps(uid)}"
        ways.append(way if entry.sender is None else f"{way} for sender {entry.sender}")
    return " and ".join(ways)
