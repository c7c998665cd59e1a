"""What is missing in the log, which is said before what is in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.db.models import Count, Q, Sum

from signal_inspector.audit.destinations.database.adapters import utc_of
from signal_inspector.audit.lookups import gaps_in
from signal_inspector.audit.models import Gap, GapReason
from signal_inspector.audit.overview.charts import Band, bands
from signal_inspector.audit.stats.overview import Span, here, short
from signal_inspector.audit.wording import OutcomeWords, number, plural

SHOWN: Final = 20

_WHY: Final = {
    GapReason.OVERFLOW: "More was sent than could be written: the queue was full.",
    GapReason.DATABASE: "The database took nothing, and too many were waiting for it.",
    GapReason.UNWRITABLE: "The database refused this dispatch.",
    GapReason.DEAD_WRITER: "The process ended before it had written all.",
    GapReason.SPOOL: "A spool file was damaged, or could not be written.",
    GapReason.FAILURE: "The audit itself failed. The logger “signal_inspector” says how.",
    GapReason.SHUTDOWN: "The process ended, and the database did not take all in time.",
}


@dataclass(frozen=True, slots=True)
class GapRow:
    """One gap."""

    time: str
    missing: str
    is_upper_bound: bool
    why: str
    process: str
    state: OutcomeWords


@dataclass(frozen=True, slots=True)
class Gaps:
    """The gaps that touch a span."""

    count: int
    exact: int  # dispatches that are missing
    up_to: int  # and so many more at most
    rows: list[GapRow]
    bands: list[Band]

    @property
    def words(self) -> str:
        """How many are missing: "1,204 dispatches are missing, and up to 412 more"."""
        verb = "is" if self.exact == 1 else "are"
        exact = f"{plural(self.exact, 'dispatch', 'dispatches')} {verb} missing"
        if not self.up_to:
            return exact
        if not self.exact:
            return f"up to {plural(self.up_to, 'dispatch', 'dispatches')} are missing"
        return f"{exact}, and up to {number(self.up_to)} more"


def gaps_of(span: Span) -> Gaps:
    """The gaps of a span, the latest first; two queries."""
    found = gaps_in(moment_of(span.start), None)
    counted = found.aggregate(
        count=Count("id"),
        exact=Sum("missing", filter=Q(is_upper_bound=False)),
        up_to=Sum("missing", filter=Q(is_upper_bound=True)),
    )
    gaps = list(found[:SHOWN]) if counted["count"] else []
    return Gaps(
        counted["count"],
        counted["exact"] or 0,
        counted["up_to"] or 0,
        [_row(gap, span) for gap in gaps],
        bands([_share(gap, span) for gap in reversed(gaps)]),
    )


def moment_of(unix_seconds: int) -> datetime:
    """A moment as the tables hold it."""
    return datetime.fromtimestamp(unix_seconds, UTC if settings.USE_TZ else None)


def _row(gap: Gap, span: Span) -> GapRow:
    start, end = (
        _unix(gap.from_at),
        _unix(gap.to_at) if gap.to_at else None,
    )
    time = short(start, span)
    if end is not None and end - start >= 1:
        same_day = here(start).date() == here(end).date()
        until = short(end, span)
        time = f"{time} to {until.split()[-1] if same_day else until}"
    return GapRow(
        time,
        number(gap.missing),
        gap.is_upper_bound,
        _WHY[GapReason(gap.reason)],
        gap.process,
        _state(gap, span),
    )


def _state(gap: Gap, span: Span) -> OutcomeWords:
    if gap.closed_at is not None:
        return OutcomeWords("ok", "ok", "dealt with", short(_unix(gap.closed_at), span))
    if gap.to_at is None:
        return OutcomeWords("warn", "warn", "may go on", "nothing tells of its end yet")
    if gap.is_upper_bound:
        hint = "DELIVERY “spool” survives this" if gap.reason == GapReason.DEAD_WRITER else ""
        return OutcomeWords("warn", "warn", "cannot be known more exactly", hint)
    if gap.reason == GapReason.UNWRITABLE:
        return OutcomeWords("warn", "warn", "one dispatch, for good")
    return OutcomeWords("ok", "ok", f"writing again since {short(_unix(gap.to_at), span)}")


def _share(gap: Gap, span: Span) -> tuple[float, float, str]:
    start = _unix(gap.from_at)
    end = _unix(gap.to_at) if gap.to_at else span.now
    bound = "up to " if gap.is_upper_bound else ""
    missing = plural(gap.missing, "dispatch", "dispatches")
    title = f"{short(start, span)}: {bound}{missing} missing"
    return span.place(start), span.place(end), title


def _unix(when: datetime) -> float:
    return utc_of(when).timestamp()
