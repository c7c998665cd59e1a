"""The eight figures at the top of the panel, and the time that a request spent in dispatches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Busy, Outcome
from signal_inspector.display.numbers import duration, integer, percent, plural
from signal_inspector.display.outcomes import ORPHAN, Glyph, is_swallowed
from signal_inspector.display.parts import Tone
from signal_inspector.toolbar.grouping import Tree


def covered_ns(intervals: Iterable[tuple[int, int]]) -> int:
    """The nanoseconds that are covered by at least one of these (start, end) intervals."""
    busy = Busy()
    for start, end in sorted(intervals, key=itemgetter(1)):
        busy.add(start, end)
    return busy.total


@dataclass(frozen=True, slots=True)
class _Counts:
    tree: Tree
    dropped: int
    limit: int
    request_ns: int

    @property
    def dispatches(self) -> Sequence[Dispatch]:
        return self.tree.dispatches

    def outcomes(self, outcome: Outcome) -> int:
        return sum(call.outcome is outcome for d in self.dispatches for call in d.calls)


def figures(tree: Tree, dropped: int, limit: int, request_ns: int) -> tuple[Figure, ...]:
    """The cells of the summary table."""
    counts = _Counts(tree, dropped, limit, request_ns)
    return (
        _dispatches(counts),
        _calls(counts),
        _time(counts),
        _sql(counts),
        _failed(counts),
        _skipped(counts),
        _orphans(counts),
        _dropped(counts),
    )


def _dispatches(counts: _Counts) -> Figure:
    kept, tops = len(counts.dispatches), len(counts.tree.tops)
    if counts.dropped:
        note = f"{integer(kept)} kept"
    elif tops == kept:
        note = "all at the top"
    else:
        note = f"{integer(tops)} at the top, {integer(kept - tops)} nested"
    return Figure(label="Dispatches", value=integer(kept + counts.dropped), note=note)


def _calls(counts: _Counts) -> Figure:
    ran = [c for d in counts.dispatches for c in d.calls if c.outcome is not Outcome.SKIPPED]
    is_async = sum(call.is_async for call in ran)
    note = f"{integer(len(ran) - is_async)} sync, {integer(is_async)} async"
    if is_async in (0, len(ran)):
        note = ("all async" if is_async else "all sync") if ran else ""
    return Figure(label="Receiver calls", value=integer(len(ran)), note=note)


def _time(counts: _Counts) -> Figure:
    took = covered_ns((d.start_ns, d.end_ns) for d in counts.tree.tops)
    share = percent(took, counts.request_ns)
    return Figure(label="In dispatches", value=duration(took), note=f"{share} of the request")


def _sql(counts: _Counts) -> Figure:
    calls = [call for dispatch in counts.dispatches for call in dispatch.calls]
    number = sum(call.query_count for call in calls)
    took = duration(sum(call.query_ns for call in calls))
    words = "query" if number == 1 else "queries"
    return _or_zero("SQL in receivers", number, f"{words} in {took}", "", "")


def _failed(counts: _Counts) -> Figure:
    raised = swallowed = 0
    for dispatch in counts.dispatches:
        number = sum(call.outcome is Outcome.RAISED for call in dispatch.calls)
        if is_swallowed(dispatch.method, dispatch.outcome):
            swallowed += number
        else:
            raised += number
    parts = [f"{integer(raised)} raised"] * bool(raised)
    parts += [f"{integer(swallowed)} swallowed"] * bool(swallowed)
    glyph: Glyph = "raised" if raised else "swallowed"
    return _or_zero("Failed", raised + swallowed, ", ".join(parts), glyph, "bad")


def _skipped(counts: _Counts) -> Figure:
    skipped, cancelled = counts.outcomes(Outcome.SKIPPED), counts.outcomes(Outcome.CANCELLED)
    stops = sum(any(c.outcome is Outcome.SKIPPED for c in d.calls) for d in counts.dispatches)
    parts = [f"after {plural(stops, 'failure')}"] * bool(skipped)
    parts += [f"{integer(cancelled)} cancelled"] * bool(cancelled)
    return _or_zero("Skipped", skipped + cancelled, ", ".join(parts), "skipped", "bad")


def _orphans(counts: _Counts) -> Figure:
    number = sum(dispatch.is_orphan for dispatch in counts.dispatches)
    note = ORPHAN if number == 1 else "nobody received them"
    return _or_zero("Orphans", number, note, "orphan", "")


def _dropped(counts: _Counts) -> Figure:
    limit = f"limit {integer(counts.limit)}"
    zero = Figure(label="Dropped", value="0", note=limit, tone="zero")
    dropped = _or_zero("Dropped", counts.dropped, "only counted", "warn", "warn")
    return dropped if counts.dropped else zero


def _or_zero(label: str, number: int, note: str, glyph: Glyph, tone: Tone) -> Figure:
    if not number:
        return Figure(label=label, value="0", note="", tone="zero")
    return Figure(label=label, value=integer(number), note=note, glyph=glyph, tone=tone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A cell of the summary table."""

    label: str  # "Failed"
    value: str  # "2"
    note: str  # "1 raised, 1 swallowed"
    glyph: Glyph = ""
    tone: Tone = ""
