"""What the source says about signals, as plain values.

A reading is what one file says by itself, before it is known which of its names are signals. Its
dotted names are resolved with only the file's own imports: each may lead to a signal, or to
anything else. A ``ModuleSource`` is the result when all readings have been combined.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from signal_inspector.core.record.values import SendMethod

#: What a name may stand for: several if a ``try`` has different imports; () if unknown.
Meanings = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCreation:
    """A call of something that may be ``Signal`` or a subclass."""

    signal: str
    classes: Meanings
    line: int
    providing_args: tuple[str, ...] | None
    instead: str  # the call without providing_args: "TypedSignal(use_caching=True)"
    is_at_import: bool  # runs at import, not when a function is called
    is_guarded: bool  # by a try that catches TypeError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadArguments:
    """The named arguments of a call, and whether there may be more."""

    names: tuple[str, ...]
    is_open: bool  # there are others, which the source does not name
    forwards: str = ""  # the name of the function's own ``**kwargs``, if the call passes it on


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
    #: What is passed by position (0, 1, …) or by name, with the path inside it: ``(0, "", …)``.
    given: tuple[tuple[int | str, str, Meanings], ...] = ()
    sender: str = ""  # the source of the argument named ``sender``
    arguments: ReadArguments
    is_call: bool = True  # False for a partial, which other code calls


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMention:
    """A name that is read, but not to connect, send or call it."""

    line: int
    label: str  # what it is assigned or passed to: "add_signal", "emit()"; "" for others


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFunction:
    """The first line of a function, and its parameters."""

    line: int
    is_async: bool
    positional: tuple[str, ...] = ()  # without a method's self
    named: tuple[str, ...] = ()  # keyword-only parameters
    rest: str = ""  # the name of ``*rest``


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadClass:
    """The bases of a class, and whether it has its own ``__init__`` or ``__new__``."""

    bases: tuple[Meanings, ...]
    has_init: bool


@dataclass(slots=True, kw_only=True)
class Reading:
    """Everything that one file says."""

    module: str
    path: str
    creations: list[ReadCreation] = field(default_factory=list)
    sends: list[ReadSend] = field(default_factory=list)
    connects: list[ReadConnect] = field(default_factory=list)
    calls: list[ReadCall] = field(default_factory=list)
    functions: dict[str, ReadFunction] = field(default_factory=dict)  # by qualname
    classes: dict[str, ReadClass] = field(default_factory=dict)  # by qualname
    #: Imports and aliases of the module; attributes of its classes ("Cart.signal"), items, default
    #: arguments ("emit(signal)") and results of functions ("choose()").
    names: dict[str, Meanings] = field(default_factory=dict)
    mentions: dict[str, list[ReadMention]] = field(default_factory=dict)  # by what they mention
    #: What is put into a container, by the path to it: "shop.registry.MAP[]".
    stores: dict[str, Meanings] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)  # modules from which it imports ``*``
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """``order_placed = Signal(...)``."""

    signal: str  # dotted name: "shop.signals.order_placed"
    path: str
    line: int
    providing_args: tuple[str, ...] | None  # the names in the argument that Django 4.0 removed
    instead: str = "Signal()"  # the source of the call without that argument
    is_at_import: bool = True  # made at import, not when a function is called
    is_guarded: bool = False  # by a try that catches TypeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """``order_placed.send(...)``, or one of the other three methods."""

    signal: str  # dotted name according to the imports; the run-time name of a loaded signal
    method: SendMethod
    function: str  # dotted name of the enclosing function, or of the module
    path: str
    line: int
    sender: str  # source text of the sender argument; "" if there is none
    arguments: tuple[str, ...] = ()  # names of the other arguments
    is_open: bool = False  # there may be more arguments, which the source does not name
    through: str = ""  # the function that the signal is passed to, and whose code sends it


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A signal that is passed on: assigned, passed, put into a container, returned."""

    signal: str  # or the module or class that holds it
    path: str
    line: int
    label: str  # what it is assigned or passed to: "add_signal", "emit()"; "" for others


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """``@receiver(order_placed)`` or ``order_placed.connect(...)``."""

    signal: str
    receiver: str  # dotted name; "" if the source does not show it (a lambda, a call)
    function: str  # dotted name of the function that connects; for a decorator, of the module
    path: str
    line: int
    sender: str  # source text, "" for any
    is_decorator: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSource:
    """What one module's source says about signals."""

    module: str
    path: str
    creations: tuple[Creation, ...] = ()
    sends: tuple[Send, ...] = ()
    connects: tuple[Connect, ...] = ()
    mentions: tuple[Mention, ...] = ()
    problem: str = ""  # why it could not be read or parsed
