"""What the page's script knows of each box: the panel beside the picture is made of it."""

from __future__ import annotations

from typing import Any

from signal_inspector.catalog.graph_records import Graph, Receiving, Sending, SendingOn
from signal_inspector.graphs.drawing import Drawing, Shape, known_words
from signal_inspector.graphs.wording import shown_place


def details_of(graph: Graph, drawing: Drawing) -> dict[str, Any]:
    """Boxes and arrows by their keys, with the sentences that the panel shows; plain data."""
    signals = {box.name: box.key for box in drawing.boxes if box.shape is Shape.SIGNAL}
    functions = {box.name: box.key for box in drawing.boxes if box.shape is not Shape.SIGNAL}
    found: dict[str, dict[str, Any]] = {
        box.key: {
            "name": box.name,
            "title": box.title,
            "shape": box.shape.value,
            "app": box.app,
            "place": box.place,
            "words": list(box.words),
            "cyclic": box.is_cyclic,
            "orphan": box.is_orphan,
            "sends": [],
            "sentBy": [],
            "receives": [],
            "receivedBy": [],
        }
        for box in drawing.boxes
    }
    for sending in graph.sendings:
        _join(found, functions, signals, sending.function, sending.signal, [_send(sending)])
    for each in graph.sendings_on:
        lines = [_send(sending) for sending in each.sends] or [known_words(each)]
        lines += _knowledge(each)
        _join(found, functions, signals, each.receiver, each.signal, lines)
    for receiving in graph.receivings:
        signal, receiver = signals.get(receiving.signal), functions.get(receiving.receiver)
        if signal is not None and receiver is not None:
            told = _connection(receiving)
            found[signal]["receivedBy"].append(told | {"key": receiver})
            found[receiver]["receives"].append(told | {"key": signal})
    return {
        "boxes": found,
        "arrows": {
            arrow.key: [arrow.source, arrow.target, arrow.is_cyclic] for arrow in drawing.arrows
        },
        "cycles": [
            [
                (signals if at % 2 == 0 else functions)[name]
                for at, name in enumerate(cycle)
                if name in (signals if at % 2 == 0 else functions)
            ]
            for cycle in graph.cycles
        ],
    }


def _join(
    found: dict[str, dict[str, Any]],
    functions: dict[str, str],
    signals: dict[str, str],
    function: str,
    signal: str,
    lines: list[str],
) -> None:
    source, target = functions.get(function), signals.get(signal)
    if source is not None and target is not None:
        found[source]["sends"].append({"key": target, "lines": lines})
        found[target]["sentBy"].append({"key": source, "lines": lines})


def _send(sending: Sending) -> str:
    sender = f", sender {sending.sender}" if sending.sender else ""
    return f"{sending.method} at {shown_place(sending.path, sending.line)}{sender}"


def _knowledge(sending: SendingOn) -> list[str]:
    lines = []
    if sending.through:
        lines.append(f"by way of {' → '.join(sending.through)}")
    if sending.count is not None and sending.sends:
        lines.append(f"recorded {sending.count:,} ×")
    return lines


def _connection(receiving: Receiving) -> dict[str, Any]:
    lines = []
    if receiving.sender is not None:
        lines.append(f"sender {receiving.sender} only")
    if receiving.dispatch_uid is not None:
        lines.append(f"dispatch_uid {receiving.dispatch_uid}")
    words = ["async"] if receiving.is_async else []
    if receiving.is_weak is False:
        words.append("held strongly")
    if receiving.order is None:
        words.append(receiving.state)
    return {"order": receiving.order, "lines": lines, "words": words}
