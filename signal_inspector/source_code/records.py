"""What the source says about signals, as plain values; the arguments of a call among them.

A reading is what one file says by itself, before it is known which of its names are signals. Its
dotted names are resolved with only the file's own imports: each may lead to a signal, or to
anything else. A ``ModuleSource`` is the result when all readings have been combined.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from signal_inspector.core.record.values import SendMethod

#: What a name may stand for: several if a ``try`` has different imports; () if unknown.
Meanings = tuple[str, ...]

_MAX_TEXT = 200  # characters of an argument's source
_LISTED = (ast.List, ast.Tuple, ast.Set)


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


#: For a send that is not seen being called: ``fire = order_placed.send``.
UNKNOWN_ARGUMENTS = ReadArguments(names=(), is_open=True)


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


def looks_like_class(dotted: str) -> bool:
    """Whether the last part of a name is written like a class name."""
    return dotted.rpartition(".")[2].lstrip("_")[:1].isupper()


def argument(call: ast.Call, name: str, position: int | None) -> ast.expr | None:
    """An argument by its name, or by its position if there is no ``*`` before it."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is None or len(call.args) <= position:
        return None
    if any(isinstance(each, ast.Starred) for each in call.args[: position + 1]):
        return None
    return call.args[position]


def argument_text(call: ast.Call, name: str, position: int | None) -> str:
    """The source of an argument, in one line; "" if it is not given, or is None."""
    node = argument(call, name, position)
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return ""
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _MAX_TEXT else f"{text[: _MAX_TEXT - 1]}…"


def given_arguments(call: ast.Call, kwargs: str = "") -> ReadArguments:
    """The names of a call's arguments, without ``sender``.

    ``kwargs`` is the name of the enclosing function's own ``**kwargs``.
    """
    names: list[str] = []
    is_open, forwards = any(isinstance(each, ast.Starred) for each in call.args), ""
    for keyword in call.keywords:
        if keyword.arg is not None:
            names.append(keyword.arg)
        elif isinstance(keyword.value, ast.Dict):
            keys = [getattr(key, "value", None) for key in keyword.value.keys]
            names += [key for key in keys if isinstance(key, str)]
            is_open = is_open or not all(isinstance(key, str) for key in keys)
        elif kwargs and isinstance(keyword.value, ast.Name) and keyword.value.id == kwargs:
            forwards = kwargs
        else:
            is_open = True
    kept = tuple(name for name in dict.fromkeys(names) if name != "sender")
    return ReadArguments(names=kept, is_open=is_open, forwards=forwards)


class OldCall:
    """A call of a signal's class that may have the argument that Django 4.0 removed.

    ``literals`` are the dicts that names stand for, as in ``Signal(**options)``.
    """

    def __init__(self, call: ast.Call, literals: Callable[[str], ast.expr | None]) -> None:
        self.call = call
        self.is_partial = getattr(call.func, "attr", getattr(call.func, "id", "")) == "partial"
        self.positional = [*self._positional(call.args[1:] if self.is_partial else call.args)]
        self.named = dict(self._named(literals))

    def _positional(self, args: Iterable[ast.expr]) -> Iterator[ast.expr]:
        for each in args:
            if isinstance(each, ast.Starred) and isinstance(each.value, _LISTED):
                yield from each.value.elts
            else:
                yield each

    def _named(self, literals: Callable[[str], ast.expr | None]) -> Iterator[tuple[str, ast.expr]]:
        for keyword in self.call.keywords:
            value: ast.expr | None = keyword.value
            if keyword.arg is not None:
                yield keyword.arg, keyword.value
                continue
            if isinstance(value, ast.Name):
                value = literals(value.id)
            if isinstance(value, ast.Dict):
                for key, its in zip(value.keys, value.values, strict=True):
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        yield key.value, its
            elif isinstance(value, ast.Call):
                yield from ((each.arg, each.value) for each in value.keywords if each.arg)

    @property
    def providing_args(self) -> tuple[str, ...] | None:
        """The names in ``Signal(providing_args=[...])`` or ``Signal([...])``; () if not literal.

        None if the call has no such argument.
        """
        given = self.named.get("providing_args")
        if given is None and self.positional and isinstance(self.positional[0], _LISTED):
            given = self.positional[0]  # the first parameter of today's Signal is a bool
        if given is None:
            return None
        names = given.elts if isinstance(given, _LISTED) else ()
        return tuple(
            each.value
            for each in names
            if isinstance(each, ast.Constant) and isinstance(each.value, str)
        )

    @property
    def instead(self) -> str:
        """The source of the call without that argument: ``TypedSignal(use_caching=True)``."""
        named = {name: it for name, it in self.named.items() if name != "providing_args"}
        positional = self.positional
        if "providing_args" not in self.named and positional:
            positional = positional[1:]
            if positional:
                named = {"use_caching": positional[0], **named}
            positional = positional[1:]
        texts = [ast.unparse(self.call.args[0])] if self.is_partial else []
        texts += [ast.unparse(each) for each in positional]
        texts += [f"{name}={ast.unparse(it)}" for name, it in named.items()]
        text = f"{ast.unparse(self.call.func)}({', '.join(texts)})"
        return " ".join(text.split())
