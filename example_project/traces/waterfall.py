"""A trace as rows: each span under its parent, and where its bar lies on the axis of time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, zip_longest

from traces.spans import Kind, Span

MOST_ROWS = 1_000
MANY = 4  # so many equal statements in a row become one row
TICKS = 4


@dataclass(slots=True)
class Bar:
    x: float  # per cent of the axis
    width: float


@dataclass(slots=True)
class Row:
    """A span, or equal statements in a row."""

    spans: list[Span]
    bars: list[Bar]
    depth: int = 0
    opens: bool = False  # whether a list of children follows: see nest()
    closes: range = range(0)  # how many lists end behind it

    @property
    def span(self) -> Span:
        return self.spans[0]

    @property
    def kind(self) -> Kind:
        return self.span.kind

    @property
    def repeated(self) -> int:
        """How many spans, where it is more than one."""
        return len(self.spans) if len(self.spans) > 1 else 0

    @property
    def duration_ms(self) -> float:
        return sum(span.duration_ms for span in self.spans)


class Trace:
    """The spans of one trace that are there: some may still run, or be gone with an old file."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self.by_id = {span.span_id: span for span in spans}
        self.spans = sorted(self.by_id.values(), key=lambda span: (span.start_ns, -span.end_ns))
        self.children: defaultdict[str, list[Span]] = defaultdict(list)
        for span in self.spans:
            self.children[span.parent_id].append(span)
        last_ns = max(span.end_ns for span in self.spans)
        self.length_ns = max(last_ns - self.start_ns, 1)
        self.kinds = Counter(span.kind for span in self.spans)

    @property
    def id(self) -> str:
        return self.spans[0].trace_id

    @property
    def top(self) -> Span:
        """What all began with, or the earliest span that is there."""
        return next((span for span in self.spans if not span.parent_id), self.spans[0])

    @property
    def is_whole(self) -> bool:
        return all(not span.parent_id or span.parent_id in self.by_id for span in self.spans)

    @property
    def started_at(self) -> datetime:
        return datetime.fromtimestamp(self.start_ns / 1e9, tz=UTC)

    @property
    def start_ns(self) -> int:
        return self.spans[0].start_ns

    @property
    def duration_ms(self) -> float:
        return self.length_ns / 1e6

    @property
    def signals(self) -> int:
        return self.kinds[Kind.SIGNAL]

    @property
    def receivers(self) -> int:
        return self.kinds[Kind.RECEIVER]

    @property
    def statements(self) -> int:
        return self.kinds[Kind.DATABASE]

    @property
    def failures(self) -> list[Span]:
        """Spans that failed of themselves, not because one within them did."""
        return [
            span
            for span in self.spans
            if span.failed and not any(child.failed for child in self.children[span.span_id])
        ]

    @property
    def ticks(self) -> list[float]:
        """Milliseconds at equal distances of the axis."""
        return [self.duration_ms * tick / TICKS for tick in range(TICKS + 1)]

    def lay_out(self) -> list[Row]:
        """Rows in the order of a tree that is read from the top."""
        rows: list[Row] = []
        seen: set[str] = set()
        for top in self._rows([s for s in self.spans if s.parent_id not in self.by_id], seen):
            self._lay_out(top, rows, seen)
        # A damaged file may hold spans that are each other's parents; they are shown too.
        for span in self.spans:
            for top in self._rows([span], seen):
                self._lay_out(top, rows, seen)
        return rows

    def _lay_out(self, top: Row, rows: list[Row], seen: set[str]) -> None:
        # Not recursive: nobody knows how deep a file goes.
        waiting = [top]
        while waiting:
            row = waiting.pop()
            rows.append(row)
            children = list(self._rows(self.children[row.span.span_id], seen))
            for child in children:
                child.depth = row.depth + 1
            waiting.extend(reversed(children))

    def _rows(self, spans: Iterable[Span], seen: set[str]) -> list[Row]:
        rows: list[Row] = []
        fresh = [span for span in spans if span.span_id not in seen]
        seen.update(span.span_id for span in fresh)
        for key, run in groupby(fresh, key=self._sameness):
            alike = list(run)
            together = [alike] if key and len(alike) >= MANY else [[span] for span in alike]
            rows.extend(Row(some, [self._bar(span) for span in some]) for some in together)
        return rows

    def _sameness(self, span: Span) -> tuple[str, str] | None:
        """What statements that may share a row have in common; None for everything else."""
        if span.kind is not Kind.DATABASE or span.failed or self.children[span.span_id]:
            return None
        return span.action, span.target

    def _bar(self, span: Span) -> Bar:
        per_cent = 100 / self.length_ns
        return Bar(
            round((span.start_ns - self.start_ns) * per_cent, 3),
            round(max(span.end_ns - span.start_ns, 0) * per_cent, 3),
        )


def nest(rows: list[Row]) -> list[Row]:
    """Note where the lists of a template begin and end, for as many rows as a page can hold."""
    shown = rows[:MOST_ROWS]
    for row, following in zip_longest(shown, shown[1:]):
        depth = following.depth if following else 0
        row.opens = depth > row.depth
        row.closes = range(max(row.depth - depth, 0))
    return shown


def newest_first(traces: dict[str, list[Span]]) -> list[Trace]:
    return sorted(map(Trace, traces.values()), key=lambda trace: trace.start_ns, reverse=True)
