"""Putting rectangles beside and below each other, so that the whole is as wide as a screen."""

from __future__ import annotations

from collections.abc import Sequence

GAP = 44.0
_RATIO = 1.5  # width to height of the whole
_MOST_COLUMNS = 40

Size = tuple[float, float]
Corner = tuple[float, float]


def packed(sizes: Sequence[Size]) -> tuple[list[Corner], float, float]:
    """The upper left corner of each rectangle, and the width and height of all of them.

    They stand in columns, the highest first, each at the foot of the shortest column: quick, and
    the largest, which is what a person came for, stands at the upper left.
    """
    if not sizes:
        return [], 0.0, 0.0
    tries = [_in_columns(sizes, number) for number in range(1, min(len(sizes), _MOST_COLUMNS) + 1)]
    return min(tries, key=lambda each: abs(each[1] / each[2] - _RATIO))


def _in_columns(sizes: Sequence[Size], number: int) -> tuple[list[Corner], float, float]:
    order = sorted(range(len(sizes)), key=lambda at: (-sizes[at][1], -sizes[at][0], at))
    columns: list[list[int]] = [[] for _ in range(number)]
    heights = [0.0] * number
    for at in order:
        column = heights.index(min(heights))
        columns[column].append(at)
        heights[column] += sizes[at][1] + GAP
    corners: list[Corner] = [(0.0, 0.0)] * len(sizes)
    x = 0.0
    for column_members in columns:
        y = 0.0
        for at in column_members:
            corners[at] = (x, y)
            y += sizes[at][1] + GAP
        x += max((sizes[at][0] for at in column_members), default=0.0) + GAP
    return corners, x - GAP, max(heights) - GAP
