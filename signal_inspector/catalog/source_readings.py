"""What one file says by itself, before anybody knows which of its names are signals.

A dotted name in here is what the file's own imports make of a name: it may lead to a module that
only passes the thing on, or to no signal at all. ``source_names`` settles that. What has no name
is written by the way to it:

- ``shop.work.emit(signal)``: what a call of ``emit`` gives for its parameter ``signal``
- ``shop.work.Cart(self).signal``: an attribute of an object of that class, or of one below it
- ``shop.work.MAP['paid']``, ``shop.work.MAP[]``: an item of a container, and any of them
- ``shop.work.choose()``: what a function returns, or an object of a class
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
    instead: str  # the same without providing_args: "TypedSignal(use_caching=True)"
    is_at_import: bool  # and not when a function is called
    is_guarded: bool  # by a try that catches TypeError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadArguments:
    """The arguments of a call that have names, and whether there may be more."""

    names: tuple[str, ...]
    is_open: bool  # there are others, which the source does not name
    forwards: str = ""  # the function's own ``**kwargs``, by its name, if that is handed on


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSend:
    """``something.send(...)``."""

    signals: Meanings
    method: SendMethod
    function: str
    line: int
    sender: str
    arguments: ReadArguments


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
    #: What is given by place (0, 1, …) or by name, with the way inside of it: ``(0, "", …)``.
    given: tuple[tuple[int | str, str, Meanings], ...] = ()
    sender: str = ""  # the source of the argument ``sender``, if it has that name
    arguments: ReadArguments
    is_call: bool = True  # and not a partial, which somebody else calls


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMention:
    """A name that is read, neither to connect nor to send nor to call it."""

    line: int
    label: str  # what it is assigned to or given to: "add_signal", "emit()"; "" for others


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFunction:
    """Where a function begins, and its parameters."""

    line: int
    is_async: bool
    positional: tuple[str, ...] = ()  # without the object of a method
    named: tuple[str, ...] = ()  # those that are given by name alone
    rest: str = ""  # of ``*rest``


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
    #: Imports and aliases of the module; attributes of its classes ("Cart.signal"), items, default
    #: arguments ("emit(signal)") and what functions return ("choose()").
    names: dict[str, Meanings] = field(default_factory=dict)
    mentions: dict[str, list[ReadMention]] = field(default_factory=dict)  # by what is meant
    #: What is put into something, by the way to it: "shop.registry.MAP[]".
    stores: dict[str, Meanings] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)  # modules it imports everything from
    problem: str = ""
