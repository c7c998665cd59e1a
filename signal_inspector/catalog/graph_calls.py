"""Who calls whom in the sources: a receiver may send by way of functions that it calls."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from signal_inspector.catalog.source_names import Names
from signal_inspector.catalog.source_readings import Reading

#: Calls between a receiver and a send: a longer way is right by chance more than by intention.
MOST_CALLS = 8

#: The functions between: (), or ("shop.services.charge",), outermost first.
Way = tuple[str, ...]


def calls_in(readings: Iterable[Reading], names: Names) -> dict[str, list[str]]:
    """The functions that each function calls, as far as the source tells, in its order.

    A function counts as calling those that it defines, and a class as its ``__init__``.
    """
    found: dict[str, dict[str, None]] = {}
    for reading in readings:
        for call in reading.calls:
            for target in names.functions(call.targets) if call.is_call else ():
                found.setdefault(call.function, {})[target] = None
        for qualname in reading.functions:
            outer, inside, _ = qualname.rpartition(".<locals>.")
            if inside:
                found.setdefault(f"{reading.module}.{outer}", {})[
                    f"{reading.module}.{qualname}"
                ] = None
        for qualname, cls in reading.classes.items():
            if cls.has_init:
                name = f"{reading.module}.{qualname}"
                found.setdefault(name, {})[f"{name}.__init__"] = None
    return {function: list(targets) for function, targets in found.items()}


def ways_from(
    function: str, calls: Mapping[str, list[str]], ends: frozenset[str]
) -> Iterator[tuple[str, Way]]:
    """``(name, way)`` of the functions among ``ends`` that this one calls, by the shortest way.

    The way ends with the name. The function itself is left out. A receiver that is called as a
    plain function is walked like any other.
    """
    ways: dict[str, Way] = {function: ()}
    waiting = deque([function])
    while waiting:
        name = waiting.popleft()
        way = ways[name]
        if len(way) >= MOST_CALLS:
            continue
        for target in calls.get(name, ()):
            if target in ways:
                continue
            ways[target] = (*way, target)
            if target in ends:
                yield target, ways[target]
            waiting.append(target)
