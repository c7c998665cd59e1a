"""What is drawn in every format: boxes with two lines of text, and arrows with labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files

from signal_inspector.display.numbers import integer
from signal_inspector.display.text import place, split_qualified, unique
from signal_inspector.graph.model import (
    Function,
    Graph,
    Known,
    Receiving,
    Sending,
    SendingOn,
    SignalNode,
)

#: The mark of a receiver that no signal calls, if it is not simply the receiver's state.
_NOT_CALLED = {"recorded": "not connected"}


def shortened(text: str, most: int) -> str:
    """The text, with its middle left out if it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


def listed(words: Iterable[str]) -> str:
    """``a, b, c``, without repetitions."""
    return ", ".join(unique(words))


class Shape(StrEnum):
    """What a box represents."""

    SENDER = "sender"
    SIGNAL = "signal"
    RECEIVER = "receiver"


class Kind(StrEnum):
    """What an arrow represents."""

    SENDS = "sends"
    RECEIVES = "receives"
    SENDS_ON = "sends-on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A function or a signal."""

    key: str  # "n12", which is safe in every format
    name: str
    shape: Shape
    title: str
    subtitle: str
    app: str
    words: tuple[str, ...]  # anything unusual: "async", "nobody receives it"
    is_cyclic: bool
    is_faint: bool  # not connected now, or not loaded
    is_orphan: bool  # a signal that nobody receives
    place: str  # "shop/receivers.py:12"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """One or more sends, or connections, between the same two boxes."""

    key: str  # "e7"
    source: str  # a box's key
    target: str
    kind: Kind
    label: str  # a word or number, shown at the arrow
    says: str  # a sentence about it
    is_cyclic: bool
    is_faint: bool  # a connection that is not called
    is_certain: bool  # False if it was found through calls, or was only recorded
    rank: int = 0  # for a connection, its place in the order of calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """All boxes and arrows, in a stable order."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def draw(graph: Graph) -> Drawing:
    """The boxes and arrows of a graph."""
    steps = graph.cyclic_steps()
    boxes = [replace(box, key=f"n{at}") for at, box in enumerate(_boxes(graph))]
    keys = {(box.name, box.shape is Shape.SIGNAL): box.key for box in boxes}
    arrows: list[Arrow] = []
    ranks = {(each.signal, each.receiver): each.order or 10_000 for each in graph.receivings}
    for kind, source, target, label, says, faint, certain in _joined(graph):
        ends = (source, kind is Kind.RECEIVES), (target, kind is not Kind.RECEIVES)
        if not all(end in keys for end in ends):
            continue
        arrows.append(
            Arrow(
                key=f"e{len(arrows)}",
                source=keys[ends[0]],
                target=keys[ends[1]],
                kind=kind,
                label=label,
                says=says,
                is_cyclic=(source, target) in steps,
                is_faint=faint,
                is_certain=certain,
                rank=ranks.get((source, target), 0) if kind is Kind.RECEIVES else 0,
            )
        )
    return Drawing(boxes=tuple(boxes), arrows=tuple(arrows))


_Joined = tuple[Kind, str, str, str, str, bool, bool]


def _boxes(graph: Graph) -> Iterator[Box]:
    cyclic = {name for cycle in graph.cycles for name in cycle}
    for signal in graph.signals:
        words = [] if signal.is_loaded else ["not loaded"]
        words += ["nobody receives it"] if signal.is_orphan else []
        yield _box(
            Shape.SIGNAL,
            signal,
            words=tuple(words),
            is_cyclic=signal.name in cyclic,
            is_faint=not signal.is_loaded,
            is_orphan=signal.is_orphan,
        )
    for function in graph.functions:
        faint = function.is_receiver and function.state != "connected"
        words = ["async"] if function.is_async else []
        words += [_NOT_CALLED.get(function.state, function.state)] if faint else []
        yield _box(
            Shape.RECEIVER if function.is_receiver else Shape.SENDER,
            function,
            words=tuple(words),
            is_cyclic=function.name in cyclic,
            is_faint=faint,
        )


def _box(
    shape: Shape,
    node: SignalNode | Function,
    *,
    words: tuple[str, ...],
    is_cyclic: bool,
    is_faint: bool,
    is_orphan: bool = False,
) -> Box:
    title, subtitle = split_qualified(node.name)
    return Box(
        key="",  # numbered once all boxes are made
        name=node.name,
        shape=shape,
        title=title,
        subtitle=subtitle,
        app=node.app,
        words=words,
        is_cyclic=is_cyclic,
        is_faint=is_faint,
        is_orphan=is_orphan,
        place=place(node.path, node.line),
    )


def _joined(graph: Graph) -> Iterator[_Joined]:
    """For each arrow: kind, source, target, label, sentence, whether faint, whether certain."""
    sendings: dict[tuple[str, str], list[Sending]] = {}
    for sending in graph.sendings:
        sendings.setdefault((sending.function, sending.signal), []).append(sending)
    for (function, signal), sends in sendings.items():
        yield Kind.SENDS, function, signal, _methods(sends), _sent(function, sends), False, True
    receivings: dict[tuple[str, str], list[Receiving]] = {}
    for receiving in graph.receivings:
        receivings.setdefault((receiving.signal, receiving.receiver), []).append(receiving)
    for (signal, receiver), its in receivings.items():
        faint = all(each.order is None for each in its)
        says = f"{receiver} receives {signal}: {'; '.join(map(connection_words, its))}"
        yield Kind.RECEIVES, signal, receiver, _orders(its), says, faint, True
    for each in graph.sendings_on:
        certain = Known.CODE in each.known
        says = f"{each.receiver} sends {each.signal} on: {known_words(each)}"
        yield Kind.SENDS_ON, each.receiver, each.signal, _label(each), says, False, certain


def _methods(sends: Iterable[Sending]) -> str:
    return listed(send.method.value for send in sends)


def _sent(function: str, sends: list[Sending]) -> str:
    places = listed(map(sent_at, sends))
    return f"{function} sends {sends[0].signal}: {places}"


def _orders(receivings: Iterable[Receiving]) -> str:
    return listed(str(each.order) for each in receivings if each.order is not None)


def _label(sending: SendingOn) -> str:
    if sending.sends:
        return _methods(sending.sends)
    return recorded_words(sending)


def connection_words(receiving: Receiving, *, with_order: bool = True) -> str:
    """A connection as text: "number 2, sender shop.models.Order only, async"."""
    words = [receiving.state] if receiving.order is None else []
    words += [f"number {receiving.order}"] if receiving.order and with_order else []
    if receiving.sender is not None:
        words.append(f"only sender {receiving.sender}")
    if receiving.is_async:
        words.append("async")
    if receiving.dispatch_uid is not None:
        words.append(f"dispatch_uid {receiving.dispatch_uid}")
    return ", ".join(words)


def known_words(sending: SendingOn) -> str:
    """How it is known that a receiver sends a signal, as text."""
    words = []
    places = listed(map(sent_at, sending.sends))
    if places:
        words.append(places)
    return ", ".join([*words, *way_words(sending)])


def way_words(sending: SendingOn) -> list[str]:
    """By way of which functions a receiver sends a signal, and how often that was recorded."""
    words = [f"through {' → '.join(sending.through)}"] if sending.through else []
    return [*words, recorded_words(sending)] if sending.count is not None else words


def recorded_words(sending: SendingOn) -> str:
    """How often it was recorded that a receiver sent a signal; "" if it never was."""
    return "" if sending.count is None else f"recorded {integer(sending.count)} ×"


def sent_at(sending: Sending) -> str:
    """Where a signal is sent: "send at shop/views.py:12"."""
    return f"{sending.method} at {place(sending.path, sending.line)}"


@lru_cache(maxsize=1)
def palette() -> str:
    """The style sheet with all colors, which is included in pages and pictures."""
    static = files("signal_inspector").joinpath("static", "signal_inspector", "display")
    return static.joinpath("palette.css").read_text(encoding="utf-8")


def color(name: str) -> str:
    """A color of the palette that is the same in every theme, for formats other programs draw."""
    found = re.search(rf"--si-{name}: (#[0-9a-f]+);", palette())
    if found is None:
        raise LookupError(name)
    return found[1]
