"""The graph as one page that a person opens and explores: a single file, without a network."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from signal_inspector.catalog.graph_records import Graph
from signal_inspector.graphs.details import details_of
from signal_inspector.graphs.drawing import Drawing, draw
from signal_inspector.graphs.layout import lay_out
from signal_inspector.graphs.svg import asset, content, text
from signal_inspector.graphs.table import as_table
from signal_inspector.graphs.wording import plural

_SCRIPTS = ("boxes", "view", "pointing", "focus", "panel", "filters", "buttons")
#: "<" and "&" would be read as HTML; the others as ends of lines by old scripts.
_IN_SCRIPT = {each: f"\\u{each:04x}" for each in map(ord, "<>&\u2028\u2029")}


def as_html(graph: Graph, *, title: str = "") -> str:
    """One HTML document. ``title`` is the project's name. Raises ``LayoutMissingError``."""
    drawing = draw(graph)
    placed = lay_out(drawing)
    style = asset("picture.css") + asset("page.css")
    script = _script()
    parts = {
        "policy": _policy(style, script),
        "title": text(f"Signals of {title}" if title else "Signals"),
        "counts": text(_counts(graph)),
        "apps": _apps(drawing),
        "cycles": str(len(graph.cycles)),
        "orphans": str(len(graph.orphans())),
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
    """JSON that may stand in a ``<script>``: nothing in it can end the element."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).translate(_IN_SCRIPT)


def _script() -> str:
    """The parts in one function, so that nothing of theirs is global."""
    parts = "".join(asset(f"{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();'


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy that lets nothing but this page's own style and script run."""
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
