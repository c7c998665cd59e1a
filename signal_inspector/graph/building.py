"""Build the graph of a project's signals: senders, receivers, and receivers that send signals.

A receiver may send through functions that it calls, so the calls in the source are followed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry, State, describe
from signal_inspector.catalog.explaining import absent
from signal_inspector.catalog.finding import app_label_of
from signal_inspector.conf import get_config, is_inspected
from signal_inspector.core.registry import SentOn, sent_on
from signal_inspector.graph.model import (
    Function,
    Graph,
    Known,
    Receiving,
    Sending,
    SendingOn,
    SignalNode,
    cycles_in,
)
from signal_inspector.source_code.names import Names
from signal_inspector.source_code.project import project_readings, settle
from signal_inspector.source_code.records import ModuleSource, Reading, Send

#: The most calls between a receiver and a send: a longer path is more likely a coincidence.
MOST_CALLS = 8

#: The functions from a receiver to a send: (), or ("shop.services.charge",), outermost first.
Way = tuple[str, ...]

_Place = tuple[str, int, bool]  # of a function: file, line, whether it is async

__all__ = ["Function", "Graph", "Known", "Receiving", "Sending", "SendingOn", "SignalNode"]


def calls_in(readings: Iterable[Reading], names: Names) -> dict[str, list[str]]:
    """The functions that each function calls, as far as the source shows, in source order.

    A function counts as calling the functions that it defines, and a class as calling its
    ``__init__``.
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
    """``(name, path)`` of each function in ``ends`` that this one calls, by the shortest path.

    The path ends with the name and leaves out the function itself. A receiver that is called as
    a plain function is treated like any other function.
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


def project_graph(
    *,
    recorded: bool = True,
    third_party: bool = False,
    on_problem: Callable[[str], None] | None = None,
) -> Graph:
    """The graph of this process: what is connected, what the source says, what was recorded.

    ``recorded`` asks the audit, and other stores of dispatches, which receivers were recorded
    sending signals; if a database cannot be read, ``on_problem`` is called with a message.
    ``third_party`` also reads the source of installed packages, which takes seconds.
    """
    readings = project_readings(third_party=third_party)
    return build(describe(), readings, sent_on(on_problem) if recorded else ())


def build(
    entries: Sequence[SignalEntry], readings: Sequence[Reading], seen: Iterable[SentOn] = ()
) -> Graph:
    """The graph of these signals, sources and recordings."""
    names = Names(readings)
    sources = settle(readings, names)
    config = get_config()
    known = {entry.signal for entry in entries}

    def is_shown(signal: str) -> bool:
        return signal in known or is_inspected(signal, config.include, config.exclude)

    places = _places(readings)
    receivings = [*_receivings(entries), *_only_in_source(entries, sources, places)]
    sends = [send for source in sources for send in source.sends if is_shown(send.signal)]
    seen = [each for each in seen if is_shown(each.signal)]
    work = _Work(
        sends=_by_function(sends),
        calls=calls_in(readings, names),
        receivers={each.receiver for each in receivings} | {each.receiver for each in seen},
    )
    sendings_on = _sendings_on(work, seen)
    return Graph(
        signals=tuple(_signals(entries, sources, sends, sendings_on)),
        functions=tuple(_functions(work, entries, receivings, places)),
        sendings=tuple(
            sending
            for function, its in sorted(work.sends.items())
            if function not in work.receivers
            for sending in its
        ),
        receivings=tuple(receivings),
        sendings_on=tuple(sendings_on),
        cycles=cycles_in(receivings, sendings_on),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    sends: dict[str, list[Sending]]  # by function
    calls: dict[str, list[str]]
    receivers: set[str] = field(default_factory=set)


def _receivings(entries: Iterable[SignalEntry]) -> Iterator[Receiving]:
    for entry in entries:
        order = 0
        for receiver in entry.connections:
            is_called = _is_called(receiver)
            order += is_called
            yield Receiving(
                signal=entry.signal,
                receiver=receiver.receiver,
                order=order if is_called else None,
                sender=receiver.sender,
                is_async=receiver.is_async,
                is_weak=receiver.is_weak,
                dispatch_uid=receiver.dispatch_uid,
                state=str(receiver.state),
            )


def _only_in_source(
    entries: Iterable[SignalEntry], sources: Sequence[ModuleSource], places: Mapping[str, _Place]
) -> list[Receiving]:
    """The receivers that the source connects, but that are not connected in this process."""
    found: dict[tuple[str, str], Receiving] = {}
    for entry in entries:
        for each in absent(entry, sources):
            connect = each.connect
            if connect.receiver:
                found[entry.signal, connect.receiver] = Receiving(
                    signal=entry.signal,
                    receiver=connect.receiver,
                    order=None,
                    sender=connect.sender or None,
                    is_async=places.get(connect.receiver, ("", 0, False))[2],
                    is_weak=None,
                    dispatch_uid=None,
                    state="not connected" if each.is_imported else "not imported",
                )
    return list(found.values())


def _is_called(receiver: ReceiverEntry) -> bool:
    return receiver.state == State.CONNECTED


def _by_function(sends: Iterable[Send]) -> dict[str, list[Sending]]:
    found: dict[str, list[Sending]] = {}
    for send in sends:
        found.setdefault(send.function, []).append(
            Sending(
                function=send.function,
                signal=send.signal,
                method=send.method,
                path=send.path,
                line=send.line,
                sender=send.sender,
            )
        )
    return found


def _sendings_on(work: _Work, seen: Iterable[SentOn]) -> list[SendingOn]:
    counts = {(each.receiver, each.signal): each.count for each in seen}
    found: dict[tuple[str, str], SendingOn] = {}
    for receiver in sorted(work.receivers):
        for each in _sent_by(receiver, work):
            found.setdefault((each.receiver, each.signal), each)
    for key in sorted({*found, *counts}):
        count = counts.get(key)
        before = found.get(key)
        if count is not None:
            known = (*(before.known if before else ()), Known.RECORDED)
            found[key] = SendingOn(
                receiver=key[0],
                signal=key[1],
                known=known,
                through=before.through if before else (),
                sends=before.sends if before else (),
                count=count,
            )
    return [found[key] for key in sorted(found)]


def _sent_by(receiver: str, work: _Work) -> Iterator[SendingOn]:
    """What a receiver sends: first in its own code, then through calls, by the shortest paths."""
    ways = [(receiver, ()), *ways_from(receiver, work.calls, frozenset(work.sends))]
    for function, way in ways:
        by_signal: dict[str, list[Sending]] = {}
        for sending in work.sends.get(function, ()):
            by_signal.setdefault(sending.signal, []).append(sending)
        for signal, sends in by_signal.items():
            yield SendingOn(
                receiver=receiver,
                signal=signal,
                known=(Known.CALLS if way else Known.CODE,),
                through=way,
                sends=tuple(sends),
                count=None,
            )


def _signals(
    entries: Iterable[SignalEntry],
    sources: Iterable[ModuleSource],
    sends: Iterable[Send],
    sendings_on: Iterable[SendingOn],
) -> list[SignalNode]:
    """The loaded signals, and those that only the source or the recordings mention."""
    made = {it.signal: (it.path, it.line) for source in sources for it in source.creations}
    loaded = {entry.signal: entry for entry in entries}
    names = {*loaded, *(send.signal for send in sends), *(each.signal for each in sendings_on)}
    config = get_config()
    names |= {
        name
        for name in made
        if "(anonymous)" not in name and is_inspected(name, config.include, config.exclude)
    }
    nodes = []
    for name in sorted(names):
        entry = loaded.get(name)
        path, line = (entry.path, entry.line) if entry and entry.path else made.get(name, ("", 0))
        if entry and not line:
            path, line = made.get(name, (path, line))
        nodes.append(
            SignalNode(
                name=name,
                app=app_label_of(name),
                path=path,
                line=line,
                is_loaded=entry is not None,
                is_orphan=entry is not None and not any(map(_is_called, entry.receivers)),
            )
        )
    return nodes


def _places(readings: Iterable[Reading]) -> dict[str, _Place]:
    return {
        f"{reading.module}.{qualname}": (reading.path, it.line, it.is_async)
        for reading in readings
        for qualname, it in reading.functions.items()
    }


def _functions(
    work: _Work,
    entries: Iterable[SignalEntry],
    receivings: Iterable[Receiving],
    places: Mapping[str, _Place],
) -> list[Function]:
    """All functions that send or receive, each with its place if known."""
    states = {each.receiver: each.state for each in receivings}
    connected: dict[str, ReceiverEntry] = {}
    for entry in entries:
        for receiver in entry.connections:
            before = connected.setdefault(receiver.receiver, receiver)
            if _is_called(receiver) and not _is_called(before):
                connected[receiver.receiver] = receiver
    found = []
    for name in sorted({*work.sends, *work.receivers}):
        path, line, is_async = places.get(name, ("", 0, False))
        state = states.get(name, "recorded" if name in work.receivers else "")
        if name in connected:
            its = connected[name]
            state = str(its.state)
            path, line, is_async = its.path or path, its.line or line, its.is_async or is_async
        elif not path and name in work.sends:
            path = work.sends[name][0].path  # a module that sends outside of any function
        found.append(
            Function(
                name=name,
                app=app_label_of(name),
                path=path,
                line=line,
                is_async=is_async,
                is_receiver=name in work.receivers,
                state=state,
            )
        )
    return found
