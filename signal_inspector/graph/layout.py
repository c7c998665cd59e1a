"""Lay out a drawing from left to right; igraph does the hard part.

Each connected part is laid out separately, in layers: senders, signals, receivers, the signals
that these receivers send, and so on. igraph orders each layer so that few arrows cross. The parts
are then packed beside and below each other. The result is the positions of boxes and arrows, in
CSS pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from signal_inspector.graph.drawing import Arrow, Box, Drawing, Kind, Shape

HEIGHT = 42.0  # of a box
LOOP = 20.0  # distance from the boxes at which an arrow that goes back runs down and up
_PADDING, _WIDEST, _NARROWEST = 26.0, 400.0, 96.0
_BADGE = 15.0  # around the words of a badge

GAP = 44.0
_RATIO = 1.75  # width to height of a browser's window
_TRIES = 24  # number of widths to try

Size = tuple[float, float]
Corner = tuple[float, float]

ROW = HEIGHT + 12.0  # from one box to the next one below
LANE = 18.0  # from one arrow that goes back to the next one below
MARGIN = 28.0
_LEAST_GAP, _MOST_GAP = 84.0, 190.0  # between columns; wider if many arrows cross the gap
_ITERATIONS = 60  # of the search for an order with few crossings

Passes = dict[str, tuple[tuple[float, float, float], ...]]


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a box: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float = HEIGHT

    @property
    def left(self) -> tuple[float, float]:
        """The point where arrows come in."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """The point where arrows go out."""
        return self.x + self.width, self.y + self.height / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A drawing with the places of its boxes and arrows."""

    drawing: Drawing
    places: dict[str, Place]  # by the key of the box
    #: By the key of the arrow: the segments in which it passes other columns, each (x, x, y).
    passes: dict[str, tuple[tuple[float, float, float], ...]]
    #: By the key of an arrow that goes back to the left: the y at which it passes below all boxes.
    lanes: dict[str, float]
    width: float
    height: float


def width_of(box: Box) -> float:
    """How wide a box has to be for its text, in a common font."""
    badges = sum(text_width(word, 10.5) + _BADGE for word in box.words)
    text = max(text_width(box.title, 13, bold=True) + badges, text_width(box.subtitle, 11))
    padding = _PADDING + (12 if box.shape is Shape.SIGNAL else 0)
    return min(max(text + padding, _NARROWEST), _WIDEST + badges)


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """An estimate of the width, which errs on the wide side, as there is no font to measure.

    The numbers are those of DejaVu Sans, which is wider than the font of most readers.
    """
    narrow = sum(each in "iljI.,:;|!'" for each in text)
    wide = sum(each in "mwMW@%" for each in text) + 2 * sum(ord(each) > 0x2E80 for each in text)
    letters = len(text) - narrow * 0.45 + wide * 0.5
    return letters * size * (0.69 if bold else 0.615)


def packed(sizes: Sequence[Size]) -> tuple[list[Corner], float, float]:
    """The upper left corner of each rectangle, and the width and height of all of them.

    The tallest rectangle is placed first, each as far up as it fits, then as far left. This is
    quick, and puts the largest part, which is the most interesting one, at the upper left.
    """
    if not sizes:
        return [], 0.0, 0.0
    widest = max(width for width, _ in sizes)
    every = sum(width + GAP for width, _ in sizes)
    step = (every / widest) ** (1 / _TRIES)
    tries = [_within(widest * step**number, sizes) for number in range(_TRIES + 1)]
    return min(tries, key=lambda each: max(each[1] / _RATIO, each[2]))


def _within(limit: float, sizes: Sequence[Size]) -> tuple[list[Corner], float, float]:
    order = sorted(range(len(sizes)), key=lambda at: (-sizes[at][1], -sizes[at][0], at))
    corners: list[Corner] = [(0.0, 0.0)] * len(sizes)
    #: The points where the lower edge of the placed rectangles changes: from x on, it is at y.
    edge: list[Corner] = [(0.0, 0.0), (limit + GAP, 0.0)]
    for at in order:
        width, height = sizes[at][0] + GAP, sizes[at][1] + GAP
        corners[at] = x, y = _highest(edge, width)
        edge = _lowered(edge, x, x + width, y + height)
    right = max(x + size[0] for (x, _), size in zip(corners, sizes, strict=True))
    bottom = max(y + size[1] for (_, y), size in zip(corners, sizes, strict=True))
    return corners, right, bottom


def _highest(edge: list[Corner], width: float) -> Corner:
    """The highest corner at which something this wide fits; the leftmost of equally high ones."""
    end = edge[-1][0]
    places = [
        (max(y for (left, y), (right, _) in pairwise(edge) if right > x and left < x + width), x)
        for x, _ in edge[:-1]
        if x + width <= end or x == 0
    ]
    y, x = min(places)
    return x, y


def _lowered(edge: list[Corner], left: float, right: float, bottom: float) -> list[Corner]:
    """The edge after something was placed between left and right, down to bottom."""
    after = next((y for (x, y), (to, _) in pairwise(edge) if x <= right < to), edge[-1][1])
    kept = [(x, y) for x, y in edge if x < left or x > right]
    return sorted([*kept, (left, bottom), (right, after)])


class LayoutMissingError(Exception):
    """igraph is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "Drawing a graph needs igraph, which is not installed. Run: pip install "
            '"django-signal-inspector[graph]"'
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
    """The same rows, with receivers that are otherwise alike sorted by their order of calls."""
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
    """The column of each box: signals are in odd columns, functions in even ones.

    A box's column is the length of the longest path to it, not counting the arrows that close a
    cycle. Senders are then moved right next to the first of their signals.
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
    """The left edge and the width of each column."""
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
