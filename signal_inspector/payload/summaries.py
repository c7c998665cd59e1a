"""Decides how each kind of value is summarized, once per class and without asking the value.

Values are read through the unbound methods of their builtin or Django base (``list.__len__``,
``dict.items``) and through instance dicts, so that a subclass's own code never runs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Summary
from signal_inspector.names.safe import class_module, class_mro, class_qualname, derives
from signal_inspector.payload.redaction import Redactor
from signal_inspector.payload.text import one_line

#: Values read in the collections of one dispatch, so that 20 x 20 x 20 values cost no more.
MAX_NODES = 250
#: Characters read beyond a cap, to recognize a secret that the cap would cut in two.
MARGIN = 400
_MAX_DEPTH = 20  # even if the setting allows more: each level takes frames on the user's stack
_REMEMBERED_CLASSES = 4_000
_NAME_LENGTH = 200


def type_name(cls: type) -> str:
    """The dotted name of a class; of a builtin, only its name."""
    module = class_module(cls)
    name = one_line(class_qualname(cls), _NAME_LENGTH)
    return name if module in ("", "builtins") else f"{one_line(module, _NAME_LENGTH)}.{name}"


def short_name(cls: type) -> str:
    """The last part of a class's name."""
    return one_line(class_qualname(cls).rpartition(".")[2], _NAME_LENGTH)


class Work:
    """The limits for summarizing some arguments, and what is left of them."""

    __slots__ = ("depth", "hooks", "items", "left", "length", "redactor", "special", "strict")

    def __init__(self, limits: Limits, redactor: Redactor, hooks: Hooks | None = None) -> None:
        self.hooks = hooks
        self.strict = redactor.strict
        self.special = hooks is not None or redactor.strict
        self.length = limits.payload_length
        self.depth = min(limits.payload_depth, _MAX_DEPTH)
        self.items = limits.payload_items
        self.redactor = redactor
        self.left = max(MAX_NODES, self.items)

    def safe(self, text: str, limit: int) -> str:
        """A text without its secrets, read a little beyond ``limit``."""
        return self.redactor.redact_text(text[: limit + MARGIN])

    def one_line(self, text: str, limit: int) -> str:
        """A text without its secrets, in one line of at most ``limit`` characters."""
        return one_line(self.safe(text, limit), limit)


class Hooks:
    """The project's own descriptions of values, by type: ``{"shop.money.Money": callable}``.

    A hook applies to subclasses too; the nearest class counts. What it raises is reported.
    """

    __slots__ = ("_by_name", "_known")

    def __init__(self, by_name: Mapping[str, Callable[[Any], object]]) -> None:
        self._by_name = by_name
        self._known: dict[int, tuple[weakref.ref[type], Callable[[Any], object] | None]] = {}

    def find(self, cls: type) -> Callable[[Any], object] | None:
        """The hook for instances of a class."""
        known = self._known.get(id(cls))
        if known is not None and known[0]() is cls:
            return known[1]
        names = (type_name(ancestor) for ancestor in class_mro(cls))
        hook = next((self._by_name[name] for name in names if name in self._by_name), None)
        if len(self._known) >= _REMEMBERED_CLASSES:
            self._known.clear()
        self._known[id(cls)] = weakref.ref(cls), hook
        return hook


Build = Callable[[Work, Any, "Known", int], Summary]
Learn = Callable[[type], tuple[Build, Any]]
Kinds = Iterable[tuple[type, Learn]]


class Known:
    """What is known about a class: how to summarize its instances, and facts for doing so.

    Refers to the class weakly, so that a class of a test or a migration can be collected.
    """

    __slots__ = ("build", "cls", "facts", "is_plain", "name")

    def __init__(self, cls: type, build: Build, facts: Any, is_plain: bool) -> None:
        self.is_plain = is_plain  # its text would be its value
        self.cls = weakref.ref(cls)
        self.build = build
        self.name = type_name(cls)
        self.facts = facts


_known: dict[int, Known] = {}  # by id: hashing a class may run its metaclass
_kinds: list[tuple[type, Learn, bool]] = []


def register(kinds: Kinds, *, plain: bool = False) -> None:
    """Let each ``learn`` say how instances of its base are summarized; the first match counts.

    ``plain``: their summary is their value.
    """
    _kinds.extend((base, learn, plain) for base, learn in kinds)


def describe(work: Work, value: object, depth: int = 0) -> Summary:
    """The summary of a value that is ``depth`` collections deep. Never raises."""
    try:
        cls = type(value)
        known = _known.get(id(cls))
        if known is None or known.cls() is not cls:
            known = _look_at(cls)
        if work.special:
            return _special(work, value, known, depth)
        return known.build(work, value, known, depth)
    except Exception as error:
        try:  # noqa: SIM105 - suppress() would need more room on a full stack
            internal_errors.report("summarizing a value", error)
        except RecursionError:  # the stack may be full
            pass
        return _UNREADABLE


def _special(work: Work, value: object, known: Known, depth: int) -> Summary:
    """The summary by the hook of its type, or with only its type and size."""
    cls = type(value)
    hook = None if work.hooks is None else work.hooks.find(cls)
    if hook is not None and depth <= work.depth:
        try:
            told = hook(value)
        except Exception as error:
            internal_errors.report(f"the DESCRIBE hook of {known.name}", error)
        else:
            if type(told) is not cls:
                return describe(work, told, depth + 1)
            value = told
    if work.strict and known.is_plain:
        return shape(value, known.name)
    return known.build(work, value, known, depth)


def shape(value: object, type_: str) -> Summary:
    """A summary of only the value's type, and its size if that is a length."""
    cls = type(value)
    name = short_name(cls)
    for kind in (str, bytes, bytearray):
        if derives(cls, kind):
            name = f"{name} of {kind.__len__(value)}"  # type: ignore[arg-type]
    return Summary("object", type_, name)


def type_of(value: object) -> str:
    """The dotted name of a value's type."""
    cls = type(value)
    known = _known.get(id(cls))
    return known.name if known is not None and known.cls() is cls else type_name(cls)


def _look_at(cls: type) -> Known:
    learn, is_plain = next((learn, plain) for base, learn, plain in _kinds if derives(cls, base))
    build, facts = learn(cls)
    known = Known(cls, build, facts, is_plain)
    if len(_known) >= _REMEMBERED_CLASSES:
        _known.clear()
    _known[id(cls)] = known
    return known


def plain(work: Work, known: Known, text: str, exact: str) -> Summary:
    """A value with an exact form in text; the form is kept only if all of it is shown."""
    if work.redactor.values and work.redactor.redact_text(exact) is not exact:
        return redacted(known.name)
    if len(text) > work.length:
        text = one_line(text, work.length)
        return Summary("plain", known.name, text, truncated=True)
    return Summary("plain", known.name, text, exact)


def other(work: Work, known: Known, text: str) -> Summary:
    """A value of which only a few words are kept."""
    return Summary(
        "object", known.name, one_line(text, work.length), truncated=len(text) > work.length
    )


def redacted(type_: str) -> Summary:
    """The summary of a secret: only its type."""
    return Summary("redacted", type_, "redacted")


_UNREADABLE = Summary("unreadable", "", "unreadable")
