"""Summaries of lists, dicts, sets and what else holds values, opened to a depth and a width."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from signal_inspector import trouble
from signal_inspector.payload.anatomy import MISSING, attribute, class_attribute, short_name
from signal_inspector.payload.summaries import (
    Build,
    Kinds,
    Known,
    Learn,
    Work,
    describe,
    redacted,
    summary,
    type_of,
)
from signal_inspector.payload.text import one_line
from signal_inspector.records import Summary

_KEY_LENGTH = 100  # characters of a dict's key
_MOST_FIELDS = 100  # of a dataclass or a namedtuple that are looked for
_ATTEMPTS = 3  # at a dict that another thread is changing
_INDEXES = tuple(map(str, range(100)))


def _sequence(work: Work, value: Any, known: Known, depth: int) -> Summary:
    noun, length_of, iterate = known.facts
    length = length_of(value)
    members = _snapshot(iterate, value, _opened(work, depth, length))
    inside = depth + 1
    items = [
        (_INDEXES[index] if index < 100 else str(index), describe(work, member, inside))
        for index, member in enumerate(members)
    ]
    return _collection(work, known, f"{noun} of {length}", items, length)


def _pair_or_sequence(work: Work, value: Any, known: Known, depth: int) -> Summary:
    """As ``_sequence``, but a pair's first member may name a secret: ``("X-Api-Key", "…")``."""
    noun, length_of, iterate = known.facts
    if length_of(value) != 2 or depth >= work.depth or work.left < 2:
        return _sequence(work, value, known, depth)
    members = _snapshot(iterate, value, 2)
    if len(members) < 2 or not _names_secret(work, members[0]):
        return _sequence(work, value, known, depth)
    work.left -= 2
    items = [("0", describe(work, members[0], depth + 1)), ("1", redacted(type_of(members[1])))]
    return _collection(work, known, f"{noun} of 2", items, 2)


def _dict(work: Work, value: dict[Any, Any], known: Known, depth: int) -> Summary:
    length = dict.__len__(value)
    pairs = _snapshot(dict.items, value, _opened(work, depth, length))
    items = [_item(work, key, member, depth) for key, member in pairs]
    # 1 and "1" are told alike, and a key that is long or holds a secret is not told as it is.
    is_told = all(map(_is_told, pairs, items))
    return _collection(
        work, known, f"{known.facts} of {length}", items, length, None if is_told else False
    )


def _is_told(pair: tuple[object, object], item: tuple[str, Summary]) -> bool:
    key = pair[0]
    return type(key) is str and key == item[0]


def _item(work: Work, key: object, member: object, depth: int) -> tuple[str, Summary]:
    if type(key) is str:
        name = work.one_line(key, min(_KEY_LENGTH, work.length))
    else:
        name = describe(work, key, work.depth).text
    if _names_secret(work, key):
        return name, redacted(type_of(member))
    return name, describe(work, member, depth + 1)


def _fields(work: Work, value: Any, known: Known, depth: int) -> Summary:
    """A namedtuple or a dataclass: what it holds, by the names of its fields."""
    noun, names, read = known.facts
    held = [
        (name, hidden, member)
        for index, (name, hidden) in enumerate(names)
        if (member := read(value, index, name)) is not MISSING
    ]
    length = len(held)
    items = []
    for name, hidden, member in held[: _opened(work, depth, length)]:
        secret = hidden or work.redactor.matches_key(name) is not None
        shown = redacted(type_of(member)) if secret else describe(work, member, depth + 1)
        items.append((name, shown))
    return _collection(work, known, f"{noun} of {length} fields", items, length)


def _opened(work: Work, depth: int, length: int) -> int:
    """How many members to show: none below the depth, no more than are left to look at."""
    if depth >= work.depth:
        return 0
    count = max(min(length, work.items, work.left), 0)
    work.left -= count
    return count


def _collection(
    work: Work,
    known: Known,
    text: str,
    items: list[tuple[str, Summary]],
    length: int,
    value: bool | None = None,
) -> Summary:
    truncated = len(items) < length
    if truncated and not items:
        text += " …"
    if len(text) > work.length:
        text = one_line(text, work.length)
    return summary("collection", known.name, text, value, tuple(items), truncated)


def _snapshot(iterate: Callable[[Any], Iterable[Any]], value: Any, count: int) -> list[Any]:
    """The first members, taken at once; again if another thread changed the size meanwhile."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return list(islice(iterate(value), count))
        except RuntimeError as error:
            trouble.let_through(error)
    return list(islice(iterate(value), count))


def _names_secret(work: Work, key: object) -> bool:
    if type(key) is str:
        return work.redactor.matches_key(key) is not None
    if type(key) is bytes:
        return work.redactor.matches_key(key[:_KEY_LENGTH].decode("latin-1")) is not None
    return False


def _of(kind: type[Any], build: Build) -> Learn:
    return lambda cls: (build, (short_name(cls), kind.__len__, kind.__iter__))


def _learn_tuple(cls: type) -> tuple[Build, Any]:
    names = class_attribute(cls, "_fields")
    if type(names) is not tuple or not all(type(name) is str for name in names):
        return _pair_or_sequence, (short_name(cls), tuple.__len__, tuple.__iter__)
    pairs = [(one_line(name, _KEY_LENGTH), False) for name in names[:_MOST_FIELDS]]
    return _fields, (short_name(cls), pairs, _read_position)


def _read_position(value: tuple[Any, ...], index: int, _name: str) -> object:
    return tuple.__getitem__(value, index) if index < tuple.__len__(value) else MISSING


def learn_dataclass(cls: type) -> tuple[Build, Any] | None:
    """How to summarise instances of a dataclass; None for any other class.

    A field that its author keeps out of ``repr()`` is kept out here too.
    """
    fields = class_attribute(cls, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    pairs = [
        (one_line(name, _KEY_LENGTH), not field.repr)
        for name, field in islice(fields.items(), _MOST_FIELDS)
        if type(name) is str and type(field) is dataclasses.Field
    ]
    return _fields, (short_name(cls), pairs, _read_field)


def _read_field(value: object, _index: int, name: str) -> object:
    return attribute(value, name)


KINDS: Kinds = (
    (tuple, _learn_tuple),
    (list, _of(list, _pair_or_sequence)),
    (dict, lambda cls: (_dict, short_name(cls))),
    (set, _of(set, _sequence)),
    (frozenset, _of(frozenset, _sequence)),
    (deque, _of(deque, _sequence)),
)
