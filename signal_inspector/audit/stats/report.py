"""Figures of a period of the log: counts by signal and receiver, and receivers that began to fail.

A receiver started failing if it fails now and, as far as is known, did not fail before.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Avg, Count, F, Max, Q

from signal_inspector.audit.lookups import Texts, calls, dispatches, gaps_in, in_time, time_of
from signal_inspector.audit.models import Ending, Origin
from signal_inspector.audit.search.finding import Counted, count
from signal_inspector.audit.search.selection import Selection
from signal_inspector.audit.stats.counts import Failures
from signal_inspector.audit.stats.overview import Part, Read

SHOWN: Final = 20
_RETRIED: Final = Q(origin=Origin.RETRY)

#: A number of failures is new if its probability would be at most this had nothing changed.
_RARELY: Final = 0.000_01
#: Calls without failures show a recovery if so many failures would have been expected in them.
_CONVINCING: Final = 3.0
_FAR_LESS: Final = 0.25  # share of the expected failures below which a receiver fails far less
_FEWEST: Final = 2  # failures, if a receiver has failed before
_LONGEST_SUM: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    """The figures of a signal or a receiver in a period."""

    name: str
    count: int
    failed: int
    mean_ms: float | None  # None: no duration is known
    longest_ms: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def total(*, exact: bool) -> Counted:
    """The number of all dispatches in the log: the server's estimate, or counted if ``exact``."""
    if not exact:
        counted = count(Selection())
        if counted is not None:
            return counted
    return Counted(dispatches().count())


def span() -> tuple[datetime, datetime] | None:
    """When the oldest and the newest dispatch started; None if the log is empty."""
    ids = dispatches().order_by("id").values_list("id", flat=True)
    oldest: UUID | None = ids.first()
    newest: UUID | None = ids.last()
    return None if oldest is None or newest is None else (time_of(oldest), time_of(newest))


def in_stretch(start: datetime, end: datetime) -> tuple[int, int]:
    """The numbers of dispatches, and of failed ones among them, in a period.

    Retries are not counted, here and in the functions below, except in ``retries``.
    """
    return _counted(dispatches().filter(in_time(start, end)).exclude(_RETRIED))


def retries(start: datetime, end: datetime) -> tuple[int, int]:
    """The same numbers for retries and what the receivers sent in them."""
    return _counted(dispatches().filter(in_time(start, end)).filter(_RETRIED))


def by_signal(start: datetime, end: datetime, shown: int = SHOWN) -> list[ReportLine]:
    """The signals that were dispatched most often."""
    found = dispatches().filter(in_time(start, end)).exclude(_RETRIED).order_by()
    return _lines(found, "signal_id", Count("is_failed"), Q(), shown)


def by_receiver(start: datetime, end: datetime, shown: int = SHOWN) -> list[ReportLine]:
    """The receivers that were called most often. Skipped calls do not count."""
    retried = dispatches().filter(in_time(start, end)).filter(_RETRIED).order_by()
    found = (
        calls()
        .filter(in_time(start, end, "dispatch_id"))
        .exclude(outcome=Ending.SKIPPED)
        .exclude(dispatch_id__in=retried.values("id"))
    )
    failed = Count("outcome", filter=Q(outcome=Ending.RAISED))
    timed = Q(offset_ns__isnull=False) & ~Q(outcome=Ending.RUNNING)
    return _lines(found, "receiver_id", failed, timed, shown)


def _counted(found: Any) -> tuple[int, int]:
    counted = found.aggregate(all=Count("id"), failed=Count("is_failed"))
    return counted["all"], counted["failed"]


def missing(start: datetime, end: datetime) -> tuple[int, int, bool]:
    """The number of gaps, of the dispatches missing in them, and whether that is exact."""
    found = list(gaps_in(start, end).values_list("missing", "is_upper_bound"))
    return len(found), sum(number for number, _ in found), not any(bound for _, bound in found)


def _lines(found: Any, field: str, failed: Any, timed: Q, shown: int) -> list[ReportLine]:
    """The lines of a report; ``timed`` selects the rows whose duration is known."""
    rows = list(
        found.values(name=F(field))
        .annotate(
            count=Count("*"),
            failed=failed,
            mean=Avg("duration_ns", filter=timed),
            longest=Max("duration_ns", filter=timed),
        )
        .order_by("-count", "name")[:shown]
    )
    texts = Texts(row["name"] for row in rows)
    return [
        ReportLine(
            name=texts[row["name"]],
            count=row["count"],
            failed=row["failed"],
            mean_ms=_ms(row["mean"]),
            longest_ms=_ms(row["longest"]),
        )
        for row in rows
    ]


def _ms(nanoseconds: Any) -> float | None:
    return None if nanoseconds is None else round(float(nanoseconds) / 1e6, 3)


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
