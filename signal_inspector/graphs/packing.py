"""Putting rectangles beside and below each other, so that the whole fills a screen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

GAP = 44.0
_RATIO = 1.75  # width to height of what a browser shows
_TRIES = 24  # widths that are tried

Size = tuple[float, float]
Corner = tuple[float, float]


def packed(sizes: Sequence[Size]) -> tuple[list[Corner], float, float]:
    """The upper left corner of each rectangle, and the width and height of all of them.

    The highest comes first, each as far up as it finds room, then as far to the left: quick, and
    the largest, which is what a person came for, stands at the upper left.
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
    #: Where the lower edge of what is placed changes: from x on it is at y.
    edge: list[Corner] = [(0.0, 0.0), (limit + GAP, 0.0)]
    for at in order:
        width, height = sizes[at][0] + GAP, sizes[at][1] + GAP
        corners[at] = x, y = _highest(edge, width)
        edge = _lowered(edge, x, x + width, y + height)
    right = max(x + size[0] for (x, _), size in zip(corners, sizes, strict=True))
    bottom = max(y + size[1] for (_, y), size in zip(corners, sizes, strict=True))
    return corners, right, bottom


def _highest(edge: list[Corner], width: float) -> Corner:
    """The highest place, leftmost among equals, where something so wide has room."""
    end = edge[-1][0]
    places = [
        (max(y for (left, y), (right, _) in pairwise(edge) if right > x and left < x + width), x)
        for x, _ in edge[:-1]
        if x + width <= end or x == 0
    ]
    y, x = min(places)
    return x, y


def _lowered(edge: list[Corner], left: float, right: float, bottom: float) -> list[Corner]:
    """The edge, with what now stands between left and right."""
    after = next((y for (x, y), (to, _) in pairwise(edge) if x <= right < to), edge[-1][1])
    kept = [(x, y) for x, y in edge if x < left or x > right]
    return sorted([*kept, (left, bottom), (right, after)])
