"""The timeline's geometry: percentages of the request, so that it fits any width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome, ReceiverCall
from signal_inspector.display.numbers import duration, integer, period
from signal_inspector.display.outcomes import ORPHAN, is_swallowed, recorded_call_outcome
from signal_inspector.display.text import last_part
from signal_inspector.toolbar.parts import Axis, Bar, BarKind, Column, Lane, Span, Tick

_COLUMNS = 120
_BLOCKS = 40  # a group of up to this many shows each of its dispatches
_MARKS = 40
_TOP, _HEIGHT = 7.0, 12.0  # px: where the tallest column starts, and how tall it is
_TICKS = 7  # at most


@dataclass(frozen=True, slots=True)
class Scale:
    """From nanoseconds to percentages."""

    start_ns: int  # perf_counter at the request's start
    length_ns: int  # of the request

    def percent(self, at_ns: int) -> float:
        share = (at_ns - self.start_ns) * 100 / max(self.length_ns, 1)
        return min(max(share, 0.0), 100.0)

    def x(self, at_ns: int) -> str:
        return f"{self.percent(at_ns):.2f}%"

    def width(self, start_ns: int, end_ns: int) -> str:
        return f"{self.percent(end_ns) - self.percent(start_ns):.2f}%"

    def between(self, start_ns: int, end_ns: int) -> str:
        """In words: "from 72.2 to 84.2 ms"."""
        return period(start_ns - self.start_ns, end_ns - self.start_ns)


def axis(scale: Scale) -> Axis:
    """Round marks, no more than fit."""
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
    label = f"0 to {duration(scale.length_ns)} of the request"
    return Axis(label=label, ticks=tuple(ticks))


def _step(length_ms: float) -> float:
    step = 1e-6
    while True:
        for factor in (1, 2, 5):
            if length_ms / (step * factor) < _TICKS:
                return step * factor
        step *= 10


def dispatch_lane(dispatch: Dispatch, scale: Scale) -> Lane:
    """A thin bar with ends, or the ring of a dispatch that nobody received."""
    label = f"{last_part(dispatch.signal)} {scale.between(dispatch.start_ns, dispatch.end_ns)}"
    if dispatch.is_orphan:
        return Lane(label=f"{label}, {ORPHAN}", ring=scale.x(dispatch.start_ns))
    return Lane(label=label, span=_span(dispatch, scale))


def _span(dispatch: Dispatch, scale: Scale) -> Span:
    return Span(
        x=scale.x(dispatch.start_ns),
        width=scale.width(dispatch.start_ns, dispatch.end_ns),
        end=scale.x(dispatch.end_ns),
        failed=dispatch.has_failed,
    )


def group_lane(members: Sequence[Dispatch], scale: Scale) -> Lane:
    """Each dispatch as a block, or columns where they are too many."""
    failed = [member for member in members if member.has_failed]
    start = min(member.start_ns for member in members)
    end = max(member.end_ns for member in members)
    label = f"{integer(len(members))} dispatches {scale.between(start, end)}"
    if failed:
        label += f", {integer(len(failed))} failed"
    if len(members) <= _BLOCKS:
        return Lane(label=label, spans=tuple(_span(member, scale) for member in members))
    return Lane(
        label=label,
        columns=_columns([(m.start_ns, m.end_ns) for m in members], scale),
        marks=tuple(dict.fromkeys(scale.x(member.start_ns) for member in failed))[:_MARKS],
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
    dispatch: Dispatch,
    call: ReceiverCall,
    nested: Iterable[Dispatch],
    scale: Scale,
) -> Lane:
    """A receiver's bar with the pale parts that are its nested dispatches'."""
    who, ended = last_part(call.receiver), recorded_call_outcome(dispatch, call).text
    if call.offset_ns is None:
        words = ended if call.outcome is Outcome.SKIPPED else f"{ended}, time unknown"
        stop = scale.x(dispatch.end_ns) if call.outcome is Outcome.SKIPPED else ""
        return Lane(label=f"{who}, {words}", stop=stop)
    start = dispatch.start_ns + call.offset_ns
    end = start + call.duration_ns
    bars = [bar(bar_kind(dispatch, call), start, end, scale)]
    bars += [bar("nested", inner.start_ns, inner.end_ns, scale) for inner in nested]
    return Lane(
        label=f"{who}, {ended}, {scale.between(start, end)}",
        bars=tuple(bars),
    )


def bar(kind: BarKind, start_ns: int, end_ns: int, scale: Scale) -> Bar:
    return Bar(kind=kind, x=scale.x(start_ns), width=scale.width(start_ns, end_ns))


def bar_kind(dispatch: Dispatch, call: ReceiverCall) -> BarKind:
    """How a receiver call's bar is filled."""
    if call.outcome is Outcome.RAISED:
        return "swallowed" if is_swallowed(dispatch.method, dispatch.outcome) else "raised"
    if call.outcome is Outcome.CANCELLED:
        return "cancelled"
    return "running" if call.outcome is Outcome.RUNNING else "ok"


def receiver_lane(name: str, calls: Sequence[tuple[Dispatch, ReceiverCall]], scale: Scale) -> Lane:
    """All calls of one receiver on one lane."""
    label = f"calls of {last_part(name)} in the request"
    timed = [
        (d, call, d.start_ns + call.offset_ns) for d, call in calls if call.offset_ns is not None
    ]
    if len(timed) <= _BLOCKS:
        return Lane(
            label=label,
            bars=tuple(bar(bar_kind(d, c), at, at + c.duration_ns, scale) for d, c, at in timed),
        )
    failed = (scale.x(at) for _, call, at in timed if call.outcome is Outcome.RAISED)
    return Lane(
        label=label,
        columns=_columns([(at, at + call.duration_ns) for _, call, at in timed], scale),
        marks=tuple(dict.fromkeys(failed))[:_MARKS],
    )
