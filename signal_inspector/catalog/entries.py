"""What is connected in this process now: signals, and their receivers in order of execution.

``marks`` says in one to three words what is unusual about a connection; a usual one has none.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from django.apps import apps
from django.dispatch import Signal

from signal_inspector.catalog import connections
from signal_inspector.conf import get_config, is_inspected
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Caller, ReceiverName
from signal_inspector.core.wrapper import connection_log, django_entries
from signal_inspector.core.wrapper.connection_log import Connection
from signal_inspector.core.wrapper.django_entries import Entry
from signal_inspector.names import (
    anonymous_signals,
    class_path,
    creation_place,
    loaded_signals,
    receiver_name,
    sender_name,
)
from signal_inspector.names.safe import is_class, namespace_of

UNKNOWN: Final = "?"

_found: dict[int, weakref.ref[type]] = {}
_missed: dict[int, int] = {}  # how many modules were loaded when no class of this id was found

_NEAR: Final = 5  # lines from a definition to its decorator


def name_of_unknown(entry: Entry) -> str:
    """The name of the sender of a connection that was not seen being made, or "?".

    Django 5.2 keeps only the id of a sender. The sends of the class that has this id now reach
    the receiver, even if another class was meant.
    """
    if entry.sender is not None:
        return sender_name(entry.sender)
    cls = _class_of(entry.key[1]) if isinstance(entry.key[1], int) else None
    return UNKNOWN if cls is None else class_path(cls)


def _class_of(wanted: int) -> type | None:
    """The class that has this id."""
    known = _found.get(wanted)
    cls = None if known is None else known()
    if cls is not None or _missed.get(wanted) == len(sys.modules):
        return cls
    for found in (*_models(), *_loaded_classes()):
        if id(found) == wanted:
            _found[wanted] = weakref.ref(found)
            return found
    _missed[wanted] = len(sys.modules)
    return None


def _models() -> Iterator[type]:
    if apps.models_ready:
        yield from apps.get_models(include_auto_created=True, include_swapped=True)


def _loaded_classes() -> Iterator[type]:
    """The classes that are attributes of the loaded modules, some of them more than once."""
    for module in dict.copy(sys.modules).values():
        for value in dict.copy(namespace_of(module) or {}).values():
            if is_class(value):
                yield value


class State(StrEnum):
    """What has become of a connection."""

    CONNECTED = "connected"
    DEAD = "dead"  # its weak reference died
    PENDING = "pending"  # its sender is a model that is not loaded
    TAKEN_OUT = "taken out"  # signal.receivers was replaced
    SENDERLESS = "sender gone"  # the only sender that it listened to is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverEntry:
    """One connection of a receiver to a signal."""

    receiver: str
    path: str
    line: int
    #: The only sender that it listens to; None for any, "?" if it is not known. For a pending
    #: connection, the model that it waits for: "shop.order", in lower case, as Django keeps it.
    sender: str | None
    is_async: bool
    is_weak: bool | None  # None only for a dead one that was not seen being connected
    dispatch_uid: str | None
    connected_at: Caller | None  # None if it was connected before the wrapper was installed
    is_dead: bool  # its weak reference died: it will never be called
    is_pending: bool = False  # its sender is a model that is not loaded: not called until it is
    #: It lives and was never disconnected, but is not in ``signal.receivers``, because that list
    #: was replaced, as factory_boy's mute_signals() does.
    is_taken_out: bool = False
    is_senderless: bool = False  # the only sender that it listened to is gone
    #: If not 0, a dispatch may call the same receiver through all connections with this number.
    repetition: int = 0

    @property
    def state(self) -> State:
        """The state of the connection, from the fields above."""
        if self.is_dead:
            return State.DEAD
        if self.is_pending:
            return State.PENDING
        if self.is_senderless:
            return State.SENDERLESS
        return State.TAKEN_OUT if self.is_taken_out else State.CONNECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalEntry:
    """A signal that a loaded module holds."""

    signal: str
    receivers: tuple[ReceiverEntry, ...]  # sync ones first, as Django calls them; dead ones last
    pending: tuple[ReceiverEntry, ...] = ()  # model signals only: in the order of connecting
    taken_out: tuple[ReceiverEntry, ...] = ()  # in the order of connecting
    senderless: tuple[ReceiverEntry, ...] = ()  # in the order of connecting
    is_inspected: bool = True  # whether INCLUDE and EXCLUDE let its dispatches be recorded
    kind: str = "django.dispatch.dispatcher.Signal"  # its class
    path: str = ""  # of the file that makes it
    line: int = 0  # 0 if it was made before the wrapper was installed
    problem: str = ""  # why its receivers, or some of them, cannot be read

    @property
    def connections(self) -> tuple[ReceiverEntry, ...]:
        """All of this signal, whether the receiver is called or not."""
        return (*self.receivers, *self.pending, *self.taken_out)


def describe(*, everything: bool = False) -> list[SignalEntry]:
    """Every inspected signal of the loaded modules, by name, with its connections.

    ``everything`` adds the signals that are not inspected (Django's own and those that EXCLUDE
    names), and those that no module holds: local ones, and attributes of instances.
    """
    config = get_config()
    waiting = connections.pending_connections()
    signals = list(loaded_signals().items())
    if everything:
        signals += anonymous_signals()
    found = []
    for name, signal in sorted(signals, key=lambda each: each[0]):
        inspected = is_inspected(name, config.include, config.exclude)
        if inspected or everything:
            entry = _describe(name, signal, waiting.get(id(signal), ()))
            found.append(entry if inspected else replace(entry, is_inspected=False))
    return found


def describe_signal(signal: Signal, name: str) -> SignalEntry:
    """The entry that ``describe`` makes for one signal, under this name."""
    config = get_config()
    entry = _describe(name, signal, connections.pending_connections().get(id(signal), ()))
    return replace(entry, is_inspected=is_inspected(name, config.include, config.exclude))


def _describe(
    name: str, signal: Signal, waiting: tuple[connections.PendingConnection, ...]
) -> SignalEntry:
    path, line = creation_place(signal, name)
    entry = SignalEntry(
        signal=name,
        receivers=(),
        pending=tuple(map(_pending, waiting)),
        kind=class_path(type(signal)),
        path=path,
        line=line,
    )
    try:
        return replace(
            entry,
            receivers=tuple(receivers_of(signal)),
            taken_out=tuple(taken_out_of(signal)),
            senderless=tuple(senderless_of(signal)),
            problem=django_entries.oddity(signal),
        )
    except Exception as error:  # a subclass may make anything of `receivers`
        internal_errors.let_through(error)
        return replace(entry, problem=f"its receivers cannot be read: {type(error).__name__}")


def receivers_of(signal: Signal) -> list[ReceiverEntry]:
    """The connections of one signal, in the order in which Django calls them; dead ones last."""
    return [entry for _, entry in connected(signal)] + dead_of(signal)


def connected(signal: Signal) -> list[tuple[django_entries.Entry, ReceiverEntry]]:
    """The live entries of the signal's own list, in the order in which Django calls them."""
    known = connection_log.known_connections(signal)
    live = []
    for found in django_entries.full_entries(signal):
        connection = known.get(found.key)
        if found.receiver is None or (connection and connection_log.is_senderless(connection)):
            continue
        live.append((found, _live(found, connection)))
    live.sort(key=lambda pair: pair[1].is_async)
    numbers = connections.numbered([found for found, _ in live])
    return [
        (found, replace(entry, repetition=number) if number else entry)
        for (found, entry), number in zip(live, numbers, strict=True)
    ]


def dead_of(signal: Signal) -> list[ReceiverEntry]:
    """The connections whose weak reference died, in the order of connecting."""
    known = connection_log.known_connections(signal).values()
    return [_noted(each, is_dead=True) for each in known if connection_log.is_dead(each)]


def senderless_of(signal: Signal) -> list[ReceiverEntry]:
    """The connections whose receiver lives, but not the only sender that it listened to."""
    known = connection_log.known_connections(signal).values()
    return [_noted(each, is_senderless=True) for each in known if _is_only_senderless(each)]


def taken_out_of(signal: Signal) -> list[ReceiverEntry]:
    """The connections that live and were never disconnected, but are not in ``receivers`` now."""
    known = connection_log.known_connections(signal)
    for key, _, _ in django_entries.entries(signal):
        known.pop(key, None)
    return [
        _noted(each, is_taken_out=True)
        for each in known.values()
        if not connection_log.is_dead(each) and not connection_log.is_senderless(each)
    ]


def _is_only_senderless(connection: Connection) -> bool:
    return connection_log.is_senderless(connection) and not connection_log.is_dead(connection)


def _live(found: django_entries.Entry, connection: Connection | None) -> ReceiverEntry:
    name = receiver_name(found.receiver) if connection is None else connection.receiver
    if connection is not None:
        sender = connection.sender
    elif django_entries.hears_any_sender(found.key):
        sender = None
    else:
        sender = name_of_unknown(found)
    return _entry(
        name,
        sender=sender,
        is_async=found.is_async,
        is_weak=found.is_weak,
        dispatch_uid=found.dispatch_uid if connection is None else connection.dispatch_uid,
        connected_at=None if connection is None else connection.connected_at,
    )


def _noted(connection: Connection, **state: bool) -> ReceiverEntry:
    """An entry from the note of a connection that the signal itself has forgotten."""
    return _entry(
        connection.receiver,
        sender=connection.sender,
        is_async=connection.is_async,
        is_weak=connection.is_weak,
        dispatch_uid=connection.dispatch_uid,
        connected_at=connection.connected_at,
        **state,
    )


def _pending(connection: connections.PendingConnection) -> ReceiverEntry:
    return _entry(
        connection.receiver,
        sender=connection.model,
        is_async=connection.is_async,
        is_weak=connection.is_weak,
        dispatch_uid=connection.dispatch_uid,
        is_pending=True,
    )


def _entry(name: ReceiverName, **told: Any) -> ReceiverEntry:
    unless_told: dict[str, Any] = {"connected_at": None, "is_dead": False}
    return ReceiverEntry(
        receiver=name.name, path=name.path, line=name.line, **(unless_told | told)
    )


@dataclass(frozen=True, slots=True)
class Mark:
    """A word next to a receiver."""

    text: str
    is_wrong: bool = False  # the receiver does not run, or runs too often


@dataclass(frozen=True, slots=True)
class Marked:
    """A connection with its marks."""

    order: int  # from 1 on, in the order of execution; 0 if it would not run
    entry: ReceiverEntry
    marks: tuple[Mark, ...]


def marked(signal: SignalEntry) -> list[Marked]:
    """All connections of a signal: those that run, in order, then those that do not."""
    found = []
    order = 0
    for entry in signal.receivers:
        order += not entry.is_dead
        found.append(Marked(0 if entry.is_dead else order, entry, tuple(_marks(entry))))
    found += [Marked(0, entry, tuple(_marks(entry))) for entry in signal.pending]
    taken_out = Mark("taken out of the signal", is_wrong=True)
    found += [Marked(0, entry, (*_marks(entry), taken_out)) for entry in signal.taken_out]
    return found


def connected_elsewhere(entry: ReceiverEntry) -> Caller | None:
    """Where it was connected, unless that is where it is defined, as with a decorator."""
    at = entry.connected_at
    if at is None or (at.path == entry.path and abs(at.line - entry.line) <= _NEAR):
        return None
    return at


def twice(signal: SignalEntry) -> int:
    """How many receivers one dispatch may call more than once."""
    return len({entry.repetition for entry in signal.receivers} - {0})


def _marks(entry: ReceiverEntry) -> Iterator[Mark]:
    if entry.is_async:
        yield Mark("async")
    if entry.is_pending:
        yield Mark(f"waits for the model {entry.sender}", is_wrong=True)
    elif entry.sender is not None:
        yield Mark("one sender only" if entry.sender == "?" else f"only {entry.sender}")
    if entry.dispatch_uid is not None:
        yield Mark(f"uid {entry.dispatch_uid}")
    if entry.is_weak is False:
        yield Mark("strong")
    if entry.is_dead:
        yield Mark("dead reference", is_wrong=True)
    if entry.repetition:
        yield Mark("connected twice", is_wrong=True)
