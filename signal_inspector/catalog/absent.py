"""Receivers that the source connects to a signal, and that are not connected all the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry
from signal_inspector.catalog.selection import in_order
from signal_inspector.catalog.source_records import Connect, ModuleSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """What the source says, and whether its module was ever imported."""

    connect: Connect
    module: str
    is_imported: bool


def absent(signal: SignalEntry, read: Sequence[ModuleSource]) -> Iterator[Absent]:
    """What these modules would connect to the signal, and have not."""
    known = [receiver for _, receiver in in_order(signal)]
    for module in read:
        for connect in module.connects:
            if connect.signal == signal.signal and not _is_done(connect, known):
                yield Absent(
                    connect=connect, module=module.module, is_imported=module.module in sys.modules
                )


def _is_done(connect: Connect, known: Sequence[ReceiverEntry]) -> bool:
    """Whether one of the connections is what this code makes, as far as can be told.

    Where that is not clear it is: nobody should look for a mistake that is none.
    """
    for entry in known:
        if connect.receiver and entry.receiver == connect.receiver:
            return True
        at = entry.connected_at
        if at is not None and (at.path, at.line) == (connect.path, connect.line):
            return True
        if at is None and entry.path == connect.path and not connect.receiver:
            return True
    return False
