"""What the overview shows, read from the tallies: a few hundred rows, however long the log is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from signal_inspector import trouble
from signal_inspector.audit.models import Tally
from signal_inspector.audit.overview.spans import Span
from signal_inspector.audit.tallies import Figures, Measure

BASELINE_DAYS: Final = 30  # that a receiver's failures are compared with
_DAY: Final = 86_400


class Part(NamedTuple):
    """A slot, as short as the log has it."""

    slot: int
    seconds: int
    figures: Figures


@dataclass(slots=True)
class Read:
    """The figures of a span, of the time before it, and of 30 days before it."""

    span: Span
    bars: list[Figures]  # of each slot of the span
    parts: list[Part] = field(default_factory=list)  # the span as finely as it is known, in order
    whole: Figures = field(default_factory=Figures)  # the span
    before: Figures = field(default_factory=Figures)  # the time before it, which is as long
    #: Both without the last slot, which is not over: what can be compared.
    whole_over: Measure = field(default_factory=Measure)
    before_over: Measure = field(default_factory=Measure)
    baseline: Figures = field(default_factory=Figures)  # 30 days before the span
    first: int | None = None  # the first slot of all that was read
    unreadable: int = 0  # rows of a version that is not known

    @property
    def baseline_days(self) -> int:
        """For how many days before the span there are figures; 30 at most."""
        if self.first is None or self.first >= self.span.start:
            return 0
        return min(-((self.first - self.span.start) // _DAY), BASELINE_DAYS)


def read(span: Span, using: str) -> Read:
    """Read what the overview needs, in one query."""
    found = Read(span, [Figures() for _ in range(span.slots)])
    baseline_from = span.start - BASELINE_DAYS * _DAY
    parts: dict[tuple[int, int], Figures] = {}
    for slot, seconds, figures in _parts(min(baseline_from, span.before), found, using):
        found.first = slot if found.first is None else min(found.first, slot)
        if slot >= span.start:
            together = parts.setdefault((slot, seconds), Figures())
            together.merge(figures)
            continue
        if slot >= baseline_from:
            found.baseline.merge(figures)
        if slot >= span.before:
            found.before.merge(figures)
            if slot + seconds <= span.start - span.seconds:
                found.before_over.merge(figures.dispatches())
    found.parts = [Part(*key, figures) for key, figures in sorted(parts.items(), key=_by_slot)]
    for slot, _, figures in found.parts:
        found.bars[min(span.index(slot), span.slots - 1)].merge(figures)
    for index, bar in enumerate(found.bars):
        found.whole.merge(bar)
        if index < span.slots - 1:
            found.whole_over.merge(bar.dispatches())
    return found


def _by_slot(item: tuple[tuple[int, int], Figures]) -> tuple[int, int]:
    return item[0]


def _parts(start: int, found: Read, using: str) -> Iterator[Part]:
    rows = Tally.objects.using(using).filter(slot__gte=start)
    for slot, seconds, content in rows.values_list("slot", "seconds", "content").iterator():
        figures = Figures()
        try:
            figures.merge_encoded(content)
        except (ValueError, KeyError, TypeError) as error:
            trouble.report("reading a tally of the audit", error)
            found.unreadable += 1
        else:
            yield Part(slot, seconds, figures)
