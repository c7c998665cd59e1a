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
    history: list[Part] = field(default_factory=list)  # all of it, as finely as it is known
    whole: Figures = field(default_factory=Figures)  # the span
    before: Figures = field(default_factory=Figures)  # the time before it, which is as long
    #: Both without the last slot, which is not over: what can be compared.
    whole_over: Measure = field(default_factory=Measure)
    before_over: Measure = field(default_factory=Measure)
    unreadable: int = 0  # rows of a version that is not known

    def note_unreadable(self, error: Exception) -> None:
        """Count a row that could not be read."""
        trouble.report("reading a tally of the audit", error)
        self.unreadable += 1

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted in all this time."""
        return not self.history


def read(span: Span, using: str) -> Read:
    """Read what the overview needs, in one query."""
    found = Read(span, [Figures() for _ in range(span.slots)])
    start = min(span.start - BASELINE_DAYS * _DAY, span.before)
    parts: dict[tuple[int, int], Figures] = {}
    for slot, seconds, figures in _parts(start, found, using):
        known = parts.get((slot, seconds))
        if known is None:
            parts[slot, seconds] = figures
        else:
            known.merge(figures)
    found.history = [Part(*key, parts[key]) for key in sorted(parts)]
    for slot, seconds, figures in found.history:
        if slot >= span.start:
            found.bars[min(span.index(slot), span.slots - 1)].merge(figures)
        elif slot >= span.before:
            found.before.merge(figures)
            if slot + seconds <= span.start - span.seconds:
                found.before_over.merge(figures.dispatches())
    for index, bar in enumerate(found.bars):
        found.whole.merge(bar)
        if index < span.slots - 1:
            found.whole_over.merge(bar.dispatches())
    return found


def read_whole(span: Span, using: str) -> Read:
    """The sums of the span alone, in one query: ``whole`` and ``unreadable`` are filled in."""
    found = Read(span, [])
    rows = Tally.objects.using(using).filter(slot__gte=span.start)
    for content in rows.values_list("content", flat=True).iterator():
        try:
            # At once into the sum: half the time that parts take, as `read` has to make them.
            found.whole.merge_encoded(content)
        except (ValueError, KeyError, TypeError) as error:
            found.note_unreadable(error)
    return found


def _parts(start: int, found: Read, using: str) -> Iterator[Part]:
    rows = Tally.objects.using(using).filter(slot__gte=start)
    for slot, seconds, content in rows.values_list("slot", "seconds", "content").iterator():
        figures = Figures()
        try:
            figures.merge_encoded(content)
        except (ValueError, KeyError, TypeError) as error:
            found.note_unreadable(error)
        else:
            yield Part(slot, seconds, figures)
