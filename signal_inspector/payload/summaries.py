"""How each kind of value is put in words, decided once per class and without asking the value.

Values are read through the unbound methods of their builtin or Django base (``list.__len__``,
``dict.items``) and through instance dicts, so that a subclass's own code never runs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any

from signal_inspector import trouble
from signal_inspector.conf import Limits
from signal_inspector.payload.anatomy import derives, type_name
from signal_inspector.payload.redaction import Redactor
from signal_inspector.payload.text import one_line
from signal_inspector.records import Summary

#: Values looked at in the collections of one dispatch, so that 20 x 20 x 20 cost no more.
MAX_NODES = 250
#: Characters read past a cap: a secret that the cap cuts in two must still be recognised.
MARGIN = 400
_MAX_DEPTH = 20  # whatever the setting says: each level is a few frames on the user's stack
_REMEMBERED_CLASSES = 4_000


class Work:
    """The limits of one look at some arguments, and what is left of them."""

    __slots__ = ("depth", "items", "left", "length", "redactor")

    def __init__(self, limits: Limits, redactor: Redactor) -> None:
        self.length = limits.payload_length
        self.depth = min(limits.payload_depth, _MAX_DEPTH)
        self.items = limits.payload_items
        self.redactor = redactor
        self.left = max(MAX_NODES, self.items)

    def safe(self, text: str, limit: int) -> str:
        """A text without its secrets, read a little further than ``limit``."""
        return self.redactor.redact_text(text[: limit + MARGIN])

    def one_line(self, text: str, limit: int) -> str:
        """A text without its secrets, in one line of at most ``limit`` characters."""
        return one_line(self.safe(text, limit), limit)


Build = Callable[[Work, Any, "Known", int], Summary]
Learn = Callable[[type], tuple[Build, Any]]
Kinds = Iterable[tuple[type, Learn]]


class Known:
    """What is known of a class: how to summarise its instances, and facts to do it with.

    Holds the class weakly, so that a class of a test or a migration can go.
    """

    __slots__ = ("build", "cls", "facts", "name")

    def __init__(self, cls: type, build: Build, facts: Any) -> None:
        self.cls = weakref.ref(cls)
        self.build = build
        self.name = type_name(cls)
        self.facts = facts


_known: dict[int, Known] = {}  # by id: hashing a class may run its metaclass
_kinds: list[tuple[type, Learn]] = []


def register(kinds: Kinds) -> None:
    """Let each ``learn`` say how instances of its base are summarised; the first match counts."""
    _kinds.extend(kinds)


def describe(work: Work, value: object, depth: int = 0) -> Summary:
    """The summary of a value that stands ``depth`` collections deep. Never raises."""
    try:
        cls = type(value)
        known = _known.get(id(cls))
        if known is None or known.cls() is not cls:
            known = _look_at(cls)
        return known.build(work, value, known, depth)
    except Exception as error:
        try:  # noqa: SIM105 - suppress() would need more room on a full stack
            trouble.report("summarising a value", error)
        except RecursionError:  # the stack may be full
            pass
        return _UNREADABLE


def type_of(value: object) -> str:
    """The dotted name of a value's type."""
    cls = type(value)
    known = _known.get(id(cls))
    return known.name if known is not None and known.cls() is cls else type_name(cls)


def _look_at(cls: type) -> Known:
    build, facts = next(learn(cls) for base, learn in _kinds if derives(cls, base))
    known = Known(cls, build, facts)
    if len(_known) >= _REMEMBERED_CLASSES:
        _known.clear()
    _known[id(cls)] = known
    return known


_new = object.__new__
_set_kind = Summary.__dict__["kind"].__set__
_set_type = Summary.__dict__["type"].__set__
_set_text = Summary.__dict__["text"].__set__
_set_value = Summary.__dict__["value"].__set__
_set_items = Summary.__dict__["items"].__set__
_set_truncated = Summary.__dict__["truncated"].__set__


def summary(
    kind: str,
    type_: str,
    text: str,
    value: float | str | None = None,
    items: tuple[tuple[str, Summary], ...] = (),
    truncated: bool = False,
) -> Summary:
    """A ``Summary``, in less than half the time that its own keyword-only constructor takes."""
    made = _new(Summary)
    _set_kind(made, kind)
    _set_type(made, type_)
    _set_text(made, text)
    _set_value(made, value)
    _set_items(made, items)
    _set_truncated(made, truncated)
    return made


def plain(work: Work, known: Known, text: str, exact: str) -> Summary:
    """A value with an exact form in text; the form is kept only if all of it is shown."""
    if len(text) > work.length:
        text = one_line(text, work.length)
        return summary("plain", known.name, text, truncated=True)
    return summary("plain", known.name, text, exact)


def other(work: Work, known: Known, text: str) -> Summary:
    """A value of which a few words are all that is kept."""
    return summary(
        "object", known.name, one_line(text, work.length), truncated=len(text) > work.length
    )


def redacted(type_: str) -> Summary:
    """The summary of a secret: of what type it was, and nothing else."""
    return summary("redacted", type_, "redacted")


_UNREADABLE = summary("unreadable", "", "unreadable")
