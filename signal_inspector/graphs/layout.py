"""Laying a drawing out from left to right; igraph does the hard part.

Each connected part is laid out by itself, in layers: senders, signals, receivers, the signals
that these send on, and so on. igraph puts each layer in an order with few crossings. The parts
are then packed beside and below each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from signal_inspector.graphs.drawing import Arrow, Box, Drawing, Kind, Shape
from signal_inspector.graphs.packing import packed
from signal_inspector.graphs.placing import HEIGHT, Place, Placed, width_of

ROW = HEIGHT + 12.0  # from one box to the one below
MARGIN = 28.0
_LEAST_GAP, _MOST_GAP = 84.0, 190.0  # between columns: wider where many arrows cross it
_ITERATIONS = 60  # of the search for few crossings

Passes = dict[str, tuple[tuple[float, float, float], ...]]


class LayoutMissingError(Exception):
    """igraph is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Pictures are laid out by igraph, which is not installed: "
            'pip install "django-signal-inspector[graph]"'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A connected part of the drawing, laid out from (0, 0)."""

    places: dict[str, Place]
    passes: Passes
    width: float
    height: float


def lay_out(drawing: Drawing) -> Placed:
    """Give each box a place. Raises ``LayoutMissingError``."""
    try:
        import igraph  # noqa: PLC0415 - optional: pip install "django-signal-inspector[graph]"
    except ImportError as error:
        raise LayoutMissingError from error
    index = {box.key: at for at, box in enumerate(drawing.boxes)}
    whole = igraph.Graph(n=len(index), directed=True)
    whole.add_edges([(index[each.source], index[each.target]) for each in drawing.arrows])
    parts = []
    for members in whole.connected_components(mode="weak"):
        boxes = [drawing.boxes[at] for at in members]
        keys = {box.key for box in boxes}
        parts.append(
            _part(boxes, [each for each in drawing.arrows if each.source in keys], igraph)
        )
    return _together(drawing, parts)


def _part(boxes: list[Box], arrows: list[Arrow], igraph: Any) -> Part:
    index = {box.key: at for at, box in enumerate(boxes)}
    graph = igraph.Graph(n=len(boxes), directed=True)
    graph.add_edges([(index[each.source], index[each.target]) for each in arrows])
    layers = _layers(boxes, graph)
    layout = graph.layout_sugiyama(layers=layers, hgap=1, vgap=1, maxiter=_ITERATIONS)
    rows = _in_order(boxes, arrows, layers, [row for row, _ in layout.coords])
    columns = _columns(boxes, layers, arrows, index)
    top = min(rows, default=0)
    places = {}
    for box, layer, row in zip(boxes, layers, rows, strict=True):
        x, width = columns[layer]
        places[box.key] = Place(x, (row - top) * ROW, width)
    passes: Passes = {}
    for arrow, bends in zip(arrows, layout.edge_routing, strict=True):
        if layers[index[arrow.source]] < layers[index[arrow.target]]:
            passes[arrow.key] = tuple(
                (x, x + width, (row - top) * ROW + HEIGHT / 2)
                for row, layer in bends
                for x, width in [columns[round(layer)]]
            )
    # An arrow may pass below or above all boxes.
    lows = [y + HEIGHT / 2 for each in passes.values() for _, _, y in each]
    return Part(
        places=places,
        passes=passes,
        width=max(place.x + place.width for place in places.values()),
        height=max([place.y + place.height for place in places.values()] + lows),
    )


def _in_order(
    boxes: list[Box], arrows: list[Arrow], layers: list[int], rows: list[float]
) -> list[float]:
    """The same rows, with receivers that differ in nothing but their order in that order."""
    joined: dict[str, list[Arrow]] = {box.key: [] for box in boxes}
    for arrow in arrows:
        joined[arrow.source].append(arrow)
        joined[arrow.target].append(arrow)
    alike: dict[tuple[int, str], list[int]] = {}
    for at, box in enumerate(boxes):
        if box.shape is Shape.RECEIVER and len(joined[box.key]) == 1:
            alike.setdefault((layers[at], joined[box.key][0].source), []).append(at)
    rows = list(rows)
    for members in alike.values():
        free = sorted(rows[at] for at in members)
        members.sort(key=lambda at: joined[boxes[at].key][0].rank)
        for at, row in zip(members, free, strict=True):
            rows[at] = row
    return rows


def _layers(boxes: list[Box], graph: Any) -> list[int]:
    """The column of each box: signals stand in odd ones, functions in even ones.

    The longest way from a beginning decides, past the arrows that close a cycle. Senders are
    then moved right beside the first of their signals.
    """
    forward = graph.copy()
    forward.delete_edges(graph.feedback_arc_set(None, "eades"))
    layers = [_first_layer(box) for box in boxes]
    for at in forward.topological_sorting():
        for target in forward.successors(at):
            layers[target] = max(layers[target], layers[at] + 1)
    for at, box in enumerate(boxes):
        targets = [layers[target] for target in forward.successors(at)]
        if box.shape is Shape.SENDER and targets:
            layers[at] = min(targets) - 1
    least = min(layers)
    return [layer - least for layer in layers]


def _first_layer(box: Box) -> int:
    return {Shape.SENDER: 0, Shape.SIGNAL: 1, Shape.RECEIVER: 2}[box.shape]


def _columns(
    boxes: list[Box], layers: list[int], arrows: list[Arrow], index: dict[str, int]
) -> dict[int, tuple[float, float]]:
    """Left edge and width of each column."""
    found: dict[int, tuple[float, float]] = {}
    x = 0.0
    for layer in range(max(layers) + 1):
        widths = [width_of(box) for box, its in zip(boxes, layers, strict=True) if its == layer]
        width = max(widths, default=0.0)
        crossing = sum(
            layers[index[each.source]] <= layer < layers[index[each.target]] for each in arrows
        )
        on = any(
            each.kind is Kind.SENDS_ON and layers[index[each.source]] == layer for each in arrows
        )
        found[layer] = (x, width)
        gap = min(_LEAST_GAP + (24.0 if on else 0.0) + 3.0 * crossing, _MOST_GAP)
        x += width + gap
    return found


def _together(drawing: Drawing, parts: list[Part]) -> Placed:
    corners, width, height = packed([(part.width, part.height) for part in parts])
    places: dict[str, Place] = {}
    passes: Passes = {}
    for part, corner in zip(parts, corners, strict=True):
        x, y = corner[0] + MARGIN, corner[1] + MARGIN
        for key, place in part.places.items():
            places[key] = Place(place.x + x, place.y + y, place.width, place.height)
        for key, bends in part.passes.items():
            passes[key] = tuple((left + x, right + x, at + y) for left, right, at in bends)
    return Placed(
        drawing=drawing,
        places=places,
        passes=passes,
        width=width + 2 * MARGIN,
        height=height + 2 * MARGIN,
    )
