"""The graph as text for other programs: DOT, Mermaid and JSON.

Many programs read DOT, the language of Graphviz. GitHub, GitLab and many editors draw Mermaid
inside Markdown. docs/graph.md says what the fields of the JSON mean.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import signal_inspector
from signal_inspector.display.text import short_path
from signal_inspector.graph.drawing import Arrow, Box, Drawing, Kind, Shape, color, draw
from signal_inspector.graph.model import Graph

_EDGE, _WARN = color("plain-edge"), color("plain-warn")
_SIGNAL, _SIGNAL_TEXT = color("plain-signal"), color("plain-signal-text")
_RECEIVER, _SENDER = color("plain-receiver"), color("plain-sender")
_FAINT, _QUIET = color("plain-faint"), color("plain-quiet")
_SIGNAL_EDGE, _TEXT = color("plain-signal-edge"), color("plain-text")

_HEAD = f"""\
digraph signals {{
    graph [rankdir=LR, ranksep=0.9, nodesep=0.2]
    node [fontname="Helvetica", fontsize=11, shape=box, style="filled,rounded", color="{_SIGNAL}"]
    edge [fontname="Helvetica", fontsize=9, color="{_EDGE}"]"""
_LOOKS = {
    Shape.SENDER: f'fillcolor="{_SENDER}", color="{_EDGE}", style="filled"',
    Shape.SIGNAL: f'fillcolor="{_SIGNAL}", fontcolor="{_SIGNAL_TEXT}"',
    Shape.RECEIVER: f'fillcolor="{_RECEIVER}"',
}

_BRACKETS = {Shape.SENDER: ("[", "]"), Shape.SIGNAL: ("([", "])"), Shape.RECEIVER: ("(", ")")}
_PLAIN = set(" ._-/,→×")

_CLASSES = f"""\
    classDef signal fill:{_SIGNAL},stroke:{_SIGNAL_EDGE},color:{_SIGNAL_TEXT}
    classDef receiver fill:{_RECEIVER},stroke:{_SIGNAL},color:{_TEXT}
    classDef sender fill:{_SENDER},stroke:{_EDGE},color:{_TEXT}
    classDef faint fill:{_FAINT},stroke:{_EDGE},color:{_QUIET},stroke-dasharray:4 3
    classDef orphan stroke:{_WARN},stroke-width:2px,stroke-dasharray:5 3
    classDef cyclic stroke:{_WARN},stroke-width:3px"""

#: Changes when a field is taken away or means something else, not when one is added.
VERSION: Final = 1


def as_dot(graph: Graph) -> str:
    """A ``digraph`` from left to right."""
    drawing = draw(graph)
    lines = [_HEAD]
    lines += [f"    {_dot_node(box)}" for box in drawing.boxes]
    lines += [f"    {_dot_edge(arrow)}" for arrow in drawing.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _dot_node(box: Box) -> str:
    rows = [row for row in (box.title, box.subtitle, *box.words) if row]
    attributes = [f"label={_lines(rows)}", f"tooltip={quoted(box.place or box.name)}"]
    attributes.append(_LOOKS[box.shape])
    if box.is_faint:
        attributes.append(f'style="filled,dashed", fillcolor="{_FAINT}", fontcolor="{_QUIET}"')
    if box.is_orphan:
        attributes.append(f'style="filled,rounded,dashed", color="{_WARN}", penwidth=2')
    if box.is_cyclic:
        attributes.append(f'color="{_WARN}", penwidth=3')
    return f"{box.key} [{', '.join(attributes)}]"


def _dot_edge(arrow: Arrow) -> str:
    attributes = [f"tooltip={quoted(arrow.says)}"]
    if arrow.label:
        attributes.append(f"label={quoted(arrow.label)}")
    if arrow.is_faint or not arrow.is_certain:
        attributes.append("style=dashed")
    if arrow.kind is Kind.SENDS_ON:
        attributes.append("penwidth=2")
    if arrow.is_cyclic:
        attributes.append(f'color="{_WARN}"')
    return f"{arrow.source} -> {arrow.target} [{', '.join(attributes)}]"


def quoted(text: str) -> str:
    """A double-quoted string: no backslash of the text's is read as an escape."""
    clean = "".join(each if each.isprintable() else " " for each in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lines(rows: list[str]) -> str:
    return '"' + r"\n".join(quoted(row)[1:-1] for row in rows) + '"'


def as_mermaid(graph: Graph) -> str:
    """A ``flowchart`` from left to right, for a ``mermaid`` block in Markdown."""
    drawing = draw(graph)
    lines = ["flowchart LR"]
    lines += [f"    {_mermaid_node(box)}" for box in drawing.boxes]
    lines += [f"    {_mermaid_link(arrow)}" for arrow in drawing.arrows]
    lines += [_CLASSES, *_marked(drawing)]
    return "\n".join(lines) + "\n"


def _mermaid_node(box: Box) -> str:
    start, end = _BRACKETS[box.shape]
    rows = [box.title, box.subtitle, *box.words]
    return f'{box.key}{start}"{"<br/>".join(escaped(row) for row in rows if row)}"{end}'


def _mermaid_link(arrow: Arrow) -> str:
    shaft = "-.->" if arrow.is_faint or not arrow.is_certain else "-->"
    if arrow.kind is Kind.SENDS_ON and arrow.is_certain:
        shaft = "==>"
    label = f'|"{escaped(arrow.label)}"|' if arrow.label else ""
    return f"{arrow.source} {shaft}{label} {arrow.target}"


def _marked(drawing: Drawing) -> list[str]:
    lines = []
    for name in Shape:
        keys = [box.key for box in drawing.boxes if box.shape is name]
        lines += [f"    class {','.join(keys)} {name}"] if keys else []
    for mark in ("faint", "orphan", "cyclic"):
        keys = [box.key for box in drawing.boxes if getattr(box, f"is_{mark}")]
        lines += [f"    class {','.join(keys)} {mark}"] if keys else []
    cyclic = [str(at) for at, arrow in enumerate(drawing.arrows) if arrow.is_cyclic]
    if cyclic:
        lines.append(f"    linkStyle {','.join(cyclic)} stroke:{_WARN},stroke-width:3px")
    return lines


def escaped(text: str) -> str:
    """Text for a quoted label: all that Mermaid or HTML might read otherwise becomes a code."""
    return "".join(
        each
        if each.isalnum() or each in _PLAIN
        else f"#{ord(each)};"
        if each.isprintable()
        else " "
        for each in text
    )


def as_json(graph: Graph) -> dict[str, Any]:
    """Plain data: nodes by name, edges by the names of their ends."""
    steps = graph.cyclic_steps()
    return {
        "version": VERSION,
        "generator": f"django-signal-inspector {signal_inspector.__version__}",
        "signals": [_located(asdict(signal)) for signal in graph.signals],
        "functions": [_located(asdict(function)) for function in graph.functions],
        "sends": [_located(asdict(sending)) for sending in graph.sendings],
        "receives": [
            asdict(each) | {"is_cyclic": (each.signal, each.receiver) in steps}
            for each in graph.receivings
        ],
        "sends_on": [
            asdict(each)
            | {
                "known": [known.value for known in each.known],
                "through": list(each.through),
                "sends": [_located(asdict(sending)) for sending in each.sends],
                "is_cyclic": (each.receiver, each.signal) in steps,
            }
            for each in graph.sendings_on
        ],
        "cycles": [list(cycle) for cycle in graph.cycles],
    }


def _located(fields: dict[str, Any]) -> dict[str, Any]:
    return fields | {"path": short_path(fields["path"])}
