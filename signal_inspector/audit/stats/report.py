"""Figures of a period of the log, read from its rows: counts by signal and by receiver."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Avg, Count, F, Max, Q

from signal_inspector.audit.lookups import Texts, calls, dispatches, gaps_in, in_time, time_of
from signal_inspector.audit.models import Ending, Origin
from signal_inspector.audit.search.finding import Counted, count
from signal_inspector.audit.search.selection import Selection

SHOWN: Final = 20
_RETRIED: Final = Q(origin=Origin.RETRY)


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
