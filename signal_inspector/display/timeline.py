"""Dispatches and receivers on a time axis, in percentages, so that a drawing fits any width.

A lane is what one row shows on the axis: a dispatch, a receiver call, or many of them. The
templates in ``signal_inspector/display`` draw lanes and axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome, ReceiverCall
from signal_inspector.display.numbers import duration, integer, period
from signal_inspector.display.outcomes import ORPHAN, is_swallowed, recorded_call_outcome
from signal_inspector.display.text import last_part, unique

#: What a thick bar stands for. A dispatch is drawn as a thin bar with end marks instead.
BarKind = Literal["ok", "raised", "swallowed", "cancelled", "running", "nested"]

_COLUMNS = 120
_BLOCKS = 40  # a group of up to this many shows each of its dispatches
_MARKS = 40
_TOP, _HEIGHT = 7.0, 12.0  # px: where the tallest column starts, and how tall it is
_TICKS = 7  # at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A thick bar of a lane; ``x`` and ``width`` are percentages ("11.63%")."""

    kind: BarKind
    x: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The thin bar with end marks: a dispatch."""

    x: str  # "11.63%": the left end
    width: str  # "2.79%"
    end: str  # "14.42%": the right end
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One of up to 120 columns of a group's lane; the height shows how busy that period was."""

    x: str
    width: str
    y: str  # px from the top of a lane 26 px high: columns stand on y = 19
    height: str  # px, at most 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What a row shows on the axis. Draw what is not empty, in the order of the fields."""

    label: str  # for a screen reader: "check_velocity, raised, from 72.2 to 84.2 ms"
    span: Span | None = None  # a dispatch
    spans: tuple[Span, ...] = ()  # the dispatches of a group of up to 40, each a block
    columns: tuple[Column, ...] = ()  # a larger group, or a receiver with many calls
    bars: tuple[Bar, ...] = ()  # receiver calls, then the time of nested dispatches inside them
    marks: tuple[str, ...] = ()  # x of each failure mark above the columns, at most 40
    ring: str = ""  # x of an orphan's dashed ring
    stop: str = ""  # x of the dotted line of a receiver that was not called, with the words


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark of the time axis."""

    x: str  # "17.11%"
    text: str  # "100"; the first has the unit: "0 ms"
    odd: bool  # may be left out where there is little space
    anchor: str  # of the text at x: "start", "middle" or "end", so that no edge cuts the text


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A time axis. There is a grid line at each tick."""

    label: str  # "0 to 584.6 milliseconds of the request"
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """From nanoseconds to percentages."""

    start_ns: int  # where the axis begins, on the same clock as the other times
    length_ns: int

    def percent(self, at_ns: int) -> float:
        share = (at_ns - self.start_ns) * 100 / max(self.length_ns, 1)
        return min(max(share, 0.0), 100.0)

    def x(self, at_ns: int) -> str:
        return f"{self.percent(at_ns):.2f}%"

    def width(self, start_ns: int, end_ns: int) -> str:
        return f"{self.percent(end_ns) - self.percent(start_ns):.2f}%"

    def between(self, start_ns: int, end_ns: int) -> str:
        """A period in words: "from 72.2 to 84.2 ms"."""
        return period(start_ns - self.start_ns, end_ns - self.start_ns)


def axis(scale: Scale, of: str = "") -> Axis:
    """An axis with ticks at round numbers. ``of`` names what it measures: "of the request"."""
    length_ms = max(scale.length_ns / 1e6, 0.001)
    step = _step(length_ms)
    in_seconds = length_ms >= 2000
    unit, divisor = ("s", 1000.0) if in_seconds else ("ms", 1.0)
    ticks = []
    for index in range(int(length_ms / step) + 1):
        at = index * step
        text = f"{at / divisor:g}"
        percent = at * 100 / length_ms
        ticks.append(
            Tick(
                x=f"{percent:.2f}%",
                text=f"{text} {unit}" if index == 0 else text,
                odd=index % 2 == 1,
                anchor="start" if index == 0 else "end" if percent > 95 else "middle",
            )
        )
    label = f"0 to {duration(scale.length_ns)} {of}".rstrip()
    return Axis(label=label, ticks=tuple(ticks))


def _step(length_ms: float) -> float:
    step = 1e-6
    while True:
        for factor in (1, 2, 5):
            if length_ms / (step * factor) < _TICKS:
                return step * factor
        step *= 10


def dispatch_lane(dispatch: Dispatch, scale: Scale) -> Lane:
    """The lane of a dispatch."""
    return sent_lane(
        dispatch.signal,
        (dispatch.start_ns, dispatch.end_ns),
        scale,
        failed=dispatch.has_failed,
        orphan=dispatch.is_orphan,
    )


def sent_lane(
    signal: str, interval: tuple[int, int], scale: Scale, *, failed: bool, orphan: bool
) -> Lane:
    """The lane of a dispatch: a thin bar with end marks, or a ring for an orphan."""
    label = f"{last_part(signal)} {scale.between(*interval)}"
    if orphan:
        return Lane(label=f"{label}, {ORPHAN}", ring=scale.x(interval[0]))
    return Lane(label=label, span=_span(*interval, scale, failed=failed))


def _span(start_ns: int, end_ns: int, scale: Scale, *, failed: bool) -> Span:
    return Span(
        x=scale.x(start_ns),
        width=scale.width(start_ns, end_ns),
        end=scale.x(end_ns),
        failed=failed,
    )


def group_lane(members: Sequence[Dispatch], scale: Scale) -> Lane:
    """The lane of a group: a block for each dispatch, or columns if there are too many."""
    failed = [member for member in members if member.has_failed]
    start = min(member.start_ns for member in members)
    end = max(member.end_ns for member in members)
    label = f"{integer(len(members))} dispatches {scale.between(start, end)}"
    if failed:
        label += f", {integer(len(failed))} failed"
    if len(members) <= _BLOCKS:
        return Lane(
            label=label,
            spans=tuple(
                _span(member.start_ns, member.end_ns, scale, failed=member.has_failed)
                for member in members
            ),
        )
    return Lane(
        label=label,
        columns=_columns([(m.start_ns, m.end_ns) for m in members], scale),
        marks=tuple(unique(scale.x(member.start_ns) for member in failed)[:_MARKS]),
    )


def _columns(intervals: Iterable[tuple[int, int]], scale: Scale) -> tuple[Column, ...]:
    busy = [0.0] * _COLUMNS
    share = 100 / _COLUMNS
    for start_ns, end_ns in intervals:
        start, end = scale.percent(start_ns) / share, scale.percent(end_ns) / share
        first, final = min(int(start), _COLUMNS - 1), min(int(end), _COLUMNS - 1)
        for index in range(first, final + 1):
            busy[index] += max(min(end, index + 1) - max(start, index), 0.01)
    return tuple(
        _column(index, min(amount, 1.0)) for index, amount in enumerate(busy) if amount > 0
    )


def _column(index: int, amount: float) -> Column:
    height = max(amount * _HEIGHT, 1.0)
    return Column(
        x=f"{index * 100 / _COLUMNS:.2f}%",
        width=f"{100 / _COLUMNS:.2f}%",
        y=f"{_TOP + _HEIGHT - height:.1f}",
        height=f"{height:.1f}",
    )


def call_lane(
    dispatch: Dispatch, call: ReceiverCall, nested: Iterable[Dispatch], scale: Scale
) -> Lane:
    """The lane of a receiver call."""
    start = None if call.offset_ns is None else dispatch.start_ns + call.offset_ns
    return ran_lane(
        f"{last_part(call.receiver)}, {recorded_call_outcome(dispatch, call).text}",
        None if start is None else (start, start + call.duration_ns),
        scale,
        kind=bar_kind(call.outcome, dispatch.method, dispatch.outcome),
        nested=[(each.start_ns, each.end_ns) for each in nested],
        stopped_ns=dispatch.end_ns if call.outcome is Outcome.SKIPPED else None,
    )


def ran_lane(
    label: str,
    interval: tuple[int, int] | None,
    scale: Scale,
    *,
    kind: BarKind,
    nested: Iterable[tuple[int, int]] = (),
    stopped_ns: int | None = None,
) -> Lane:
    """The bar of a receiver call, with pale parts for its nested dispatches.

    ``label`` has the receiver and the outcome. Without an ``interval`` there is no bar: the time
    is not known, or the receiver was skipped when the dispatch ended at ``stopped_ns``.
    """
    if interval is None:
        if stopped_ns is None:
            return Lane(label=f"{label}, time unknown")
        return Lane(label=label, stop=scale.x(stopped_ns))
    bars = [bar(kind, *interval, scale)]
    bars += [bar("nested", *inner, scale) for inner in nested]
    return Lane(label=f"{label}, {scale.between(*interval)}", bars=tuple(bars))


def bar(kind: BarKind, start_ns: int, end_ns: int, scale: Scale) -> Bar:
    return Bar(kind=kind, x=scale.x(start_ns), width=scale.width(start_ns, end_ns))


def bar_kind(outcome: str, method: str, ended: str) -> BarKind:
    """The kind of a receiver call's bar, by its outcome and by how its dispatch ended."""
    if outcome == Outcome.RAISED:
        return "swallowed" if is_swallowed(method, ended) else "raised"
    if outcome == Outcome.CANCELLED:
        return "cancelled"
    return "running" if outcome == Outcome.RUNNING else "ok"


def receiver_lane(name: str, calls: Sequence[tuple[Dispatch, ReceiverCall]], scale: Scale) -> Lane:
    """All calls of one receiver on one lane."""
    label = f"calls of {last_part(name)} in the request"
    timed = [
        (d, call, d.start_ns + call.offset_ns) for d, call in calls if call.offset_ns is not None
    ]
    if len(timed) <= _BLOCKS:
        return Lane(
            label=label,
            bars=tuple(
                bar(bar_kind(c.outcome, d.method, d.outcome), at, at + c.duration_ns, scale)
                for d, c, at in timed
            ),
        )
    failed = (scale.x(at) for _, call, at in timed if call.outcome is Outcome.RAISED)
    return Lane(
        label=label,
        columns=_columns([(at, at + call.duration_ns) for _, call, at in timed], scale),
        marks=tuple(unique(failed)[:_MARKS]),
    )
