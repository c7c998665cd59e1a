"""The shape of Django's private entries: the keys and the contents of ``Signal.receivers``.

It differs between Django's versions. Only this module and ``instrument`` know it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any, NamedTuple

from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID, _make_id  # type: ignore[attr-defined]

from signal_inspector.names import class_path

LookupKey = tuple[Any, Any]


def lookup_key(receiver: object, sender: object, dispatch_uid: object) -> LookupKey:
    """Our counterpart of the key under which Django stores a connection."""
    other = NONE_ID if sender is None else _make_id(sender)
    if not dispatch_uid and type(receiver) is FunctionType:  # like _make_id(), but faster
        return id(receiver), other
    uid = dispatch_uid or _make_id(receiver)
    return uid if type(uid) is int else _steady(uid), other


def _steady(part: object) -> object:
    """A part of Django's key, without the user's objects, which a key would keep alive."""
    if isinstance(part, (str, int)):
        return part
    try:
        return hash(part)
    except TypeError:  # not hashable: Django only compares it
        return id(part)


def hears_any_sender(key: LookupKey) -> bool:
    """Whether a connection under this key is not limited to one sender."""
    return bool(key[1] == NONE_ID)


def reaches(key: LookupKey, sender: object) -> bool:
    """Whether a send from this sender calls the receiver connected under this key."""
    return bool(key[1] in (NONE_ID, _make_id(sender)))


class Entry(NamedTuple):
    """What ``Signal.receivers`` itself says about one connection."""

    key: LookupKey  # as from lookup_key()
    receiver: Any  # None if dead
    is_async: bool
    is_weak: bool
    dispatch_uid: str | None
    sender: object | None  # None if Django keeps only its id, as 5.2 does


def entries(signal: Signal) -> Iterator[tuple[LookupKey, Any, bool]]:
    """``(lookup_key(), receiver or None if dead, is_async)`` of each current connection."""
    for key, receiver, _, is_async in _raw_entries(signal):
        yield _steady_key(key), _followed(receiver), is_async


def full_entries(signal: Signal) -> Iterator[Entry]:
    """The same as ``Entry`` objects. Do not keep the ``sender`` of one."""
    for key, receiver, sender, is_async in _raw_entries(signal):
        yield Entry(
            key=_steady_key(key),
            receiver=_followed(receiver),
            is_async=is_async,
            is_weak=issubclass(type(receiver), weakref.ReferenceType),
            # Without a uid, this is the id of the receiver, or the ids of a method's parts.
            dispatch_uid=key[0] if isinstance(key[0], str) else None,
            sender=_followed(sender),
        )


def _raw_entries(signal: Signal) -> Iterator[tuple[tuple[Any, ...], Any, Any, bool]]:
    """``(key, receiver, sender or None, is_async)`` as Django has them.

    The entry's shape differs between Django's versions; its first two fields and its last do
    not: (key, reference, [sender reference,] is_async). An unknown shape yields nothing.
    """
    receivers: Any = signal.receivers
    for entry in tuple(receivers) if isinstance(receivers, Iterable) else ():
        if isinstance(entry, tuple) and len(entry) >= 3 and _is_key(entry[0]):
            sender = entry[2] if len(entry) > 3 else None
            yield entry[0], entry[1], sender, bool(entry[-1])


def oddity(signal: Signal) -> str:
    """Describe what in ``signal.receivers`` has a form of no known Django; normally ""."""
    receivers: Any = signal.receivers
    if not isinstance(receivers, list | tuple):
        return f"signal.receivers is not a list, but a {class_path(type(receivers))}"
    odd = len(receivers) - sum(1 for _ in _raw_entries(signal))
    if not odd:
        return ""
    return f"{odd} of {len(receivers)} entries of signal.receivers have an unknown form"


def _is_key(key: object) -> bool:
    return isinstance(key, tuple) and len(key) == 2


def _steady_key(key: tuple[Any, ...]) -> LookupKey:
    return _steady(key[0]), key[1]


def _followed(reference: Any) -> Any:
    """The referent of a weak reference; any other value itself."""
    return reference() if issubclass(type(reference), weakref.ReferenceType) else reference
