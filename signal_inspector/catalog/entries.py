"""What is connected in this process now: signals, and their receivers in order of execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.dispatch import Signal

from signal_inspector import connections
from signal_inspector.conf import get_config
from signal_inspector.connections import Connection
from signal_inspector.names import is_inspected, loaded_signals, receiver_name
from signal_inspector.records import Caller, ReceiverName


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverEntry:
    """One connection of a receiver to a signal."""

    receiver: str
    path: str
    line: int
    sender: str | None  # the only sender it listens to; None for any, "?" where it is not known
    is_async: bool
    is_weak: bool | None  # None where it was connected before the wrapper was installed
    dispatch_uid: str | None
    connected_at: Caller | None  # None where it was connected before the wrapper was installed
    is_dead: bool  # its weak reference died: it will never be called


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEntry:
    """A signal that some loaded module holds."""

    signal: str
    receivers: tuple[ReceiverEntry, ...]  # sync ones first, as Django calls them; dead ones last


def describe() -> list[SignalEntry]:
    """Every inspected signal of the loaded modules, by name, with what is connected to it."""
    config = get_config()
    return [
        SignalEntry(signal=name, receivers=tuple(receivers_of(signal)))
        for name, signal in sorted(loaded_signals().items())
        if is_inspected(name, config.include, config.exclude)
    ]


def receivers_of(signal: Signal) -> list[ReceiverEntry]:
    """What is connected to one signal, in the order in which Django calls it."""
    known = connections.known_connections(signal)
    live, dead = [], []
    for key, receiver, is_async in connections.entries(signal):
        connection = known.pop(key, None)
        if receiver is not None:
            live.append(_live(key, receiver, is_async, connection))
        elif connection is not None:
            dead.append(_dead(connection))
    live.sort(key=lambda entry: entry.is_async)
    dead += [_dead(connection) for connection in known.values() if connections.is_dead(connection)]
    return live + dead


def _live(
    key: connections.LookupKey, receiver: Any, is_async: bool, connection: Connection | None
) -> ReceiverEntry:
    unknown = None if connections.hears_any_sender(key) else "?"
    return _entry(
        receiver_name(receiver) if connection is None else connection.receiver,
        connection,
        sender=unknown if connection is None else connection.sender,
        is_async=is_async,
        is_dead=False,
    )


def _dead(connection: Connection) -> ReceiverEntry:
    return _entry(
        connection.receiver, connection, sender=connection.sender, is_async=False, is_dead=True
    )


def _entry(
    name: ReceiverName,
    connection: Connection | None,
    *,
    sender: str | None,
    is_async: bool,
    is_dead: bool,
) -> ReceiverEntry:
    return ReceiverEntry(
        receiver=name.name,
        path=name.path,
        line=name.line,
        sender=sender,
        is_async=is_async,
        is_weak=None if connection is None else connection.is_weak,
        dispatch_uid=None if connection is None else connection.dispatch_uid,
        connected_at=None if connection is None else connection.connected_at,
        is_dead=is_dead,
    )
