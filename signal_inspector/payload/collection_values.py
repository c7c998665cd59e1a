"""Summaries of lists, dicts, sets and other collections, opened to a depth and a width."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Summary
from signal_inspector.names.safe import MISSING, class_attribute, derives, stored_attribute
from signal_inspector.payload.secret_pairs import is_name, is_value
from signal_inspector.payload.summaries import (
    Build,
    Kinds,
    Known,
    Learn,
    Work,
    describe,
    redacted,
    short_name,
    type_of,
)
from signal_inspector.payload.text import one_line

_KEY_LENGTH = 100  # characters of a dict's key
_MOST_FIELDS = 100  # of a dataclass or a namedtuple that are considered
_ATTEMPTS = 3  # to read a dict that another thread is changing
_INDEXES = tuple(map(str, range(100)))
_NAMING = (str, bytes, list, tuple)  # types of values that may name another value


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
    """Like ``_sequence``, but the first member may name a secret: ``("X-Api-Key", "…")``.

    In a list of arguments, any member may: ``["mysqldump", "--password", "…"]``.
    """
    noun, length_of, iterate = known.facts
    length = length_of(value)
    if length < 2 or depth >= work.depth or work.left < 2:
        return _sequence(work, value, known, depth)
    members = _snapshot(iterate, value, _opened(work, depth, length))
    named = bool(members) and _names_secret(work, members[0])
    items: list[tuple[str, Summary]] = []
    for index, member in enumerate(members):
        secret = index > 0 and (named or _is_secret_option(work, members[index - 1]))
        shown = redacted(type_of(member)) if secret else describe(work, member, depth + 1)
        items.append((_INDEXES[index] if index < 100 else str(index), shown))
    return _collection(work, known, f"{noun} of {length}", items, length)


def _is_secret_option(work: Work, member: object) -> bool:
    """Whether a member is an option whose argument is the next one: ``--password``."""
    return type(member) is str and member.startswith("-") and _names_secret(work, member)


def _dict(work: Work, value: dict[Any, Any], known: Known, depth: int) -> Summary:
    length = dict.__len__(value)
    pairs = _snapshot(dict.items, value, _opened(work, depth, length))
    items = [_item(work, key, member, depth) for key, member in pairs]
    items = _without_named_values(work, pairs, items)
    # 1 and "1" look alike, and a key that is long or contains a secret is not shown as it is.
    is_told = all(map(_is_told, pairs, items))
    return _collection(
        work, known, f"{known.facts} of {length}", items, length, None if is_told else False
    )


def _without_named_values(
    work: Work, pairs: list[Any], items: list[tuple[str, Summary]]
) -> list[tuple[str, Summary]]:
    """The items without secrets named by another item: ``{"name": "password", "value": "…"}``."""
    secret = any(
        type(key) is str and type(member) in _NAMING and is_name(key) and _tells(work, member)
        for key, member in pairs
    )
    if not secret:
        return items
    return [
        (name, redacted(type_of(pair[1])) if type(pair[0]) is str and is_value(pair[0]) else item)
        for (name, item), pair in zip(items, pairs, strict=True)
    ]


def _tells(work: Work, member: Any) -> bool:
    if type(member) in (str, bytes):
        return _names_secret(work, member)
    return any(_names_secret(work, each) for each in islice(member, work.items))


def _is_told(pair: tuple[object, object], item: tuple[str, Summary]) -> bool:
    key = pair[0]
    return type(key) is str and key == item[0]


def _item(work: Work, key: object, member: object, depth: int) -> tuple[str, Summary]:
    if work.strict:
        name = describe(work, key, work.depth).text
    elif type(key) is str:
        name = work.one_line(key, min(_KEY_LENGTH, work.length))
    else:
        name = describe(work, key, work.depth).text
    if _names_secret(work, key):
        return name, redacted(type_of(member))
    return name, describe(work, member, depth + 1)


def _fields(work: Work, value: Any, known: Known, depth: int) -> Summary:
    """A namedtuple or a dataclass: its values, by the names of its fields."""
    noun, names, read = known.facts
    held = [
        (name, hidden, member)
        for index, (name, hidden) in enumerate(names)
        if (member := read(value, index, name)) is not MISSING
    ]
    length = len(held)
    items = []
    shown_fields = held[: _opened(work, depth, length)]
    for name, hidden, member in shown_fields:
        secret = hidden or work.redactor.matches_key(name) is not None
        shown = redacted(type_of(member)) if secret else describe(work, member, depth + 1)
        items.append((name, shown))
    pairs = [(name, member) for name, _, member in shown_fields]
    items = _without_named_values(work, pairs, items)
    return _collection(work, known, f"{noun} of {length} fields", items, length)


def _opened(work: Work, depth: int, length: int) -> int:
    """How many members to show: none below the depth, and no more than are left to look at."""
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
    return Summary("collection", known.name, text, value, tuple(items), truncated)


def _snapshot(iterate: Callable[[Any], Iterable[Any]], value: Any, count: int) -> list[Any]:
    """The first members, read in one go; again if another thread changed the size meanwhile."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return list(islice(iterate(value), count))
        except RuntimeError as error:
            internal_errors.let_through(error)
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
    names = class_attribute(cls, "_fields", MISSING)
    if type(names) is not tuple or not all(type(name) is str for name in names):
        return _pair_or_sequence, (short_name(cls), tuple.__len__, tuple.__iter__)
    pairs = [(one_line(name, _KEY_LENGTH), False) for name in names[:_MOST_FIELDS]]
    return _fields, (short_name(cls), pairs, _read_position)


def _read_position(value: tuple[Any, ...], index: int, _name: str) -> object:
    return tuple.__getitem__(value, index) if index < tuple.__len__(value) else MISSING


def learn_fields(cls: type) -> tuple[Build, Any] | None:
    """How to summarize instances of a dataclass, an attrs class or a pydantic model; else None.

    A field that its author leaves out of ``repr()`` is left out here too.
    """
    for find in (_dataclass_fields, _attrs_fields, _pydantic_fields):
        found = find(cls)
        if found is not None:
            names = [(one_line(name, _KEY_LENGTH), hidden) for name, hidden in found]
            return _fields, (short_name(cls), names, _read_field)
    return None


def _dataclass_fields(cls: type) -> list[tuple[str, bool]] | None:
    fields = class_attribute(cls, "__dataclass_fields__", MISSING)
    if type(fields) is not dict:
        return None
    hidden = {name for name, is_hidden in _pydantic_fields(cls) or () if is_hidden}
    return [
        (name, not field.repr or name in hidden)
        for name, field in islice(fields.items(), _MOST_FIELDS)
        if type(name) is str and type(field) is dataclasses.Field
    ]


def _attrs_fields(cls: type) -> list[tuple[str, bool]] | None:
    fields = class_attribute(cls, "__attrs_attrs__", MISSING)
    if not derives(type(fields), tuple):
        return None
    named = [
        (stored_attribute(each, "name"), stored_attribute(each, "repr"))
        for each in islice(tuple.__iter__(fields), _MOST_FIELDS)
    ]
    # A function instead of True shows something other than the value.
    return [(name, shown is not True) for name, shown in named if type(name) is str]


def _pydantic_fields(cls: type) -> list[tuple[str, bool]] | None:
    for holder in ("__pydantic_fields__", "model_fields", "__fields__"):  # 2.10, 2.0, 1
        fields = class_attribute(cls, holder, MISSING)
        if (
            type(fields) is dict
            and class_attribute(cls, _PYDANTIC_MARKS[holder], MISSING) is not MISSING
        ):
            return [
                (name, _pydantic_repr(field) is False)
                for name, field in islice(fields.items(), _MOST_FIELDS)
                if type(name) is str
            ]
    return None


def _pydantic_repr(field: object) -> object:
    info = stored_attribute(field, "field_info")  # of version 1
    return stored_attribute(field if info is MISSING else info, "repr")


_PYDANTIC_MARKS = {
    "__pydantic_fields__": "__pydantic_validator__",
    "model_fields": "__pydantic_validator__",
    "__fields__": "__validators__",
}


def _read_field(value: object, _index: int, name: str) -> object:
    return stored_attribute(value, name)


KINDS: Kinds = (
    (tuple, _learn_tuple),
    (list, _of(list, _pair_or_sequence)),
    (dict, lambda cls: (_dict, short_name(cls))),
    (set, _of(set, _sequence)),
    (frozenset, _of(frozenset, _sequence)),
    (deque, _of(deque, _sequence)),
)
