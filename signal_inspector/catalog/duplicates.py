"""Finds receivers that one send calls more than once: connected twice, or imported twice."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import lru_cache
from types import FunctionType, MethodType
from typing import TYPE_CHECKING

from signal_inspector.core.wrapper.django_entries import Entry, hears_any_sender
from signal_inspector.display.numbers import often
from signal_inspector.display.text import listing
from signal_inspector.names.receivers import innermost

_real_path = lru_cache(maxsize=4_096)(os.path.realpath)


if TYPE_CHECKING:
    from signal_inspector.catalog.entries import ReceiverEntry

    Pair = tuple[Entry, ReceiverEntry]


def identity(receiver: object) -> object:
    """A value that is equal for the same receiver; a bound method is a new object each time."""
    if type(receiver) is MethodType:
        return id(receiver.__func__), id(receiver.__self__)
    return id(receiver)


def source(receiver: object) -> object:
    """File, line and name of a function that its file defines only once; otherwise None."""
    if type(receiver) is MethodType:
        return None  # perhaps of two objects
    function = innermost(receiver)
    if type(function) is not FunctionType or "<" in function.__qualname__:
        return None  # a lambda or a local function: each call of its maker makes another one
    code = function.__code__
    if code.co_filename.startswith("<"):
        return None  # no file: exec(), the console
    return _real_path(code.co_filename), code.co_firstlineno, function.__qualname__


def is_copy(one: object, other: object) -> bool:
    """Whether the same lines of a file made both, run twice: as two modules, or by a reload."""
    where = source(one)
    return where is not None and where == source(other) and innermost(one) is not innermost(other)


def numbered(found: Sequence[Entry]) -> list[int]:
    """For each connection 0, or a number that repeated connections of a receiver share."""
    alike: dict[object, list[int]] = {}
    for index, entry in enumerate(found):
        alike.setdefault(identity(entry.receiver), []).append(index)
        where = source(entry.receiver)
        if where is not None:
            alike.setdefault(where, []).append(index)
    numbers = [0] * len(found)
    for group in alike.values():
        for place, index in enumerate(group):
            for before in group[:place]:
                if _meet(found[index], found[before]) and _is_again(found[index], found[before]):
                    numbers[before] = numbers[index] = numbers[before] or before + 1
                    break
    return numbers


def _is_again(one: Entry, other: Entry) -> bool:
    same = identity(one.receiver) == identity(other.receiver)
    return same or innermost(one.receiver) is not innermost(other.receiver)


def _meet(one: Entry, other: Entry) -> bool:
    """Whether one send may call both."""
    if hears_any_sender(one.key) or hears_any_sender(other.key):
        return True
    return bool(one.key[1] == other.key[1])


def repeats(called: Sequence[Pair]) -> list[str]:
    """For each receiver that one send calls, describe why it is called again; "" if it is not."""
    return [_remark(pair, [other for other in called if other is not pair]) for pair in called]


def _remark(pair: Pair, others: Sequence[Pair]) -> str:
    found, entry = pair
    who = identity(found.receiver)
    same = [other for other in others if identity(other[0].receiver) == who]
    if same:
        times = often(len(same) + 1)
        return f"it is connected {times}, so it is called {times}: {_how([pair, *same])}"
    copies = [other for other in others if is_copy(other[0].receiver, found.receiver)]
    if not copies:
        return ""
    if copies[0][1].receiver != entry.receiver:
        return (
            f"the same code is called as {copies[0][1].receiver}, too: its module was imported "
            "under two names"
        )
    return "another copy of it is called, too: its module was loaded twice"


def _how(pairs: Sequence[Pair]) -> str:
    """Why Django treats these as different connections."""
    ways = []
    for _, entry in pairs:
        uid = entry.dispatch_uid
        way = "without a dispatch_uid" if uid is None else f"under dispatch_uid {json.dumps(uid)}"
        ways.append(way if entry.sender is None else f"{way} for sender {entry.sender}")
    return listing(ways)
