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
    """What these modules would connect to the signal, and have not.

    Where that is not clear it counts as connected: nobody should look for a mistake that is none.
    """
    known = [receiver for _, receiver in in_order(signal)]
    said = [
        (module.module, connect)
        for module in read
        for connect in module.connects
        if connect.signal == signal.signal
    ]
    may_be_any = _has_stranger(known, {connect.receiver for _, connect in said})
    for module, connect in said:
        is_imported = module in sys.modules
        if not (_is_done(connect, known) or (is_imported and may_be_any)):
            yield Absent(connect=connect, module=module, is_imported=is_imported)


def _has_stranger(known: Sequence[ReceiverEntry], named: set[str]) -> bool:
    """Whether one goes by another name than in the source, and nobody saw it being connected.

    As a decorator makes it that does not keep the name of what it decorates.
    """
    return any(
        entry.connected_at is None and not entry.is_pending and entry.receiver not in named
        for entry in known
    )


def _is_done(connect: Connect, known: Sequence[ReceiverEntry]) -> bool:
    """Whether one of the connections is what this code makes, by its name or its place."""
    for entry in known:
        if connect.receiver and entry.receiver == connect.receiver:
            return True
        at = entry.connected_at
        if at is not None and (at.path, at.line) == (connect.path, connect.line):
            return True
        if at is None and entry.path == connect.path and not connect.receiver:
            return True
    return False
