"""The graph of a project's signals as plain values: functions and signals, and what joins them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from signal_inspector.records import SendMethod


class Known(StrEnum):
    """How it is known that a receiver sends a signal on."""

    CODE = "code"  # its own code sends
    CALLS = "calls"  # code that it calls sends, directly or by way of others
    RECORDED = "recorded"  # it was seen to


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """Code that sends, or receives, or both."""

    name: str  # dotted; of a module where its code sends outside of any function
    app: str  # label of the installed app it is in, "" of none
    path: str
    line: int
    is_async: bool
    is_receiver: bool  # whether it is connected, or was recorded as a receiver
    #: Of a receiver "connected" if some signal calls it; if none does, what has become of its
    #: first connection, as in ``Receiving.state``. "" of other functions.
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalNode:
    """A signal."""

    name: str
    app: str
    path: str
    line: int
    is_loaded: bool  # False: only the source tells of it; the module that makes it is not loaded
    is_orphan: bool  # nobody receives it, although it is loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A place in a function that sends a signal."""

    function: str
    signal: str
    method: SendMethod
    path: str
    line: int
    sender: str  # source text, "" where none is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """A connection of a receiver to a signal."""

    signal: str
    receiver: str
    order: int | None  # its place in the order of calls, from 1; None if it is not called
    sender: str | None  # the only sender it listens to; None for any, "?" where it is not known
    is_async: bool
    is_weak: bool | None
    dispatch_uid: str | None
    #: "connected", "dead", "pending" or "taken out"; "not imported" or "not connected" of what
    #: only the source connects; "recorded" if it is gone by now.
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingOn:
    """A receiver that sends a signal: the graph goes on from there."""

    receiver: str
    signal: str
    known: tuple[Known, ...]
    through: tuple[
        str, ...
    ]  # the functions between the receiver and the send; () if none is known
    sends: tuple[Sending, ...]  # the places in the code
    count: int | None  # how often it was recorded; None if it never was


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Everything, each part sorted by name (receivings by order of execution)."""

    signals: tuple[SignalNode, ...] = ()
    functions: tuple[Function, ...] = ()
    sendings: tuple[Sending, ...] = ()  # of functions that are no receivers
    receivings: tuple[Receiving, ...] = ()
    sendings_on: tuple[SendingOn, ...] = ()
    #: Signals and receivers in turn, from a signal to the receiver that sends it again.
    cycles: tuple[tuple[str, ...], ...] = ()

    def cyclic_steps(self) -> set[tuple[str, str]]:
        """The pairs of neighbours on a cycle."""
        return {pair for cycle in self.cycles for pair in pairwise((*cycle, cycle[0]))}
