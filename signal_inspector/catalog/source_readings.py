"""What one file says by itself, before anybody knows which of its names are signals.

A dotted name in here is what the file's own imports make of a name: it may lead to a module that
only passes the thing on, or to no signal at all. ``source_names`` settles that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from signal_inspector.records import SendMethod

#: What a name may stand for: more than one where imports differ by ``try``; () if unknown.
Meanings = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCreation:
    """A call of something that may be ``Signal`` or a subclass."""

    signal: str
    classes: Meanings
    line: int
    providing_args: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSend:
    """``something.send(...)``."""

    signals: Meanings
    method: SendMethod
    function: str
    line: int
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadConnect:
    """``something.connect(...)`` or ``@something(...)``."""

    signals: Meanings
    decorators: Meanings  # what may be ``django.dispatch.receiver``; () for ``connect``
    receivers: Meanings
    function: str
    line: int
    sender: str
    is_decorator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCall:
    """A function that calls another one by name."""

    function: str
    targets: Meanings
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFunction:
    """Where a function begins."""

    line: int
    is_async: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClass:
    """What a class inherits from, and whether it is made in a way of its own."""

    bases: tuple[Meanings, ...]
    has_init: bool


@dataclass(slots=True, kw_only=True)
class Reading:
    """All of one file."""

    module: str
    path: str
    creations: list[ReadCreation] = field(default_factory=list)
    sends: list[ReadSend] = field(default_factory=list)
    connects: list[ReadConnect] = field(default_factory=list)
    calls: list[ReadCall] = field(default_factory=list)
    functions: dict[str, ReadFunction] = field(default_factory=dict)  # by qualname
    classes: dict[str, ReadClass] = field(default_factory=dict)  # by qualname
    names: dict[str, Meanings] = field(default_factory=dict)  # of the module: imports, aliases
    stars: list[str] = field(default_factory=list)  # modules it imports everything from
    problem: str = ""
