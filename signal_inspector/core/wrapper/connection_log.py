"""Remembers what was connected to a signal, even if the signal itself has forgotten it.

The next connect or send removes a receiver whose weak reference died from ``Signal.receivers``,
and Django 5.2 keeps only the ``id()`` of a sender. Therefore each connection is noted when it is
made, as plain strings and weak references.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from enum import StrEnum
from inspect import CO_COROUTINE
from threading import get_ident
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, NamedTuple

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID, _make_id  # type: ignore[attr-defined]

from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.record.values import Caller, ReceiverName
from signal_inspector.core.wrapper.django_entries import LookupKey, entries, lookup_key, reaches
from signal_inspector.names import (
    IdentityMap,
    Untold,
    noted_name,
    receiver_name,
    sender_name,
    told_name,
)
from signal_inspector.names.safe import Place, line_at, plain_text

#: Bound here, because tests (some of Django's too) replace ``weakref.ref`` to see how Django
#: calls it.
_weak: Final = weakref.ref

#: How many refusals, vain disconnects and disconnected keys are remembered per signal, of each.
_REMEMBERED: Final = 100

#: Dead receivers remembered per signal: enough to explain, bounded against per-request ones.
DEAD_KEPT: Final = 20

#: The same for receivers that were removed from ``signal.receivers`` by hand and may come back.
GONE_KEPT: Final = 200
_taken_back: IdentityMap[dict[LookupKey, None]] = IdentityMap()
#: Reentrant: a finalizer that runs meanwhile may connect and disconnect.
_lock = process_state.lock()


class Phase(StrEnum):
    """How far ``django.setup()`` has come."""

    APPS = "apps"  # not started, or importing the apps' packages and apps.py
    MODELS = "models"  # importing the apps' models
    READY = "ready"  # running the apps' ready()
    AFTER = "after"  # done: from now on, the project's signals are sent


_AFTER: Final = Phase.AFTER  # bound here, because looking it up in the enum is slow
_PARTS: Final = 8  # how many events hold a note that has no ``more``
#: The attribute that ``markcoroutinefunction()`` sets.
_ASYNC_MARK: Final = "_is_coroutine_marker" if sys.version_info >= (3, 12) else "_is_coroutine"
_NOWHERE: Final = (None, 0)


class _More(NamedTuple):
    """What else is noted about a connection, unless it is a plain function's for any sender."""

    name: ReceiverName | Untold
    is_async: bool
    sender: str | None
    sender_reference: weakref.ref[Any] | None
    dispatch_uid: str | None


class _Note(NamedTuple):
    """What is kept of one ``Signal.connect`` call until somebody reads it as a ``Connection``.

    Connecting must cost next to nothing, so the receiver's name, and the number of the line that
    connected it, are only worked out then.
    """

    code: Any  # this and the next two belong to the function; None if there is ``more``
    module: Any
    qualname: Any
    #: A reference to the receiver, or to a method's object; None if the receiver is named and
    #: held strongly. While a receiver lives, its name is the same as in the records.
    living: weakref.ref[Any] | None
    is_weak: bool
    place: Place | None
    phase: Phase
    more: _More | None


class Connection:
    """One ``Signal.connect`` call: which receiver it connected, and how."""

    __slots__ = (
        "connected_at",
        "dispatch_uid",
        "is_async",
        "is_weak",
        "note",
        "phase",
        "receiver",
        "reference",
        "sender",
        "sender_reference",
    )

    def __init__(self, note: _Note) -> None:
        self.note = note
        living = note.living
        more = note.more or _plain(note)
        name = more.name
        if not isinstance(name, ReceiverName):
            receiver = living and living()
            name = told_name(name) if receiver is None else receiver_name(receiver)
        #: The receiver that it connected.
        self.receiver = name
        self.is_weak = note.is_weak
        #: A weak reference to the receiver; None if it is held strongly.
        self.reference = living if self.is_weak else None
        self.is_async = more.is_async
        #: The name of the sender that it is limited to; None for any sender.
        self.sender = more.sender
        #: None for any sender, and for a sender that cannot be weakly referenced.
        self.sender_reference = more.sender_reference
        #: None if it is neither a string nor a number.
        self.dispatch_uid = more.dispatch_uid
        #: The code that called connect.
        self.connected_at = None if note.place is None else _told_place(note.place)
        #: When connect was called.
        self.phase = note.phase


class Refusal(NamedTuple):
    """A ``connect()`` that Django ignored, because its ``dispatch_uid`` was in use."""

    refused: Connection
    holder: Connection  # the connection that has the dispatch_uid


class Vain(NamedTuple):
    """A ``disconnect()`` that found nothing, because the receiver was connected differently."""

    receiver: ReceiverName
    sender: str | None  # this and the next one as passed to disconnect
    dispatch_uid: str | None
    place: Caller | None  # the code that called disconnect
    kept: LookupKey  # the key of the connection that it did not find


class _Notes(dict[LookupKey, "_Note | Connection"]):
    """The noted connections of a signal, in the order they were made, as of ``settle()``.

    Events are only appended to a list. They are worked into the notes when somebody reads the
    notes, or when the list has become too long.
    """

    __slots__ = ("dead", "enter", "events", "has_unread", "settled_at", "settled_by")

    def __init__(self) -> None:
        #: Connections, and weak references that died; the latter append themselves. A usual
        #: connection is kept as the parts of its note, the code first: this makes no lasting
        #: object, as each one would bring Python's next garbage collection closer.
        self.events: list[Any] = []
        #: Appends an event. Not a function of ours: what a signal handler raises in a callback
        #: would be lost.
        self.enter: Final[Callable[[Any], object]] = self.events.append
        #: The dead connections, in the order in which they died, and the code that made each.
        self.dead: dict[LookupKey, object] = {}
        self.has_unread = False
        #: The thread that is working out the events now.
        self.settled_by: int | None = None
        #: The number of events at which they are worked out.
        self.settled_at = 2 * DEAD_KEPT * _PARTS

    def settle(self, signal: Signal) -> None:
        """Work the events into the notes.

        Of the dead connections, only the latest are kept, and none whose code has connected again
        since.
        """
        events = self.events[:]
        me = get_ident()  # in a forked child, a thread of the parent may have been doing this
        if not events or self.settled_by == me:  # a finalizer connects while this runs
            return
        self.settled_by = me
        try:
            self._work_out(signal, events)
        finally:
            del self.events[: len(events)]
            self.settled_by = None

    def _work_out(self, signal: Signal, events: list[Any]) -> None:
        keys: dict[int, LookupKey] | None = None  # by weak reference
        for event in _told(events):
            if isinstance(event, _Note):
                if event.more is None:
                    self._take_in(event, keys)
                if self.dead:
                    self._forget_predecessors(event)
                continue
            if keys is None:
                keys = {id(_noted(each).living): key for key, each in list(self.items())}
            found = keys.get(id(event))
            if found is not None and found in self:
                self.dead[found] = _made_by(_noted(self[found]))
                if len(self.dead) > DEAD_KEPT:
                    self.drop(next(iter(self.dead)))
        if len(self) > GONE_KEPT and len(self) > _length(signal.receivers) + GONE_KEPT:
            connected = {key for key, _, _ in entries(signal)}
            for key in [key for key in list(self) if key not in connected][:-GONE_KEPT]:
                self.drop(key)
        self.settled_at = max(2 * DEAD_KEPT, len(self)) * _PARTS

    def _forget_predecessors(self, note: _Note) -> None:
        made_by = _made_by(note)
        for key in [key for key, other in self.dead.items() if other == made_by]:
            self.drop(key)

    def _take_in(self, note: _Note, keys: dict[int, LookupKey] | None) -> None:
        """Note a connection that was appended without a lock, unless it existed already."""
        receiver = note.living and note.living()
        if receiver is None and not note.is_weak:
            return  # Django, which would hold it, ignored this one, or it was removed by hand
        key = (object() if receiver is None else id(receiver), NONE_ID)
        if key in self:
            held = _noted(self[key]).living
            if held is not None and held() is receiver:
                return
            self.set_aside(key)
        self[key] = note
        self.has_unread = True
        if keys is not None:
            keys[id(note.living)] = key

    def drop(self, key: LookupKey) -> None:
        self.pop(key, None)
        if self.dead:
            self.dead.pop(key, None)

    def set_aside(self, key: LookupKey) -> None:
        """Keep the note of a key that is in use again; usually its receiver is dead."""
        beside = (object(), key)
        self[beside] = self.pop(key)
        if key in self.dead:
            self.dead[beside] = self.dead.pop(key)

    def read(self, key: LookupKey) -> Connection:
        each = self[key]
        if isinstance(each, _Note):
            each = self[key] = Connection(each)
        return each

    def read_all(self) -> dict[LookupKey, Connection]:
        if self.has_unread:
            self.has_unread = False
            for key in list(self):
                self.read(key)
        return {key: each for key, each in list(self.items()) if isinstance(each, Connection)}


def _told(events: list[Any]) -> Iterator[_Note | weakref.ref[Any]]:
    """The events: notes as whole objects, and the weak references that died in between."""
    at = 0
    while at < len(events):
        event = events[at]
        if type(event) is CodeType:
            code, module, qualname, living, is_weak, place, line, phase = events[at : at + _PARTS]
            place = None if place is None else (place, line)
            yield _Note(code, module, qualname, living, is_weak, place, phase, None)
            at += _PARTS
        else:
            yield event
            at += 1


def _length(receivers: Any) -> int:
    return len(receivers) if isinstance(receivers, list | tuple) else 0


def _noted(each: _Note | Connection) -> _Note:
    return each if isinstance(each, _Note) else each.note


def _made_by(note: _Note) -> object:
    """A value that is equal for receivers that the same code makes."""
    more = note.more
    if more is None:
        module = note.module if type(note.module) is str else None
        return module, plain_text(note.qualname), note.code.co_filename, note.code.co_firstlineno
    return more.name, more.sender, more.dispatch_uid


def _plain(note: _Note) -> _More:
    is_async = note.code.co_flags & CO_COROUTINE != 0
    return _More((note.module, note.qualname, note.code, False), is_async, None, None, None)


_log: IdentityMap[_Notes] = IdentityMap()


_refused: IdentityMap[dict[tuple[object, ...], Refusal]] = IdentityMap()


_vain: IdentityMap[dict[tuple[object, ...], Vain]] = IdentityMap()


def note_connect(
    signal: Signal,
    receiver: Any,
    sender: object,
    weak: object,
    dispatch_uid: object,
    place: Place | None,
) -> None:
    """Remember a connection that Django has just made.

    Each step costs time at every connect of every signal. It costs more if Django goes through
    thousands of receivers, which leaves nothing of ours in the processor's caches. A usual
    connection is therefore only appended to a list, without a lock.
    """
    try:
        known = _log.by_id.get(id(signal))
        if known is None:
            known = _new_notes(signal)
        if (
            sender is None
            and dispatch_uid is None
            and type(receiver) is FunctionType
            and getattr(receiver, "__wrapped__", None) is None  # `__dict__` would be created
            and getattr(receiver, _ASYNC_MARK, None) is None
        ):
            if weak:
                living, is_weak = _weak(receiver, known.enter), True
            else:
                living, is_weak = _weak(receiver), False
            code, line = place or _NOWHERE
            events = known.events
            events.extend(  # in one call, because other threads append too
                (
                    receiver.__code__,
                    receiver.__module__,
                    receiver.__qualname__,
                    living,
                    is_weak,
                    code,
                    line,
                    _AFTER if apps.ready else _phase(),
                )
            )
            if len(events) > known.settled_at:
                with _lock:
                    known.settle(signal)
            return
        with _lock:
            known.settle(signal)
            key = lookup_key(receiver, sender, dispatch_uid)
            when_dead = known.enter if weak else None
            full = _full_note(receiver, sender, dispatch_uid, place, when_dead)
            if key not in known or _gives_way(signal, known, key, receiver, full):
                known[key] = full
                known.has_unread = True
                known.enter(full)
    except Exception as error:
        internal_errors.report("recording a connection", error)


def _new_notes(signal: Signal) -> _Notes:
    with _lock:
        known = _log.get(signal)
        if known is None:
            known = _Notes()
            _log.set(signal, known)
        return known


def _full_note(
    receiver: Any,
    sender: object,
    dispatch_uid: object,
    place: Place | None,
    when_dead: Callable[[weakref.ref[Any]], object] | None,
) -> _Note:
    name, living = noted_name(receiver), None
    if when_dead is not None:
        living = _reference(receiver, when_dead)
    elif type(name) is not ReceiverName:
        living = _weak(receiver)
    more = _More(
        name,
        _is_async(receiver),
        None if sender is None else sender_name(sender),
        None if sender is None else _sender_reference(sender),
        str(dispatch_uid) if isinstance(dispatch_uid, str | int) else None,
    )
    return _Note(None, None, None, living, when_dead is not None, place, _phase(), more)


def _gives_way(
    signal: Signal, known: _Notes, key: LookupKey, receiver: object, note: _Note
) -> bool:
    """Whether the note under this key can be replaced, because Django took the connection."""
    held, connection = known.read(key), Connection(note)
    if _is_new(signal, key, receiver, connection, held):
        known.set_aside(key)
        return True
    if held.receiver != connection.receiver:
        refusal = Refusal(connection, held)
        _remember(_refused, signal, (connection.receiver, *key), refusal)
    return False


def _is_async(receiver: Any) -> bool:
    """The same as ``iscoroutinefunction()``, which would take as long as everything else here."""
    function = receiver.__func__ if type(receiver) is MethodType else receiver
    if type(function) is FunctionType and getattr(function, _ASYNC_MARK, None) is None:
        return function.__code__.co_flags & CO_COROUTINE != 0
    return bool(iscoroutinefunction(receiver))


def _phase() -> Phase:
    if apps.ready:
        return Phase.AFTER
    if apps.models_ready:
        return Phase.READY
    return Phase.MODELS if apps.apps_ready else Phase.APPS


def _is_new(
    signal: Signal,
    key: LookupKey,
    receiver: object,
    connection: Connection,
    held: Connection,
) -> bool:
    """Whether Django took the connection; it ignores a second one under the same key."""
    if is_dead(held):
        return True
    if held.receiver == connection.receiver:
        return False
    # Another receiver under the same dispatch_uid. It is connected only if the noted one was
    # removed without our seeing it, for example by an assignment to `signal.receivers`.
    connected = (live for found, live, _ in entries(signal) if found == key)
    return bool(_make_id(next(connected, None)) == _make_id(receiver))


def note_disconnect(
    signal: Signal, receiver: object, sender: object, dispatch_uid: object
) -> None:
    """Forget a connection that was disconnected on purpose."""
    try:
        key = lookup_key(receiver, sender, dispatch_uid)
        with _lock:
            known = _log.by_id.get(id(signal))
            if known is not None:
                known.settle(signal)
                known.drop(key)
            _remember(_taken_back, signal, key, None)
    except Exception as error:
        internal_errors.report("recording a connection", error)


def note_vain_disconnect(
    signal: Signal, receiver: object, sender: object, dispatch_uid: object, place: Place | None
) -> None:
    """Remember a ``disconnect()`` that found nothing, if the receiver is still called.

    A receiver that was never connected, or was disconnected before, is left out: disconnecting
    twice to be sure is not a mistake.
    """
    try:
        key = lookup_key(receiver, sender, dispatch_uid)
        with _lock:
            if key in (_taken_back.get(signal) or {}):
                return
            kept = _kept_connection(signal, key, receiver, sender)
            if kept is None:
                return
            vain = Vain(
                receiver=receiver_name(kept[1]),
                sender=None if sender is None else sender_name(sender),
                dispatch_uid=str(dispatch_uid) if isinstance(dispatch_uid, str | int) else None,
                place=None if place is None else _told_place(place),
                kept=kept[0],
            )
            _remember(_vain, signal, (vain.receiver, *key), vain)
    except Exception as error:
        internal_errors.report("recording a connection", error)


def _kept_connection(
    signal: Signal, key: LookupKey, receiver: object, sender: object
) -> tuple[LookupKey, Any] | None:
    """The connection of the receiver, or under the uid, that the call meant but did not find."""
    for found, live, _ in entries(signal):
        if live is None or not (found[0] == key[0] or _make_id(live) == _make_id(receiver)):
            continue
        if sender is None or reaches(found, sender):
            return found, live
    return None


def refusals(signal: Signal) -> list[Refusal]:
    """The receivers that are not connected because another still has their ``dispatch_uid``."""
    with _lock:
        found = list((_refused.get(signal) or {}).values())
        known = known_connections(signal)
        connected = {it.receiver for it in known.values()}
        holders = {id(it) for it in known.values()}
        return [
            each
            for each in found
            if each.refused.receiver not in connected and id(each.holder) in holders
        ]


def vain_disconnects(signal: Signal) -> list[Vain]:
    """The calls of ``disconnect()`` that found nothing, for receivers that are still connected."""
    with _lock:
        found = list((_vain.get(signal) or {}).values())
    connected = {key for key, live, _ in entries(signal) if live is not None} if found else set()
    return [each for each in found if each.kept in connected]


def _remember(where: IdentityMap[Any], signal: Signal, key: object, value: object) -> None:
    known = where.by_id.get(id(signal))
    if known is None:
        known = {}
        where.set(signal, known)
    if len(known) < _REMEMBERED or key in known:
        known[key] = value


def _reference(receiver: Any, when_dead: Callable[[weakref.ref[Any]], object]) -> weakref.ref[Any]:
    """A reference that tells whether the receiver lives; for a bound method, whether its object.

    ``WeakMethod`` is not used: if object, class and signal are collected together, its callback
    fails, and Python prints the error. Django has one as well, but one is enough.
    """
    is_method = type(receiver) is MethodType
    if is_method or (hasattr(receiver, "__self__") and hasattr(receiver, "__func__")):
        return _weak(receiver.__self__, when_dead)
    return _weak(receiver, when_dead)


def _sender_reference(sender: object) -> weakref.ref[Any] | None:
    if sender is None:
        return None
    try:
        return _weak(sender)
    except TypeError:  # a string, or an instance with slots
        return None


def _told_place(place: Place) -> Caller:
    code, instruction = place
    return Caller(code.co_filename, line_at(code, instruction), code.co_qualname)


def is_dead(connection: Connection) -> bool:
    """Whether the receiver is gone because only a weak reference held it."""
    return connection.reference is not None and connection.reference() is None


def is_senderless(connection: Connection) -> bool:
    """Whether the only sender that it was connected for is gone.

    From Django 6.0 on, this ends the connection. Django 5.2 keeps it, and would call the receiver
    for any later object that gets the sender's id.
    """
    return connection.sender_reference is not None and connection.sender_reference() is None


def known_connections(signal: Signal) -> dict[LookupKey, Connection]:
    """The noted connections of a signal, dead ones included, in the order they were made."""
    with _lock:
        known = _log.get(signal)
        if known is None:
            return {}
        known.settle(signal)
        return known.read_all()
