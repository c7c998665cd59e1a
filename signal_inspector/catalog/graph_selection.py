"""A part of the graph: what an app has to do with, or what comes of some signals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from signal_inspector.catalog.graph_cycles import cycles_in
from signal_inspector.catalog.graph_records import Graph
from signal_inspector.catalog.matching import matches


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
