"""Mermaid: GitHub, GitLab and many editors draw it inside Markdown."""

from __future__ import annotations

from signal_inspector.catalog.graph_records import Graph
from signal_inspector.graphs.drawing import Arrow, Box, Drawing, Kind, Shape, draw

_BRACKETS = {Shape.SENDER: ("[", "]"), Shape.SIGNAL: ("([", "])"), Shape.RECEIVER: ("(", ")")}
_PLAIN = set(" ._-/,→×")

# Colours that can be read on a light and on a dark page, as a picture in Markdown has no theme.
_CLASSES = """\
    classDef signal fill:#417690,stroke:#264b5d,color:#ffffff
    classDef receiver fill:#f2f7f9,stroke:#417690,color:#1b1b1b
    classDef sender fill:#ffffff,stroke:#767676,color:#1b1b1b
    classDef faint fill:#eeeeee,stroke:#767676,color:#555555,stroke-dasharray:4 3
    classDef orphan stroke:#b45309,stroke-width:2px,stroke-dasharray:5 3
    classDef cyclic stroke:#b45309,stroke-width:3px"""


def as_mermaid(graph: Graph) -> str:
    """A ``flowchart`` from left to right, for a ``mermaid`` block in Markdown."""
    drawing = draw(graph)
    lines = ["flowchart LR"]
    lines += [f"    {_node(box)}" for box in drawing.boxes]
    lines += [f"    {_link(arrow)}" for arrow in drawing.arrows]
    lines += [_CLASSES, *_marked(drawing)]
    return "\n".join(lines) + "\n"


def _node(box: Box) -> str:
    start, end = _BRACKETS[box.shape]
    rows = [box.title, box.subtitle, *box.words]
    return f'{box.key}{start}"{"<br/>".join(escaped(row) for row in rows if row)}"{end}'


def _link(arrow: Arrow) -> str:
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
        lines.append(f"    linkStyle {','.join(cyclic)} stroke:#b45309,stroke-width:3px")
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
