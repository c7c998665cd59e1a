"""Cycles: a signal whose receiver, at the end of a chain, sends it again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from signal_inspector.catalog.graph_records import Receiving, SendingOn

Cycle = tuple[str, ...]


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
