"""The plots of the overview, each with its numbers as a table.

Positions are texts for SVG attributes, so no inline styles are needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.stats.counts import Measure
from signal_inspector.audit.stats.overview import Links, Read, Span
from signal_inspector.display.numbers import dispatch_count, duration, integer, plural, total_time
from signal_inspector.display.text import DottedName, dotted
from signal_inspector.display.timeline import Axis, Scale, Tick, axis

_STEPS: Final = (1, 2, 2.5, 5, 10)
_GAP: Final = 0.12  # of a slot, on each side of a bar
_LEAST: Final = 1.5  # px; the smallest height of a bar, so that it can be seen

FEW: Final = 6  # receivers that are shown at first
MANY: Final = 60  # receivers that are shown at most
_CHANGED: Final = 2  # how many of the few are those that changed most
_ENOUGH: Final = 20  # calls that are needed for a comparison
_NOTABLE: Final = 0.25  # a relative change, far larger than the error of percentiles
_NONE: Final = Measure()
_HOUR: Final = 3_600
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class SlotBar:
    """The bar of one slot."""

    x: str
    width: str
    y: str
    height: str
    title: str
    is_open: bool  # the slot is not over


@dataclass(frozen=True, slots=True)
class Band:
    """A marked period in a plot."""

    x: str
    width: str
    title: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart: as wide as the page allows, ``height`` px high."""

    height: int
    bars: list[SlotBar]
    scale: list[str]  # labels of the axis, from the top
    lines: list[str]  # positions of the grid lines, px
    label: str  # what the chart shows, in words


@dataclass(frozen=True, slots=True)
class Lines:
    """Two lines over time, in a square of 100 by 100 that is stretched."""

    first: list[str]  # points of each part of the line of p95
    second: list[str]  # points of each part of the line of p50
    first_dots: list[tuple[str, str]]  # single slots between empty ones, which have no line
    scale: list[str]
    label: str


@dataclass(frozen=True, slots=True)
class TimesLane:
    """p50, p95 and the longest time of a receiver, on a scale that all receivers share."""

    p50: str
    p95: str
    longest: str
    is_beyond: bool  # whether the longest time is beyond the scale
    label: str


def top_of(largest: float) -> float:
    """The round number for the top of a scale, at least as large as the number."""
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
            SlotBar(
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
    """Bands, each given as two shares of the width and a title; short ones are still visible."""
    return [
        Band(_percent(100 * start), _percent(max(100 * (end - start), 0.6)), title)
        for start, end, title in spans
    ]


def lines(p50: Sequence[int | None], p95: Sequence[int | None], *, label: str) -> Lines:
    """A chart of durations in nanoseconds; None, for a slot without calls, interrupts a line."""
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


def lane(p50: int, p95: int, longest: int, scale: Scale, label: str) -> TimesLane:
    """The lane of a receiver, from durations in nanoseconds, on a scale that all share."""
    is_beyond = longest > scale.length_ns
    return TimesLane(scale.x(p50), scale.x(p95), scale.x(longest), is_beyond, label)


def ticks(texts: Sequence[str], each: int) -> list[Tick]:
    """Labels for every ``each``-th slot, under the middle of the slot."""
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


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A slot in the table beside the bars."""

    time: str
    url: str
    dispatches: str
    failed: str
    failed_url: str


@dataclass(frozen=True, slots=True)
class OverTime:
    """Dispatches and failures over time."""

    dispatches: Bars
    failed: Bars
    rows: list[SlotRow]


@dataclass(frozen=True, slots=True)
class TimeRow:
    """A slot in the table beside the lines."""

    time: str
    p50: str
    p95: str
    calls: str


@dataclass(frozen=True, slots=True)
class Multiple:
    """The durations of one receiver over time."""

    name: DottedName
    url: str
    p50: str
    p95: str
    change: str
    is_worse: bool
    lines: Lines
    rows: list[TimeRow]


@dataclass(frozen=True, slots=True)
class SlowRow:
    """A receiver among the slowest."""

    name: DottedName
    url: str
    lane: TimesLane
    p50: str
    p95: str
    longest: str
    calls: str
    together: str


def over_time(read: Read, links: Links, *, gaps: int) -> OverTime:
    """The counts of every slot."""
    span = read.span
    measures = [bar.dispatches() for bar in read.bars]
    times = slot_times(span)
    counts, failed = [m.count for m in measures], [m.failed for m in measures]
    more = f"; {plural(gaps, 'gap')} in the log" if gaps else ""
    return OverTime(
        bars(
            counts,
            [f"{t}: {dispatch_count(n)}" for t, n in zip(times, counts, strict=True)],
            height=130,
            label=_said("Dispatches", counts, times, span) + more,
        ),
        bars(
            failed,
            [f"{time}: {integer(n)} failed" for time, n in zip(times, failed, strict=True)],
            height=70,
            label=_said("Failed dispatches", failed, times, span),
        ),
        [
            SlotRow(
                time,
                links.of_slot(index, span),
                integer(measure.count),
                integer(measure.failed),
                links.of_slot(index, span, outcome="failed"),
            )
            for index, (time, measure) in enumerate(zip(times, measures, strict=True))
        ],
    )


def multiples(read: Read, texts: Texts, links: Links, wanted: Sequence[int]) -> list[Multiple]:
    """The durations of these receivers, slot by slot."""
    return [_multiple(receiver, read, texts[receiver], links) for receiver in wanted]


def chosen(read: Read, limit: int) -> list[int]:
    """The receivers to show: those that took most time in total.

    If only a few are shown, two of them are those that changed most.
    """
    receivers = read.whole.receivers
    by_time = sorted(receivers, key=lambda key: -receivers[key].total_ns)
    by_time = [key for key in by_time if receivers[key].buckets]
    if len(by_time) <= limit or limit > FEW:
        return by_time[:limit]
    first = by_time[: limit - _CHANGED]
    rest = sorted(by_time[limit - _CHANGED :], key=lambda key: -_changed(key, read))
    return first + rest[:_CHANGED]


def slowest(read: Read, limit: int) -> list[int]:
    """The receivers sorted by p95, the slowest first."""
    receivers = read.whole.receivers
    known = [key for key in receivers if receivers[key].buckets]
    return sorted(known, key=lambda key: -(receivers[key].percentile(0.95) or 0))[:limit]


def slow_rows(
    read: Read, texts: Texts, links: Links, wanted: Sequence[int]
) -> tuple[list[SlowRow], Axis]:
    """These receivers on one scale, and its axis."""
    measures = [read.whole.receivers[receiver] for receiver in wanted]
    largest = max(((m.percentile(0.95) or 0) for m in measures), default=0) / 1e6
    scale = Scale(0, round(top_of(largest * 1.2) * 1e6))
    rows = [
        _slow_row(measure, texts[receiver], links, read.span, scale)
        for receiver, measure in zip(wanted, measures, strict=True)
    ]
    return rows, axis(scale)


def slot_times(span: Span) -> list[str]:
    """The time of every slot in words: "22 Nov 10:00"; only the date if slots are days."""
    clock = "" if span.seconds >= _DAY else "%H:%M"
    day = "" if span.seconds < _HOUR else "%d %b "
    return [f"{span.local(start):{day}{clock}}".strip() for start in span.starts()]


def slots(span: Span) -> Axis:
    """The axis below a plot: what it says, the plot has in words."""
    texts = [f"{span.local(start):{span.kind.labels}}" for start in span.starts()]
    return Axis(label="", ticks=tuple(ticks(texts, span.kind.each)))


def _said(what: str, values: Sequence[int], times: Sequence[str], span: Span) -> str:
    most = max(range(len(values)), key=lambda index: values[index])
    said = f"{what} per {span.kind.slot_words}: {integer(sum(values))} in total"
    return f"{said}, the most at {times[most]}: {integer(values[most])}" if values[most] else said


def _multiple(receiver: int, read: Read, name: str, links: Links) -> Multiple:
    span = read.span
    measures = [bar.receivers.get(receiver, _NONE) for bar in read.bars]
    p50 = [measure.percentile(0.5) for measure in measures]
    p95 = [measure.percentile(0.95) for measure in measures]
    whole = read.whole.receivers[receiver]
    said50, said95 = duration(whole.percentile(0.5)), duration(whole.percentile(0.95))
    change, is_worse = _change(whole, read.before.receivers.get(receiver, _NONE), span)
    parts = dotted(name)
    label = f"{parts.last}: p50 {said50}, p95 {said95}, {change}"
    return Multiple(
        parts,
        links.to(span.start, receiver=name),
        said50,
        said95,
        change,
        is_worse,
        lines(p50, p95, label=label),
        [
            TimeRow(time, duration(low), duration(high), integer(measure.count))
            for time, low, high, measure in zip(slot_times(span), p50, p95, measures, strict=True)
            if measure.count
        ],
    )


def _ratios(now: Measure, before: Measure) -> list[tuple[str, float]]:
    """The ratios of p50 and p95 to before; empty if there were too few calls to compare."""
    if min(sum(now.buckets.values()), sum(before.buckets.values())) < _ENOUGH:
        return []
    pairs = [
        (word, now.percentile(s), before.percentile(s))
        for word, s in (("p50", 0.5), ("p95", 0.95))
    ]
    return [(word, a / b) for word, a, b in pairs if a and b]


def _changed(receiver: int, read: Read) -> float:
    now, before = (f.receivers.get(receiver, _NONE) for f in (read.whole, read.before))
    return max((abs(math.log(ratio)) for _, ratio in _ratios(now, before)), default=0.0)


def _change(now: Measure, before: Measure, span: Span) -> tuple[str, bool]:
    """The change in words, and whether it is for the worse."""
    when = span.kind.before
    if not before.count:
        return f"not called {when}", False
    ratios = _ratios(now, before)
    if not ratios:
        return "too few calls to compare", False
    word, ratio = max(ratios, key=lambda each: abs(math.log(each[1])))
    if abs(math.log(ratio)) < math.log(1 + _NOTABLE):
        return f"same as {when}", False
    if ratio > 1:
        words = f"{ratio:,.0f} times" if ratio >= 3 else f"up {100 * (ratio - 1):.0f}% on"
        return f"{word} {words} {when}", True
    return f"{word} down {100 * (1 - ratio):.0f}% on {when}", False


def _slow_row(measure: Measure, name: str, links: Links, span: Span, scale: Scale) -> SlowRow:
    p50, p95 = measure.percentile(0.5) or 0, measure.percentile(0.95) or 0
    said50, said95, longest = (duration(value) for value in (p50, p95, measure.longest_ns))
    label = f"p50 {said50}, p95 {said95}, longest {longest}"
    return SlowRow(
        dotted(name),
        links.to(span.start, receiver=name),
        lane(p50, p95, measure.longest_ns, scale, label),
        said50,
        said95,
        longest,
        integer(measure.count),
        total_time(measure.total_ns),
    )
