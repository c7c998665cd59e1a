"""The graph as text for other programs (DOT, Mermaid and JSON), and as a picture (SVG).

The text in the picture is real text, and the picture follows the reader's light or dark theme.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from html import escape
from importlib.resources import files
from typing import Any, Final

import signal_inspector
from signal_inspector.display.numbers import plural
from signal_inspector.display.text import short_path
from signal_inspector.graph.drawing import (
    Arrow,
    Box,
    Drawing,
    Kind,
    Shape,
    color,
    draw,
    palette,
    shortened,
)
from signal_inspector.graph.layout import LOOP, Place, Placed, lay_out, text_width
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

#: Changes when a field is removed or changes its meaning, but not when a field is added.
VERSION: Final = 1

_MOST_TITLE, _MOST_SUBTITLE = 38, 50  # characters
_RADIUS = {Shape.SENDER: 0, Shape.SIGNAL: 21, Shape.RECEIVER: 6}
_CLEAN = dict.fromkeys((*range(32), 127, 0xFFFE, 0xFFFF, *range(0xD800, 0xE000)), " ")


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
    """A double-quoted string, in which no backslash of the text is read as an escape."""
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
    """Text for a quoted label; characters with a meaning in Mermaid or HTML become codes."""
    return "".join(
        each
        if each.isalnum() or each in _PLAIN
        else f"#{ord(each)};"
        if each.isprintable()
        else " "
        for each in text
    )


def as_json(graph: Graph) -> dict[str, Any]:
    """The graph as plain data: nodes by name, and edges by the names of their ends."""
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


def as_svg(graph: Graph) -> str:
    """The graph as an SVG document. Raises ``LayoutMissingError``."""
    placed = lay_out(draw(graph))
    width, height = max(placed.width, 320), max(placed.height, 80)
    title = (
        f"{plural(len(graph.signals), 'signal')}, {plural(len(graph.functions), 'function')}, "
        f"{plural(len(graph.cycles), 'cycle')}"
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" class="si-graph" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{text(title)}">\n'
        f"<title>{text(title)}</title>\n"
        f"<style>svg {{ color-scheme: light dark; }}\n{palette()}{asset('picture.css')}</style>\n"
        f'<rect class="paper" width="100%" height="100%"/>\n'
        f"{content(placed)}</svg>\n"
    )


def content(placed: Placed) -> str:
    """The arrows, and the boxes on top of them."""
    if not placed.places:
        return '<text class="title" x="28" y="44">No signals.</text>\n'
    late = _labeled_late(placed.drawing.arrows)
    arrows = "".join(_arrow(arrow, placed, late) for arrow in placed.drawing.arrows)
    boxes = "".join(_box(box, placed.places[box.key]) for box in placed.drawing.boxes)
    return f'{_MARKERS}<g class="arrows">\n{arrows}</g>\n<g class="boxes">\n{boxes}</g>\n'


def text(value: str) -> str:
    """Text for an element or an attribute; characters not allowed in XML become spaces."""
    return escape(value.translate(_CLEAN))


@lru_cache(maxsize=8)
def asset(name: str) -> str:
    """The content of a file that belongs to the picture or the page."""
    return files("signal_inspector.graph").joinpath("assets", name).read_text(encoding="utf-8")


def _marker(name: str) -> str:
    return (
        f'<marker id="tip-{name}" class="tip {name}" viewBox="0 0 10 10" refX="9" refY="5" '
        'markerWidth="7" markerHeight="7" orient="auto"><path d="M0 1 10 5 0 9z"/></marker>'
    )


_MARKERS = f"<defs>{''.join(map(_marker, ('sends', 'receives', 'sends-on', 'cyclic')))}</defs>\n"


def _box(box: Box, place: Place) -> str:
    x = 18 if box.shape is Shape.SIGNAL else 12
    title, subtitle = shortened(box.title, _MOST_TITLE), shortened(box.subtitle, _MOST_SUBTITLE)
    corner = f"translate({place.x:.1f} {place.y:.1f})"
    says = ", ".join(filter(None, (box.name, box.place, *box.words)))
    lines = [
        f'<g class="{_classes(box)}" id="{box.key}" data-key="{box.key}" transform="{corner}">',
        f"<title>{text(says)}</title>",
        f'<rect class="shape" width="{place.width:.1f}" height="{place.height:.1f}"',
        f' rx="{_RADIUS[box.shape]}"/>',
        f'<text class="title" x="{x}" y="{18 if subtitle else 26}">{text(title)}</text>',
    ]
    if subtitle:
        lines.append(f'<text class="subtitle" x="{x}" y="33">{text(subtitle)}</text>')
    return "".join([*lines, *_badges(box, place), "</g>\n"])


def _classes(box: Box) -> str:
    marks = {
        "cyclic": box.is_cyclic,
        "faint": box.is_faint,
        "orphan": box.is_orphan,
    }
    return " ".join(["box", box.shape.value, *(name for name, on in marks.items() if on)])


def _badges(box: Box, place: Place) -> list[str]:
    """The badges at the right of the upper line, placed from right to left."""
    found = []
    right = place.width - (16 if box.shape is Shape.SIGNAL else 8)
    for word in reversed(box.words):
        width = text_width(word, 10.5) + 12
        right -= width
        found.append(
            f'<g class="badge"><rect x="{right:.1f}" y="5" width="{width:.1f}" height="16" '
            f'rx="8"/><text x="{right + width / 2:.1f}" y="16.5">{text(word)}</text></g>'
        )
        right -= 4
    return found


def _labeled_late(arrows: Iterable[Arrow]) -> set[str]:
    """The arrows with the label at their tip: orders, and labels that differ at one source."""
    arrows = list(arrows)
    labels: dict[str, set[str]] = {}
    for arrow in arrows:
        labels.setdefault(arrow.source, set()).add(arrow.label)
    return {
        arrow.key
        for arrow in arrows
        if arrow.kind is Kind.RECEIVES or len(labels[arrow.source]) > 1
    }


def _arrow(arrow: Arrow, placed: Placed, late: set[str]) -> str:
    classes = ["arrow", arrow.kind.value]
    classes += ["cyclic"] if arrow.is_cyclic else []
    classes += ["faint"] if arrow.is_faint else []
    classes += [] if arrow.is_certain else ["uncertain"]
    tip = "cyclic" if arrow.is_cyclic else arrow.kind.value
    path = _path(arrow, placed)
    lines = [
        f'<g class="{" ".join(classes)}" id="{arrow.key}" data-key="{arrow.key}">',
        f"<title>{text(arrow.says)}</title>",
        f'<path class="touch" d="{path}"/>',
        f'<path class="line" d="{path}" marker-end="url(#tip-{tip})"/>',
    ]
    if arrow.label:
        x, y, anchor = _label_place(arrow, placed, late)
        lines.append(
            f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
            f"{text(arrow.label)}</text>"
        )
    return "".join(lines) + "</g>\n"


def _label_place(arrow: Arrow, placed: Placed, late: set[str]) -> tuple[float, float, str]:
    (x, y), (end_x, end_y) = placed.places[arrow.source].right, placed.places[arrow.target].left
    if arrow.key in placed.lanes:
        return (x + end_x) / 2, placed.lanes[arrow.key] - 4, "middle"
    if arrow.key in late:
        return end_x - 12, end_y - 5, "end"
    return x + 6, y - 5, "start"


def _path(arrow: Arrow, placed: Placed) -> str:
    (x, y), (end_x, end_y) = placed.places[arrow.source].right, placed.places[arrow.target].left
    if arrow.key in placed.lanes:
        return _way_back(x, y, end_x, end_y, placed.lanes[arrow.key])
    steps = [f"M{x:.1f} {y:.1f}"]
    for left, right, at in placed.passes[arrow.key]:
        steps.append(f"{_curve(x, y, left, at)}L{right:.1f} {at:.1f}")
        x, y = right, at
    steps.append(_curve(x, y, end_x, end_y))
    return "".join(steps)


def _curve(x: float, y: float, end_x: float, end_y: float) -> str:
    bend = (end_x - x) / 2
    return f"C{x + bend:.1f} {y:.1f} {end_x - bend:.1f} {end_y:.1f} {end_x:.1f} {end_y:.1f}"


def _way_back(x: float, y: float, end_x: float, end_y: float, lane: float) -> str:
    """An arrow to a column further left: down beside its box, below all boxes, and back up."""
    out, into, round_off = x + LOOP, end_x - LOOP, 10.0
    return (
        f"M{x:.1f} {y:.1f}Q{out:.1f} {y:.1f} {out:.1f} {y + round_off:.1f}"
        f"V{lane - round_off:.1f}Q{out:.1f} {lane:.1f} {out - round_off:.1f} {lane:.1f}"
        f"H{into + round_off:.1f}Q{into:.1f} {lane:.1f} {into:.1f} {lane - round_off:.1f}"
        f"V{end_y + round_off:.1f}Q{into:.1f} {end_y:.1f} {end_x:.1f} {end_y:.1f}"
    )
