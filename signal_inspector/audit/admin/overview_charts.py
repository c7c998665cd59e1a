"""Where things stand in the plots: attributes of SVG, as text, and nothing that needs a style."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signal_inspector.display.timeline import Scale, Tick

_STEPS: Final = (1, 2, 2.5, 5, 10)
_GAP: Final = 0.12  # of a slot, on each side of a bar
_LEAST: Final = 1.5  # px: what is not nothing is seen


@dataclass(frozen=True, slots=True)
class Bar:
    """One slot."""

    x: str
    width: str
    y: str
    height: str
    title: str
    is_open: bool  # the slot is not over


@dataclass(frozen=True, slots=True)
class Band:
    """A time."""

    x: str
    width: str
    title: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart: as wide as there is room, ``height`` px high."""

    height: int
    bars: list[Bar]
    scale: list[str]  # the words of the axis, from the top
    lines: list[str]  # where its lines are, px
    label: str  # what the chart says, in words


@dataclass(frozen=True, slots=True)
class Lines:
    """Two lines over time, in a square of 100 by 100 that is stretched."""

    first: list[str]  # points of each part of the line of p95
    second: list[str]  # of p50
    first_dots: list[tuple[str, str]]  # slots alone between empty ones, which no line shows
    scale: list[str]
    label: str


@dataclass(frozen=True, slots=True)
class Lane:
    """p50, p95 and the longest of a receiver on a scale that all share."""

    p50: str
    p95: str
    longest: str
    is_beyond: bool  # the longest is beyond the scale
    label: str


def top_of(largest: float) -> float:
    """A round number, not smaller, for the top of a scale."""
    if largest <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in _STEPS if step * power >= largest * 0.999_999)


def bars(values: Sequence[int], titles: Sequence[str], *, height: int, label: str) -> Bars:
    """A chart of counts; the last slot is not over."""
    top = max(top_of(max(values, default=0)), 2)
    width = 100 / max(len(values), 1)
    made = []
    for index, (value, title) in enumerate(zip(values, titles, strict=True)):
        high = max(value / top * height, _LEAST) if value else 0.0
        made.append(
            Bar(
                _percent(width * (index + _GAP)),
                _percent(width * (1 - 2 * _GAP)),
                f"{height - high:.1f}",
                f"{high:.1f}",
                title,
                index == len(values) - 1,
            )
        )
    scale = [_count(top), _count(top / 2), "0"]
    return Bars(height, made, scale, ["0", f"{height / 2:.1f}", str(height)], label)


def bands(spans: Sequence[tuple[float, float, str]]) -> list[Band]:
    """Times from one share of the width to another, seen however short they are."""
    return [
        Band(_percent(100 * start), _percent(max(100 * (end - start), 0.6)), title)
        for start, end, title in spans
    ]


def lines(p50: Sequence[int | None], p95: Sequence[int | None], *, label: str) -> Lines:
    """Durations in nanoseconds; None where there was no call, and then no line."""
    top = top_of(max((value for value in p95 if value is not None), default=0) / 1e6)
    first, dots = _strokes(p95, top)
    second, _ = _strokes(p50, top)
    return Lines(first, second, dots, [_ms(top), "0"], label)


def _strokes(values: Sequence[int | None], top: float) -> tuple[list[str], list[tuple[str, str]]]:
    strokes: list[list[tuple[str, str]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            strokes.append([])
        else:
            x = (index + 0.5) * 100 / len(values)
            strokes[-1].append((f"{x:.2f}", f"{100 - value / 1e6 / top * 100:.2f}"))
    points = [" ".join(map(",".join, stroke)) for stroke in strokes if len(stroke) > 1]
    return points, [stroke[0] for stroke in strokes if len(stroke) == 1]


def lane(p50: int, p95: int, longest: int, scale: Scale, label: str) -> Lane:
    """One receiver, in nanoseconds, on a scale that all share."""
    is_beyond = longest > scale.length_ns
    return Lane(scale.x(p50), scale.x(p95), scale.x(longest), is_beyond, label)


def ticks(texts: Sequence[str], each: int) -> list[Tick]:
    """A word for every so many slots, under the middle of its slot."""
    width = 100 / max(len(texts), 1)
    shown = range(0, len(texts), each)
    return [
        Tick(
            x=_percent(width * (index + 0.5)),
            text=texts[index],
            odd=position % 2 == 1,
            anchor="middle",
        )
        for position, index in enumerate(shown)
    ]


def _percent(number: float) -> str:
    return f"{min(max(number, 0), 100):.2f}%"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def _ms(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:g}"
