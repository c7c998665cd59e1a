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
from signal_inspector.graphs.placing import HEIGHT, LOOP, Place, Placed, width_of

ROW = HEIGHT + 12.0  # from one box to the one below
LANE = 18.0  # from one arrow that goes back to the one below
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
    lanes: dict[str, float]
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
    ends = [(index[each.source], index[each.target]) for each in arrows]
    layers = _layers(boxes, igraph.Graph(n=len(boxes), edges=ends, directed=True))
    on = [at for at, (source, target) in enumerate(ends) if layers[source] < layers[target]]
    forward = [arrows[at] for at in on]
    graph = igraph.Graph(n=len(boxes), edges=[ends[at] for at in on], directed=True)
    layout = graph.layout_sugiyama(layers=layers, hgap=1, vgap=1, maxiter=_ITERATIONS)
    bends = dict(zip((arrow.key for arrow in forward), layout.edge_routing, strict=True))
    every = [row for row, _ in layout.coords] + [row for its in bends.values() for row, _ in its]
    top = min(every)
    rows = _in_order(boxes, arrows, layers, [row - top for row, _ in layout.coords])
    columns = _columns(boxes, layers, forward, index)
    places = {
        box.key: Place(columns[layer][0], row * ROW, columns[layer][1])
        for box, layer, row in zip(boxes, layers, rows, strict=True)
    }
    passes = {
        key: tuple(
            (x, x + width, (row - top) * ROW + HEIGHT / 2)
            for row, layer in its
            for x, width in [columns[round(layer)]]
        )
        for key, its in bends.items()
    }
    bottom = (max(every) - top) * ROW + HEIGHT
    back = [arrow.key for arrow in arrows if arrow.key not in bends]
    lanes = {key: bottom + LANE * at for at, key in enumerate(back, start=1)}
    return Part(
        places=places,
        passes=passes,
        lanes=lanes,
        width=max(place.x + place.width for place in places.values()) + (LOOP if back else 0),
        height=max([bottom, *lanes.values()]),
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
    lanes: dict[str, float] = {}
    for part, corner in zip(parts, corners, strict=True):
        x, y = corner[0] + MARGIN, corner[1] + MARGIN
        for key, place in part.places.items():
            places[key] = Place(place.x + x, place.y + y, place.width, place.height)
        for key, bends in part.passes.items():
            passes[key] = tuple((left + x, right + x, at + y) for left, right, at in bends)
        lanes |= {key: at + y for key, at in part.lanes.items()}
    return Placed(
        drawing=drawing,
        places=places,
        passes=passes,
        lanes=lanes,
        width=width + 2 * MARGIN,
        height=height + 2 * MARGIN,
    )
