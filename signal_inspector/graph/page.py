"""The graph as a page to open and explore: a single file that needs no network.

Besides the picture, the page has the data that its script needs about each box, and a table with
the same content for people who cannot see the picture, and for print.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from typing import Any

from signal_inspector.display.numbers import plural
from signal_inspector.display.text import pieces, place
from signal_inspector.graph.drawing import (
    Drawing,
    Shape,
    connection_words,
    draw,
    known_words,
    palette,
    sent_at,
    way_words,
)
from signal_inspector.graph.formats import asset, content, text
from signal_inspector.graph.layout import lay_out
from signal_inspector.graph.model import Graph, Receiving, Sending

_SCRIPTS = ("boxes", "view", "pointing", "focus", "panel", "filters", "buttons")
#: "<", ">" and "&" would be read as HTML, and the other two as line ends by old browsers.
_IN_SCRIPT = {each: f"\\u{each:04x}" for each in map(ord, "<>&\u2028\u2029")}


def as_table(graph: Graph) -> str:
    """The rows of the table: signal, senders, receivers in order, and the signals that follow."""
    rows = []
    for signal in graph.signals:
        sent = [
            (each.function, sent_at(each)) for each in graph.sendings if each.signal == signal.name
        ]
        sent += [
            (each.receiver, known_words(each))
            for each in graph.sendings_on
            if each.signal == signal.name
        ]
        received = [
            (each.receiver, connection_words(each, with_order=False))
            for each in graph.receivings
            if each.signal == signal.name
        ]
        receivers = {name for name, _ in received}
        follows = [
            (each.signal, f"sent by {each.receiver}")
            for each in graph.sendings_on
            if each.receiver in receivers
        ]
        at = place(signal.path, signal.line)
        rows.append(
            f'<tr><th scope="row">{_name(signal.name)}<small>{text(at)}</small></th>'
            f"<td>{_list(sent, 'nobody, as far as the source shows')}</td>"
            f"<td>{_list(received, 'nobody', 'ol')}</td><td>{_list(follows, '–')}</td></tr>\n"
        )
    return "".join(rows)


def _list(items: Iterable[tuple[str, str]], nothing: str, tag: str = "ul") -> str:
    lines = [
        f"<li>{_name(name)}{f'<small>{text(words)}</small>' if words else ''}</li>"
        for name, words in items
    ]
    return (
        f"<{tag}>{''.join(lines)}</{tag}>"
        if lines
        else f'<span class="none">{text(nothing)}</span>'
    )


def _name(name: str) -> str:
    """A dotted name, in which a line may break between words."""
    return f"<code>{'<wbr>'.join(map(text, pieces(name)))}</code>"


def details_of(graph: Graph, drawing: Drawing) -> dict[str, Any]:
    """Boxes and arrows by their keys, with the text that the side panel shows, as plain data."""
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
        lines = [*map(_send, each.sends), *way_words(each)]
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
    return f"{sent_at(sending)}{sender}"


def _connection(receiving: Receiving) -> dict[str, Any]:
    lines = []
    if receiving.sender is not None:
        lines.append(f"only sender {receiving.sender}")
    if receiving.dispatch_uid is not None:
        lines.append(f"dispatch_uid {receiving.dispatch_uid}")
    words = ["async"] if receiving.is_async else []
    if receiving.is_weak is False:
        words.append("held strongly")
    if receiving.order is None:
        words.append(receiving.state)
    return {"order": receiving.order, "lines": lines, "words": words}


def as_html(graph: Graph, *, title: str = "") -> str:
    """The graph as an HTML document; ``title`` names the project. Raises LayoutMissingError."""
    drawing = draw(graph)
    placed = lay_out(drawing)
    style = palette() + asset("picture.css") + asset("page.css")
    script = _script()
    parts = {
        "policy": _policy(style, script),
        "title": text(f"Signals of {title}" if title else "Signals"),
        "counts": text(_counts(graph)),
        "apps": _apps(drawing),
        "cycles": str(len(graph.cycles)),
        "orphans": str(sum(signal.is_orphan for signal in graph.signals)),
        "width": f"{max(placed.width, 320):.0f}",
        "height": f"{max(placed.height, 80):.0f}",
        "picture": content(placed),
        "table": as_table(graph),
        "data": in_script(details_of(graph, drawing)),
        "style": style,
        "script": script,
    }
    pieces = asset("page.html").split("{{")
    page = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        page += [parts[name], rest]
    return "".join(page)


def in_script(data: Any) -> str:
    """JSON that is safe in a ``<script>``: nothing in it can end the element."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).translate(_IN_SCRIPT)


def _script() -> str:
    """The parts of the script in one function, so that none of their names is global."""
    parts = "".join(asset(f"{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy that allows only this page's own style and script."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _counts(graph: Graph) -> str:
    receivers = sum(each.is_receiver for each in graph.functions)
    senders = len(graph.functions) - receivers
    return (
        f"{plural(len(graph.signals), 'signal')}, {plural(receivers, 'receiver')}, "
        f"{plural(senders, 'sender')}"
    )


def _apps(drawing: Drawing) -> str:
    labels = sorted({box.app for box in drawing.boxes if box.app})
    return "".join(f'<option value="{text(label)}">{text(label)}</option>' for label in labels)
