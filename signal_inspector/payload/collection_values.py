"""Summaries of lists, dicts, sets and what else holds values, opened to a depth and a width."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from signal_inspector.payload.anatomy import MISSING, attribute, class_attribute, short_name
from signal_inspector.records import Summary
from signal_inspector.payload.summaries import (
    Build,
    Known,
    Work,
    describe,
    redacted,
    register,
    summary,
    type_of,
)
from signal_inspector.payload.text import one_line

_KEY_LENGTH = 100  # characters of a dict's key
_ATTEMPTS = 3  # at a dict that another thread is changing

Pairs = list[tuple[str, Summary]]


def _sequence(work: Work, value: Any, known: Known, depth: int) -> Summary:
    noun, length_of, iterate = known.facts
    length = length_of(value)
    count = _opened(work, depth, length)
    items = tuple(
        (str(index), describe(work, member, depth + 1))
        for index, member in enumerate(_snapshot(iterate, value, count))
    )
    return _collection(known, f"{noun} of {length}", items, length)


def _list(work: Work, value: Any, known: Known, depth: int) -> Summary:
    """As ``_sequence``; in a pair such as ``("X-Api-Key", "…")`` the first may name a secret."""
    noun, length_of, iterate = known.facts
    if length_of(value) == 2:
        members = _snapshot(iterate, value, 2)
        if len(members) == 2 and _names_secret(work, members[0]):
            first = describe(work, members[0], depth + 1)
            second = redacted(type_of(members[1]))
            return _collection(known, f"{noun} of 2", (("0", first), ("1", second)), 2)
    return _sequence(work, value, known, depth)


def _dict(work: Work, value: dict[Any, Any], known: Known, depth: int) -> Summary:
    length = dict.__len__(value)
    count = _opened(work, depth, length)
    pairs = _snapshot(_dict_items, value, count)
    items = tuple(_item(work, key, member, depth) for key, member in pairs)
    return _collection(known, f"{known.facts} of {length}", items, length)


def _item(work: Work, key: object, member: object, depth: int) -> tuple[str, Summary]:
    name = _key_text(work, key, depth)
    if _names_secret(work, key):
        return name, redacted(type_of(member))
    return name, describe(work, member, depth + 1)


def _named(work: Work, value: Any, known: Known, depth: int) -> Summary:
    """A namedtuple or a dataclass: what it holds, by the names of its fields."""
    noun, names, read = known.facts
    length = len(names)
    items: Pairs = []
    for index, (name, hidden) in enumerate(names[: _opened(work, depth, length)]):
        member = read(value, index, name)
        if member is MISSING:
            continue
        if hidden or work.redactor.matches_key(name) is not None:
            items.append((name, redacted(type_of(member))))
        else:
            items.append((name, describe(work, member, depth + 1)))
    return _collection(known, f"{noun} of {length} fields", tuple(items), length)


def _opened(work: Work, depth: int, length: int) -> int:
    """How many members to show: none below the depth, no more than is left to look at."""
    if depth >= work.depth:
        return 0
    count = min(length, work.items, work.left)
    work.left -= count
    return max(count, 0)


def _collection(
    known: Known, text: str, items: tuple[tuple[str, Summary], ...], length: int
) -> Summary:
    truncated = len(items) < length
    if truncated and not items:
        text += " …"
    return summary("collection", known.name, text, None, items, truncated)


def _snapshot(iterate: Callable[[Any], Iterable[Any]], value: Any, count: int) -> list[Any]:
    """The first members, taken at once; again if another thread changed the size meanwhile."""
    for attempt in range(_ATTEMPTS):
        try:
            return list(islice(iterate(value), count))
        except RuntimeError:
            if attempt == _ATTEMPTS - 1:
                raise
    return []


def _names_secret(work: Work, key: object) -> bool:
    if type(key) is str:
        return work.redactor.matches_key(key) is not None
    if type(key) is bytes:
        return work.redactor.matches_key(key[:_KEY_LENGTH].decode("latin-1")) is not None
    return False


def _key_text(work: Work, key: object, depth: int) -> str:
    if type(key) is not str:
        return describe(work, key, max(depth, work.depth)).text
    return one_line(work.redactor.redact_text(key), min(_KEY_LENGTH, work.length))


def _dict_items(value: dict[Any, Any]) -> Iterable[Any]:
    return dict.items(value)


def _of(kind: type[Any], build: Build) -> Callable[[type], tuple[Build, Any]]:
    return lambda cls: (build, (short_name(cls), kind.__len__, kind.__iter__))


def _learn_tuple(cls: type) -> tuple[Build, Any]:
    names = class_attribute(cls, "_fields")
    if type(names) is not tuple or not all(type(name) is str for name in names):
        return _list, (short_name(cls), tuple.__len__, tuple.__iter__)
    pairs = tuple((one_line(name, _KEY_LENGTH), False) for name in names)
    return _named, (short_name(cls), pairs, _read_tuple)


def _read_tuple(value: tuple[Any, ...], index: int, name: str) -> object:
    return tuple.__getitem__(value, index) if index < tuple.__len__(value) else MISSING


def _read_field(value: object, index: int, name: str) -> object:
    return attribute(value, name)


def learn_dataclass(cls: type) -> tuple[Build, Any] | None:
    """How to summarise instances of a dataclass; None for any other class."""
    fields = class_attribute(cls, "__dataclass_fields__")
    if type(fields) is not dict:
        return None
    names = tuple(
        (name, not field.repr)
        for name, field in fields.items()
        if type(name) is str and type(field) is dataclasses.Field
    )
    return _named, (short_name(cls), names, _read_field)


register(tuple, _learn_tuple)
register(list, _of(list, _list))
register(dict, lambda cls: (_dict, short_name(cls)))
register(set, _of(set, _sequence))
register(frozenset, _of(frozenset, _sequence))
register(deque, _of(deque, _sequence))
