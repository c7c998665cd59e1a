"""What the source of a module says of signals: plain values, found without importing it."""

from __future__ import annotations

from dataclasses import dataclass

from signal_inspector.records import SendMethod


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
