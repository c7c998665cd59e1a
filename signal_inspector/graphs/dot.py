"""DOT, the language of Graphviz, which many programs read."""

from __future__ import annotations

from signal_inspector.catalog.graph_records import Graph
from signal_inspector.graphs.drawing import Arrow, Box, Kind, Shape, draw

_HEAD = """\
digraph signals {
    graph [rankdir=LR, ranksep=0.9, nodesep=0.2]
    node [fontname="Helvetica", fontsize=11, shape=box, style="filled,rounded", color="#417690"]
    edge [fontname="Helvetica", fontsize=9, color="#767676"]"""
_LOOKS = {
    Shape.SENDER: 'fillcolor="#ffffff", color="#767676", style="filled"',
    Shape.SIGNAL: 'fillcolor="#417690", fontcolor="#ffffff"',
    Shape.RECEIVER: 'fillcolor="#f2f7f9"',
}


def as_dot(graph: Graph) -> str:
    """A ``digraph`` from left to right."""
    drawing = draw(graph)
    lines = [_HEAD]
    lines += [f"    {_node(box)}" for box in drawing.boxes]
    lines += [f"    {_edge(arrow)}" for arrow in drawing.arrows]
    return "\n".join([*lines, "}"]) + "\n"


def _node(box: Box) -> str:
    rows = [row for row in (box.title, box.subtitle, *box.words) if row]
    attributes = [f"label={_lines(rows)}", f"tooltip={quoted(box.place or box.name)}"]
    attributes.append(_LOOKS[box.shape])
    if box.is_faint:
        attributes.append('style="filled,dashed", fillcolor="#eeeeee", fontcolor="#555555"')
    if box.is_orphan:
        attributes.append('style="filled,rounded,dashed", color="#b45309", penwidth=2')
    if box.is_cyclic:
        attributes.append('color="#b45309", penwidth=3')
    return f"{box.key} [{', '.join(attributes)}]"


def _edge(arrow: Arrow) -> str:
    attributes = [f"tooltip={quoted(arrow.says)}"]
    if arrow.label:
        attributes.append(f"label={quoted(arrow.label)}")
    if arrow.is_faint or not arrow.is_certain:
        attributes.append("style=dashed")
    if arrow.kind is Kind.SENDS_ON:
        attributes.append("penwidth=2")
    if arrow.is_cyclic:
        attributes.append('color="#b45309"')
    return f"{arrow.source} -> {arrow.target} [{', '.join(attributes)}]"


def quoted(text: str) -> str:
    """A double-quoted string: no backslash of the text's is read as an escape."""
    clean = "".join(each if each.isprintable() else " " for each in text)
    return '"' + clean.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lines(rows: list[str]) -> str:
    return '"' + r"\n".join(quoted(row)[1:-1] for row in rows) + '"'
