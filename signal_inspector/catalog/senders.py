"""Senders that are known by a text, or by nothing but their id."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterator
from typing import Final

from django.apps import apps

from signal_inspector.connections import Entry
from signal_inspector.names import class_path, sender_name
from signal_inspector.names.safe import is_class, namespace_of

UNKNOWN: Final = "?"


_found: dict[int, weakref.ref[type]] = {}
_missed: dict[int, int] = {}  # how many modules were loaded when no class of this id was found


def name_of_unknown(entry: Entry) -> str:
    """The name of the one sender of a connection that nobody saw being made, or "?".

    Django 5.2 keeps no more of a sender than its id. The class that has this id now is the one
    whose sends reach the receiver, even if it should not be the one that was meant.
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
