"""The graph of a project's signals as plain values: functions, signals, and what connects them.

This module also selects parts of a graph, and finds its cycles. In a cycle, a signal causes a
chain of receivers and signals at whose end a receiver sends the signal again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from signal_inspector.core.record.values import SendMethod
from signal_inspector.names import matches

Cycle = tuple[str, ...]


class Known(StrEnum):
    """How it is known that a receiver sends a signal."""

    CODE = "code"  # its own code sends it
    CALLS = "calls"  # code that it calls, directly or indirectly, sends it
    RECORDED = "recorded"  # a dispatch was recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """Code that sends, or receives, or both."""

    name: str  # dotted; that of the module if it sends outside of any function
    app: str  # label of the installed app it is in; "" if none
    path: str
    line: int
    is_async: bool
    is_receiver: bool  # whether it is connected, or was recorded as a receiver
    #: For a receiver, "connected" if some signal calls it; otherwise the state of its first
    #: connection, as in ``Receiving.state``. "" for other functions.
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalNode:
    """A signal."""

    name: str
    app: str
    path: str
    line: int
    is_loaded: bool  # False: known only from source or records; its module is not loaded
    is_orphan: bool  # it is loaded, but has no receiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """A place in a function that sends a signal."""

    function: str
    signal: str
    method: SendMethod
    path: str
    line: int
    sender: str  # source text; "" if there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """A connection of a receiver to a signal."""

    signal: str
    receiver: str
    order: int | None  # the place in the order of calls, from 1; None if it is not called
    sender: str | None  # the only sender it listens to; None for any, "?" if it is not known
    is_async: bool
    is_weak: bool | None
    dispatch_uid: str | None
    #: "connected", "dead", "pending" or "taken out"; "not imported" or "not connected" if only
    #: the source connects it; "recorded" if it no longer exists.
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendingOn:
    """A receiver that sends a signal, from which the graph continues."""

    receiver: str
    signal: str
    known: tuple[Known, ...]
    through: tuple[
        str, ...
    ]  # the functions between the receiver and the send; () if none is known
    sends: tuple[Sending, ...]  # the places in the source
    count: int | None  # how often it was recorded; None if it never was


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The whole graph; each part is sorted by name, and receivings by order of execution."""

    signals: tuple[SignalNode, ...] = ()
    functions: tuple[Function, ...] = ()
    sendings: tuple[Sending, ...] = ()  # by functions that are not receivers
    receivings: tuple[Receiving, ...] = ()
    sendings_on: tuple[SendingOn, ...] = ()
    #: Alternating signals and receivers, from a signal to the receiver that sends it again.
    cycles: tuple[tuple[str, ...], ...] = ()

    def cyclic_steps(self) -> set[tuple[str, str]]:
        """The pairs of neighbors in all cycles."""
        return _steps_of(self.cycles)


def cycles_in(
    receivings: Iterable[Receiving], sendings_on: Iterable[SendingOn]
) -> tuple[Cycle, ...]:
    """The cycles of a graph: each step that is part of any cycle is part of a returned one.

    For each such step it is the shortest one. A connection that is not called, such as one of a
    dead receiver, is not followed. Senders are not compared, as source seldom shows what they
    will be.
    """
    steps: dict[str, list[str]] = {}
    receivings = [each for each in receivings if each.order is not None]
    for receiving in receivings:
        steps.setdefault(receiving.signal, []).append(receiving.receiver)
    sendings_on = list(sendings_on)
    for sending in sendings_on:
        steps.setdefault(sending.receiver, []).append(sending.signal)
    ways = (_shortest(steps, each.signal, each.receiver) for each in sendings_on)
    found = {_turned(way) for way in ways if way}
    # Where a signal and a receiver of it are in cycles, but in different ones, the step from the
    # one to the other may be part of a longer cycle.
    cyclic = {name for cycle in found for name in cycle}
    taken = _steps_of(found)
    for each in receivings:
        step = (each.signal, each.receiver)
        if step not in taken and cyclic.issuperset(step):
            way = _shortest(steps, each.receiver, each.signal)
            if way:
                found.add(_turned((way[-1], *way[:-1])))
    return tuple(sorted(found, key=lambda it: (len(it), it)))


def _steps_of(cycles: Iterable[Cycle]) -> set[tuple[str, str]]:
    return {pair for cycle in cycles for pair in pairwise((*cycle, cycle[0]))}


def _shortest(steps: Mapping[str, Sequence[str]], start: str, end: str) -> Cycle:
    """The names on the shortest path, including both ends; () if there is none."""
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
    """The same cycle, starting at its first signal by name. Signals have even indexes."""
    start = cycle.index(min(cycle[::2]))
    return cycle[start:] + cycle[:start]


def select(graph: Graph, *, apps: Collection[str] = (), signals: Collection[str] = ()) -> Graph:
    """The part of a graph that is asked for; the whole graph without ``apps`` and ``signals``.

    ``apps``: labels. A connection or a send is kept if one of its ends is in one of these apps.
    ``signals``: names, ends of names, or globs. These signals are kept with their senders and
    receivers, and with all that follows: the signals that these receivers send, the receivers of
    those signals, and so on.
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
    """The names that match a pattern, which is a name, the end of a name, or a glob."""
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
    """The graph with only the edges to keep, their ends, and these signals."""
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
