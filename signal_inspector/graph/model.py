"""The graph of a project's signals as plain values: functions, signals, and what joins them.

Here too: a part of a graph, and its cycles, that is a signal whose receiver, at the end of a
chain, sends it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from signal_inspector.catalog.finding import matches
from signal_inspector.core.record.values import SendMethod

Cycle = tuple[str, ...]


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
        """The pairs of neighbors on a cycle."""
        return {pair for cycle in self.cycles for pair in pairwise((*cycle, cycle[0]))}


def cycles_in(
    receivings: Iterable[Receiving], sendings_on: Iterable[SendingOn]
) -> tuple[Cycle, ...]:
    """For each receiver that sends on, the shortest way from that signal back to it, if any.

    So each step that lies on some cycle lies on one that is returned. What is not called (a dead
    receiver) leads nowhere; senders are not compared, as code seldom tells what they will be.
    """
    steps: dict[str, list[str]] = {}
    for receiving in receivings:
        if receiving.order is not None:
            steps.setdefault(receiving.signal, []).append(receiving.receiver)
    sendings_on = list(sendings_on)
    for sending in sendings_on:
        steps.setdefault(sending.receiver, []).append(sending.signal)
    found = (_shortest(steps, sending.signal, sending.receiver) for sending in sendings_on)
    return tuple(
        sorted({_turned(cycle) for cycle in found if cycle}, key=lambda it: (len(it), it))
    )


def _shortest(steps: Mapping[str, Sequence[str]], start: str, end: str) -> Cycle:
    """The names on the shortest way, both ends included; () where there is none."""
    before: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for following in steps.get(name, ()):
            if following == start or following in before:
                continue
            before[following] = name
            if following == end:
                return _way_to(end, before)
            waiting.append(following)
    return ()


def _way_to(end: str, before: Mapping[str, str]) -> Cycle:
    way = [end]
    while way[-1] in before:
        way.append(before[way[-1]])
    return tuple(reversed(way))


def _turned(cycle: Cycle) -> Cycle:
    """The same cycle from its first signal by name: signals stand at even places."""
    start = cycle.index(min(cycle[::2]))
    return cycle[start:] + cycle[:start]


def select(graph: Graph, *, apps: Collection[str] = (), signals: Collection[str] = ()) -> Graph:
    """What is left of a graph; everything where nothing is asked for.

    ``apps``: labels. A connection or a send stays if one of its ends is in one of these apps.
    ``signals``: names, their ends, or globs. These signals stay with those who send and receive
    them, and with all that follows: what their receivers send on, who receives that, and so on.
    """
    if signals:
        wanted = _followed(graph, signals)
        graph = _kept(graph, lambda signal, _function: signal in wanted, wanted)
    if apps:
        in_app = {each.name for each in graph.signals if each.app in apps}
        in_app |= {each.name for each in graph.functions if each.app in apps}
        graph = _kept(
            graph, lambda signal, function: signal in in_app or function in in_app, in_app
        )
    return graph


def matching(names: Iterable[str], pattern: str) -> list[str]:
    """The names that a name, its end, or a glob means."""
    return [name for name in names if matches(pattern, name)]


def _followed(graph: Graph, patterns: Collection[str]) -> set[str]:
    """The signals that match, and those that follow from them."""
    names = [signal.name for signal in graph.signals]
    found = {name for pattern in patterns for name in matching(names, pattern)}
    while True:
        receivers = {each.receiver for each in graph.receivings if each.signal in found}
        more = {each.signal for each in graph.sendings_on if each.receiver in receivers} - found
        if not more:
            return found
        found |= more


def _kept(graph: Graph, keeps: Callable[[str, str], bool], signals: Collection[str]) -> Graph:
    """The graph with the edges that are kept, their ends, and these signals."""
    sendings = tuple(it for it in graph.sendings if keeps(it.signal, it.function))
    receivings = tuple(it for it in graph.receivings if keeps(it.signal, it.receiver))
    sendings_on = tuple(it for it in graph.sendings_on if keeps(it.signal, it.receiver))
    named = {name for it in sendings for name in (it.signal, it.function)}
    named |= {name for it in receivings for name in (it.signal, it.receiver)}
    named |= {name for it in sendings_on for name in (it.signal, it.receiver)}
    return replace(
        graph,
        signals=tuple(it for it in graph.signals if it.name in named or it.name in signals),
        functions=tuple(it for it in graph.functions if it.name in named),
        sendings=sendings,
        receivings=receivings,
        sendings_on=sendings_on,
        cycles=cycles_in(receivings, sendings_on),
    )
