"""What the source says of signals, as plain values.

A reading is what one file says by itself, before anybody knows which of its names are signals. A
dotted name in it is what the file's own imports make of a name: it may lead to a signal, or to
anything else. A ``ModuleSource`` is what is left when all readings have been put together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from signal_inspector.core.record.values import SendMethod

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """``order_placed = Signal(...)``."""

    signal: str  # dotted name: "shop.signals.order_placed"
    path: str
    line: int
    providing_args: tuple[str, ...] | None  # the names given to what Django 4.0 removed
    instead: str = "Signal()"  # the call without them, in its source
    is_at_import: bool = True  # and not when a function is called
    is_guarded: bool = False  # by a try that catches TypeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """``order_placed.send(...)``, or one of the other three methods."""

    signal: str  # dotted name, as far as imports tell it; of a loaded signal, the name it goes by
    method: SendMethod
    function: str  # dotted name of the enclosing function; of the module outside of any
    path: str
    line: int
    sender: str  # source text of the sender argument, "" where none is seen
    arguments: tuple[str, ...] = ()  # names of the other arguments
    is_open: bool = False  # there may be more arguments, which the source does not name
    through: str = ""  # the function that the signal is given to, and whose code sends it


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A signal that is handed on: assigned, passed, put into a container, returned."""

    signal: str  # or the module or class that holds it
    path: str
    line: int
    label: str  # what it is assigned or given to: "add_signal", "emit()"; "" for others


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """``@receiver(order_placed)`` or ``order_placed.connect(...)``."""

    signal: str
    receiver: str  # dotted name; "" where the source does not tell (a lambda, a call)
    function: str  # dotted name of the function that connects: of the module for a decorator
    path: str
    line: int
    sender: str  # source text, "" for any
    is_decorator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSource:
    """What one module's source says of signals."""

    module: str
    path: str
    creations: tuple[Creation, ...] = ()
    sends: tuple[Send, ...] = ()
    connects: tuple[Connect, ...] = ()
    mentions: tuple[Mention, ...] = ()
    problem: str = ""  # why it could not be read or parsed
