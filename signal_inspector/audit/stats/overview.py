"""What the overview shows: a time in equal slots, the figures of it, and links to what they count.

The figures are read from the tallies: a few hundred rows, however long the log is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.utils import timezone

from signal_inspector.audit.destinations.database.adapters import moment
from signal_inspector.audit.lookups import GONE
from signal_inspector.audit.models import Tally
from signal_inspector.audit.search.selection import NO_RETRY, Period, Selection
from signal_inspector.audit.stats.counts import Figures, Measure, slot_of
from signal_inspector.core import internal_errors

_HOUR: Final = 3_600
_DAY: Final = 86_400
DEFAULT: Final = "24h"

BASELINE_DAYS: Final = 30  # that a receiver's failures are compared with


@dataclass(frozen=True, slots=True)
class _Kind:
    words: str  # of the choice
    seconds: int  # of a slot
    slots: int
    slot_words: str  # "per ..."
    before: str  # the time before it
    labels: str  # of the axis, for strftime
    each: int  # slots from one label to the next


KINDS: Final = {
    "1h": _Kind("Last hour", 300, 12, "5 minutes", "the hour before", "%H:%M", 3),
    "24h": _Kind("24 hours", _HOUR, 24, "hour", "the day before", "%H:%M", 3),
    "7d": _Kind("7 days", 6 * _HOUR, 28, "6 hours", "the week before", "%a %d", 4),
    "30d": _Kind("30 days", _DAY, 30, "day", "the 30 days before", "%d %b", 5),
}


@dataclass(frozen=True, slots=True)
class Span:
    """One of ``KINDS``, at a moment. Times are Unix seconds."""

    key: str
    now: int

    @property
    def kind(self) -> _Kind:
        return KINDS[self.key]

    @property
    def seconds(self) -> int:
        """How long a slot is."""
        return self.kind.seconds

    @property
    def slots(self) -> int:
        return self.kind.slots

    @property
    def start(self) -> int:
        return slot_of(self.now, self.seconds) - (self.slots - 1) * self.seconds

    @property
    def before(self) -> int:
        """When the time before it starts, which is as long."""
        return self.start - self.slots * self.seconds

    def starts(self) -> list[int]:
        """When each slot starts."""
        return [self.start + index * self.seconds for index in range(self.slots)]

    def index(self, unix_seconds: float) -> int:
        """The slot that a moment is in: negative before the first."""
        return int((unix_seconds - self.start) // self.seconds)

    def place(self, unix_seconds: float) -> float:
        """Where a moment stands between the start (0) and the end of the last slot (1)."""
        share = (unix_seconds - self.start) / (self.slots * self.seconds)
        return min(max(share, 0.0), 1.0)

    @property
    def has_foreign_days(self) -> bool:
        """Whether its slots are days of UTC, and those here are others."""
        offset = here(self.now).utcoffset()
        return self.seconds == _DAY and bool(offset)

    def local(self, unix_seconds: int) -> datetime:
        """A moment for a label: in the current time zone, but days are those of UTC."""
        return moment(unix_seconds * 1_000_000) if self.seconds == _DAY else here(unix_seconds)


def read_span(params: Mapping[str, str], now: datetime | None = None) -> Span:
    """The time that a query string asks for by ``when``: 24 hours unless it is in ``KINDS``."""
    key = params.get("when", "")
    return Span(key if key in KINDS else DEFAULT, int((now or datetime.now(UTC)).timestamp()))


def here(unix_seconds: float) -> datetime:
    """A moment in the current time zone."""
    return timezone.localtime(moment(int(unix_seconds * 1_000_000)))


def short(unix_seconds: float, span: Span) -> str:
    """A moment up to now in few words.

    With seconds in the last two days, and with its day unless that is today.
    """
    when, now = here(unix_seconds), here(span.now)
    clock = f"{when:%H:%M:%S}" if span.now - unix_seconds < 2 * _DAY else f"{when:%H:%M}"
    if when.date() == now.date():
        return clock
    if (now.date() - when.date()).days == 1:
        return f"yesterday {clock}"
    year = f" {when.year}" if when.year != now.year else ""
    return f"{when.day} {when:%b}{year}, {clock}"


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
        internal_errors.report("reading a tally of the audit", error)
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


@dataclass(frozen=True, slots=True)
class Links:
    """The changelists of the audit that this user may see, on this admin site."""

    dispatches: str  # "" without the permission: then there is no overview either
    gaps: str = ""
    origin: str = ""  # of the dispatches that figures lead to

    @property
    def catalog(self) -> str:
        """What is connected; for the same users."""
        return f"{self.dispatches}catalog/" if self.dispatches else ""

    def to(self, start: float, end: float | None = None, **wanted: Any) -> str:
        """The dispatches from one moment to another, as Unix seconds; "" for a name that is gone.

        Seconds are named, as the changelist takes a time without them for the whole minute.
        """
        if GONE in wanted.values():
            return ""
        times = [("from", start), ("to", end)]
        params = [(key, f"{here(at):%Y-%m-%dT%H:%M:%S}") for key, at in times if at is not None]
        selection = Selection(**wanted, origin=self.origin, period=Period(params=tuple(params)))
        return self.dispatches + selection.query()

    def of(self, figures: Figures) -> Links:
        """The same for these figures: they count no retries, so that they lead to none."""
        return replace(self, origin=NO_RETRY if figures.retries.count else "")

    def of_slot(self, index: int, span: Span, **wanted: Any) -> str:
        """The dispatches of one slot of the span."""
        start = span.start + index * span.seconds
        is_last = index == span.slots - 1
        return self.to(start, None if is_last else start + span.seconds, **wanted)


def links_of(app_list: Sequence[Mapping[str, Any]]) -> Links:
    """From the list of models that the admin site gives to the template of an app's index."""
    urls = {
        model["object_name"]: model["admin_url"]
        for app in app_list
        if app["app_label"] == "signal_audit"
        for model in app["models"]
        if model.get("admin_url") and model["perms"].get("view")
    }
    return Links(urls.get("AuditedDispatch", ""), urls.get("Gap", ""))
