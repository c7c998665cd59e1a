"""What the overview shows: a span in equal slots, its figures, and links to what they count.

The figures are read from the tallies: a few hundred rows, no matter how long the log is. They say
which receivers started failing: those that fail now and, as far as is known, did not fail before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from django.utils import timezone

from signal_inspector.audit.destinations.database.adapters import moment
from signal_inspector.audit.lookups import GONE
from signal_inspector.audit.models import Tally
from signal_inspector.audit.search.selection import NO_RETRY, Period, Selection
from signal_inspector.audit.stats.counts import Failures, Figures, Measure, slot_of
from signal_inspector.core import internal_errors

_HOUR: Final = 3_600
_DAY: Final = 86_400
DEFAULT: Final = "24h"

BASELINE_DAYS: Final = 30  # days before the span with which a receiver's failures are compared
#: A number of failures is new if its probability would be at most this had nothing changed.
_RARELY: Final = 0.000_01
#: Calls without failures show a recovery if so many failures would have been expected in them.
_CONVINCING: Final = 3.0
_FAR_LESS: Final = 0.25  # share of the expected failures below which a receiver fails far less
_FEWEST: Final = 2  # failures, if a receiver has failed before
_LONGEST_SUM: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Kind:
    words: str  # label of the choice
    seconds: int  # length of a slot
    slots: int
    slot_words: str  # "per ..."
    before: str  # name of the time before the span
    labels: str  # format of the labels on the axis, for strftime
    each: int  # slots from one label to the next


KINDS: Final = {
    "1h": _Kind("Last hour", 300, 12, "5 minutes", "the hour before", "%H:%M", 3),
    "24h": _Kind("24 hours", _HOUR, 24, "hour", "the day before", "%H:%M", 3),
    "7d": _Kind("7 days", 6 * _HOUR, 28, "6 hours", "the week before", "%a %d", 4),
    "30d": _Kind("30 days", _DAY, 30, "day", "the 30 days before", "%d %b", 5),
}


@dataclass(frozen=True, slots=True)
class Span:
    """One of ``KINDS`` up to a moment. Times are Unix seconds."""

    key: str
    now: int

    @property
    def kind(self) -> _Kind:
        return KINDS[self.key]

    @property
    def seconds(self) -> int:
        """The length of a slot."""
        return self.kind.seconds

    @property
    def slots(self) -> int:
        return self.kind.slots

    @property
    def start(self) -> int:
        return slot_of(self.now, self.seconds) - (self.slots - 1) * self.seconds

    @property
    def before(self) -> int:
        """The start of the time before the span, which has the same length."""
        return self.start - self.slots * self.seconds

    def starts(self) -> list[int]:
        """The start of each slot."""
        return [self.start + index * self.seconds for index in range(self.slots)]

    def index(self, unix_seconds: float) -> int:
        """The index of the slot that contains a moment; negative before the first slot."""
        return int((unix_seconds - self.start) // self.seconds)

    def place(self, unix_seconds: float) -> float:
        """The position of a moment between the start (0) and the end of the last slot (1)."""
        share = (unix_seconds - self.start) / (self.slots * self.seconds)
        return min(max(share, 0.0), 1.0)

    @property
    def has_foreign_days(self) -> bool:
        """Whether its slots are days in UTC, and the current time zone has other days."""
        offset = here(self.now).utcoffset()
        return self.seconds == _DAY and bool(offset)

    def local(self, unix_seconds: int) -> datetime:
        """A moment for a label: in the current time zone, but in UTC if the slots are days."""
        return moment(unix_seconds * 1_000_000) if self.seconds == _DAY else here(unix_seconds)


def read_span(params: Mapping[str, str], now: datetime | None = None) -> Span:
    """The span that a query string asks for with ``when``; 24 hours if that is unknown."""
    key = params.get("when", "")
    return Span(key if key in KINDS else DEFAULT, int((now or datetime.now(UTC)).timestamp()))


def here(unix_seconds: float) -> datetime:
    """A moment in the current time zone."""
    return timezone.localtime(moment(int(unix_seconds * 1_000_000)))


def short(unix_seconds: float, span: Span) -> str:
    """A past moment as a short text.

    It has seconds in the last two days, and a day unless that is today.
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
    """The figures of a slot, which is as short as the log has it."""

    slot: int
    seconds: int
    figures: Figures


@dataclass(slots=True)
class Read:
    """The figures of a span, of the time before it, and of 30 days before it."""

    span: Span
    bars: list[Figures]  # the figures of each slot of the span
    history: list[Part] = field(default_factory=list)  # all the time, in the shortest known slots
    whole: Figures = field(default_factory=Figures)  # the span
    before: Figures = field(default_factory=Figures)  # the time before it, of the same length
    #: Both without the last slot, which is not over, so that they can be compared.
    whole_over: Measure = field(default_factory=Measure)
    before_over: Measure = field(default_factory=Measure)
    unreadable: int = 0  # rows that cannot be read, for example from another version

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
    """Only the sums of the span, in one query: sets just ``whole`` and ``unreadable``."""
    found = Read(span, [])
    rows = Tally.objects.using(using).filter(slot__gte=span.start)
    for content in rows.values_list("content", flat=True).iterator():
        try:
            # Directly into the sum: this takes half the time of making parts, as `read` does.
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
class Counts:
    """Counts of a receiver's calls."""

    count: int = 0
    failed: int = 0

    @property
    def rate(self) -> float:
        """The share of calls that failed."""
        return self.failed / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Called:
    """The calls of a receiver in one slot."""

    part: Part
    count: int
    failed: int


@dataclass(slots=True, kw_only=True)
class Started:
    """A receiver that started failing, in the span or before it, and failed in the span."""

    receiver: int  # Name.id
    exceptions: dict[int, Failures]  # by Name.id, since it started failing
    since_us: int  # time of the first failure, microseconds since 1970
    until_us: int  # time of the last failure
    now: Counts  # its calls since the start; if it has recovered, those after the last failure
    now_from: int  # when the calls in `now` begin, Unix seconds
    before: Counts  # its calls before it started failing
    known_from: int  # when the calls in `before` begin
    is_recovered: bool
    together: Failures = field(init=False)

    def __post_init__(self) -> None:
        self.together = Failures()
        for failures in self.exceptions.values():
            self.together.merge(failures)


def started_failing(read: Read) -> list[Started]:
    """The receivers that started failing: those that still fail first, then the latest first."""
    failing = {receiver for receiver, _ in read.whole.failures}
    found = [_judged(receiver, read) for receiver in sorted(failing)]
    known = [each for each in found if each is not None]
    return sorted(known, key=lambda each: (each.is_recovered, -each.since_us))


def _judged(receiver: int, read: Read) -> Started | None:
    """The verdict on a receiver; None if it does not fail more often than before."""
    history = [
        Called(part, measure.count, measure.failed)
        for part in read.history
        if (measure := part.figures.receivers.get(receiver)) is not None
    ]
    began = _began(history)
    before = _counts([each for each in history if each.part.slot < began])
    if not _is_new(began, before, history, read):
        return None
    since = [each for each in history if each.part.slot >= began]
    exceptions = _exceptions(receiver, since)
    since_us = min(each.first_us for each in exceptions.values())
    shown, is_recovered = _now(since, since_us)
    return Started(
        receiver=receiver,
        exceptions=exceptions,
        since_us=since_us,
        until_us=max(each.last_us for each in exceptions.values()),
        now=_counts(shown),
        now_from=shown[0].part.slot,
        before=before,
        known_from=read.history[0].slot,
        is_recovered=is_recovered,
    )


def _began(history: list[Called]) -> int:
    """The slot in which the current series of failures began, which ends with the last failure.

    It looks back from the last failure to a period in which the receiver failed far less often,
    and was called often enough for this to be significant: the test for "recovered", backward.
    """
    last = max(index for index, each in enumerate(history) if each.failed)
    began, run = last, _counts(history[last:])
    count = failed = 0  # in the period
    for index in range(last - 1, -1, -1):
        count += history[index].count
        failed += history[index].failed
        expected = run.rate * count
        if expected >= _CONVINCING and failed < _FAR_LESS * expected:
            break
        if failed:
            began, run = index, Counts(run.count + count, run.failed + failed)
            count = failed = 0
    return history[began].part.slot


def _is_new(began: int, before: Counts, history: list[Called], read: Read) -> bool:
    """Whether it failed less often before, as far as is known."""
    if not before.count:
        return began >= read.span.before
    run = _counts([each for each in history if each.part.slot >= began])
    if before.failed and run.failed < _FEWEST:
        return False
    return not before.failed or _chance(run.failed, before.rate * run.count) <= _RARELY


def _exceptions(receiver: int, since: list[Called]) -> dict[int, Failures]:
    found: dict[int, Failures] = {}
    for each in since:
        for (who, exception), failures in each.part.figures.failures.items():
            if who == receiver:
                found.setdefault(exception, Failures()).merge(failures)
    return found


def _now(since: list[Called], since_us: int) -> tuple[list[Called], bool]:
    """The slots that show the present state, and whether the receiver has recovered.

    It has recovered if by now it would have failed again at the former rate; the slots are then
    those after the last failure. Otherwise they are the slots that began after the first failure,
    or all of them if it was not called in any of these.
    """
    last = max(each.part.slot for each in since if each.failed)
    after = [each for each in since if each.part.slot > last]
    bad = _counts([each for each in since if each.part.slot <= last])
    if bad.rate * _counts(after).count >= _CONVINCING:
        return after, True
    wholly = [each for each in since if each.part.slot * 1_000_000 >= since_us]
    return wholly or since, False


def _counts(slots: list[Called]) -> Counts:
    return Counts(sum(each.count for each in slots), sum(each.failed for each in slots))


def _chance(failed: int, expected: float) -> float:
    """The probability of at least ``failed`` failures if ``expected`` are usual (Poisson)."""
    if expected <= 0:
        return 0.0
    if failed <= expected:
        return 1.0
    if failed > _LONGEST_SUM:  # the sum would be long: an approximation is enough
        return 0.0 if failed > expected + 6 * math.sqrt(expected) else 1.0
    fewer = (
        math.exp(n * math.log(expected) - expected - math.lgamma(n + 1)) for n in range(failed)
    )
    return max(1.0 - math.fsum(fewer), 0.0)


@dataclass(frozen=True, slots=True)
class Links:
    """The changelists of the audit that this user may see, on this admin site."""

    dispatches: str  # "" without the permission: then there is no overview either
    gaps: str = ""
    origin: str = ""  # the ``origin`` of the selections that figures link to

    @property
    def catalog(self) -> str:
        """The page of what is connected, which the same users may see."""
        return f"{self.dispatches}catalog/" if self.dispatches else ""

    def to(self, start: float, end: float | None = None, **wanted: Any) -> str:
        """The link to the dispatches between two moments, in Unix seconds.

        "" if a name is not found. The times in it have seconds, as the changelist takes a time
        without seconds for the whole minute.
        """
        if GONE in wanted.values():
            return ""
        times = [("from", start), ("to", end)]
        params = [(key, f"{here(at):%Y-%m-%dT%H:%M:%S}") for key, at in times if at is not None]
        selection = Selection(**wanted, origin=self.origin, period=Period(params=tuple(params)))
        return self.dispatches + selection.query()

    def of(self, figures: Figures) -> Links:
        """Links for these figures: they do not count retries, so their links exclude retries."""
        return replace(self, origin=NO_RETRY if figures.retries.count else "")

    def of_slot(self, index: int, span: Span, **wanted: Any) -> str:
        """The link to the dispatches of one slot of the span."""
        start = span.start + index * span.seconds
        is_last = index == span.slots - 1
        return self.to(start, None if is_last else start + span.seconds, **wanted)


def links_of(app_list: Sequence[Mapping[str, Any]]) -> Links:
    """The links, from the list of apps that the admin site gives to an app index's template."""
    urls = {
        model["object_name"]: model["admin_url"]
        for app in app_list
        if app["app_label"] == "signal_audit"
        for model in app["models"]
        if model.get("admin_url") and model["perms"].get("view")
    }
    return Links(urls.get("AuditedDispatch", ""), urls.get("Gap", ""))
