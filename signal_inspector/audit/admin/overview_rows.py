"""The tables of the overview: receivers that started failing, and gaps in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db.models import Count, Q, Sum

from signal_inspector.audit.admin.overview_plots import Band, bands
from signal_inspector.audit.destinations.database.adapters import utc_of
from signal_inspector.audit.lookups import Texts, gaps_in
from signal_inspector.audit.models import Gap, GapReason
from signal_inspector.audit.stats.overview import Links, Read, Span, Started, here, short
from signal_inspector.display.numbers import (
    ago,
    dispatch_count,
    integer,
    percent,
    plural,
    rough_time,
)
from signal_inspector.display.outcomes import RAISED_TO_SENDER, SWALLOWED, OutcomeWords, part_of
from signal_inspector.display.text import DottedName, dotted, exception_name
from signal_inspector.display.timeline import Tick

FAILING_SHOWN: Final = 10
_MARKS: Final = 3  # how many of these are marked in the plot
_MARK_ROOM: Final = 0.14  # the share of the plot's width that the text of a mark takes
_MILLION: Final = 1_000_000
_HOUR: Final = 3_600
_DAY: Final = 86_400

GAPS_SHOWN: Final = 20

_WHY: Final = {
    GapReason.OVERFLOW: "The queue was full: more dispatches were sent than could be written.",
    GapReason.DATABASE: "The database was unavailable, and too many dispatches waited for it.",
    GapReason.UNWRITABLE: "The database refused this dispatch.",
    GapReason.DEAD_WRITER: "The process ended before it had written all its dispatches.",
    GapReason.SPOOL: "A spool file was damaged or could not be written.",
    GapReason.FAILURE: "The audit itself failed. See the logger “signal_inspector”.",
    GapReason.SHUTDOWN: "The process ended before the database had taken all its dispatches.",
}


@dataclass(frozen=True, slots=True)
class FailingRow:
    """A receiver that started failing."""

    name: DottedName
    url: str
    exception: str
    other_exceptions: int
    since: str
    since_detail: str
    now: str
    now_detail: str
    before: str
    before_detail: str
    effect: OutcomeWords
    is_recovered: bool


def failing_rows(
    found: Sequence[Started], read: Read, texts: Texts, links: Links
) -> list[FailingRow]:
    """The first of these receivers as rows."""
    return [_failing_row(each, read, texts, links) for each in found[:FAILING_SHOWN]]


def _failing_row(each: Started, read: Read, texts: Texts, links: Links) -> FailingRow:
    span = read.span
    since, until = each.since_us / _MILLION, each.until_us / _MILLION
    receiver = texts[each.receiver]
    exception = max(each.exceptions, key=lambda key: each.exceptions[key].count)
    share = percent(each.now.failed, each.now.count)
    return FailingRow(
        name=dotted(receiver),
        url=links.to(int(since), receiver=receiver, outcome="failed"),
        exception=exception_name(texts[exception or None]),
        other_exceptions=len(each.exceptions) - 1,
        since=short(since, span),
        since_detail=(
            f"until {short(until, span)}" if each.is_recovered else ago(span.now - since)
        ),
        now=f"{integer(each.now.failed)} of {plural(each.now.count, 'call')}",
        now_detail=f"{'' if each.is_recovered else share + ' '}since {_start(each, span)}",
        before=_before(each),
        before_detail=_baseline(each),
        effect=_effect(each),
        is_recovered=each.is_recovered,
    )


def _start(each: Started, span: Span) -> str:
    return short(each.now_from, span).removesuffix(":00")


def _before(each: Started) -> str:
    if not each.before.count:
        return "no call"
    return part_of(each.before.failed, each.before.count)


def _baseline(each: Started) -> str:
    """For how long the figures before the first failure are known."""
    seconds = each.since_us / _MILLION - each.known_from
    if not each.before.count and seconds < _HOUR:
        return "the log begins here"
    return (
        f"in {plural(round(seconds / _DAY), 'day')}"
        if seconds > _DAY
        else f"in {rough_time(seconds)}"
    )


def _effect(each: Started) -> OutcomeWords:
    together = each.together
    if each.is_recovered:
        words = f"{plural(together.count, 'call')} failed"
        return OutcomeWords("ok", "ok", "recovered", words)
    rolled_back = _rolled_back(each)
    if not together.raised:
        detail = rolled_back or "the sender went on"
        return OutcomeWords("bad", "swallowed", SWALLOWED, detail)
    sends = f"{plural(together.raised, 'send')} raised it"
    detail = f"{sends}, {rolled_back}" if rolled_back else sends
    if together.skipped:
        return OutcomeWords("bad", "raised", f"stopped {plural(together.skipped, 'call')}", detail)
    return OutcomeWords("bad", "raised", RAISED_TO_SENDER, detail)


def _rolled_back(each: Started) -> str:
    count, of = each.together.rolled_back, each.together.count
    if not count:
        return ""
    return "all rolled back" if count == of else f"{integer(count)} rolled back"


def marks(found: Sequence[Started], span: Span, texts: Texts) -> list[Tick]:
    """Marks in the plot where the latest receivers that still fail began to; without overlap."""
    made: list[Tick] = []
    places: list[float] = []
    for each in found:
        place = span.place(each.since_us / _MILLION)
        is_free = all(abs(place - other) > _MARK_ROOM for other in places)
        if not each.is_recovered and is_free and len(made) < _MARKS:
            when = here(each.since_us / _MILLION)
            words = f"{when:%H:%M}" if span.seconds <= 3_600 else f"{when.day} {when:%b}"
            last = dotted(texts[each.receiver]).last[:40]
            anchor = "end" if place > 0.5 else "start"
            x = f"{place * 100:.2f}%"
            made.append(Tick(x=x, text=f"{words} {last}", odd=False, anchor=anchor))
            places.append(place)
    return made


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
    """The gaps that overlap a span."""

    count: int
    exact: int  # dispatches that are missing, counted exactly
    up_to: int  # further dispatches that may be missing, at most
    rows: list[GapRow]
    bands: list[Band]

    @property
    def words(self) -> str:
        """How many are missing: "1,204 dispatches are missing, and up to 412 more"."""
        verb = "is" if self.exact == 1 else "are"
        exact = f"{dispatch_count(self.exact)} {verb} missing"
        if not self.up_to:
            return exact
        if not self.exact:
            return f"up to {dispatch_count(self.up_to)} are missing"
        return f"{exact} and up to {integer(self.up_to)} more"


def gaps_of(span: Span) -> Gaps:
    """The gaps of a span, the latest first; two queries."""
    found = gaps_in(datetime.fromtimestamp(span.start, UTC), None)
    counted = found.aggregate(
        count=Count("id"),
        exact=Sum("missing", filter=Q(is_upper_bound=False)),
        up_to=Sum("missing", filter=Q(is_upper_bound=True)),
    )
    gaps = list(found[:GAPS_SHOWN]) if counted["count"] else []
    return Gaps(
        counted["count"],
        counted["exact"] or 0,
        counted["up_to"] or 0,
        [_gap_row(gap, span) for gap in gaps],
        bands([_share(gap, span) for gap in reversed(gaps)]),
    )


def _gap_row(gap: Gap, span: Span) -> GapRow:
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
        integer(gap.missing),
        gap.is_upper_bound,
        _WHY[GapReason(gap.reason)],
        gap.process,
        _state(gap, span),
    )


def _state(gap: Gap, span: Span) -> OutcomeWords:
    if gap.closed_at is not None:
        return OutcomeWords("ok", "ok", "resolved", short(_unix(gap.closed_at), span))
    if gap.to_at is None:
        return OutcomeWords("warn", "warn", "open", "its end is not known yet")
    if gap.is_upper_bound:
        hint = (
            "DELIVERY “spooled” would have kept them"
            if gap.reason == GapReason.DEAD_WRITER
            else ""
        )
        return OutcomeWords("warn", "warn", "the exact number is not known", hint)
    if gap.reason == GapReason.UNWRITABLE:
        return OutcomeWords("warn", "warn", "one dispatch, lost")
    return OutcomeWords("ok", "ok", f"writing again since {short(_unix(gap.to_at), span)}")


def _share(gap: Gap, span: Span) -> tuple[float, float, str]:
    start = _unix(gap.from_at)
    end = _unix(gap.to_at) if gap.to_at else span.now
    bound = "up to " if gap.is_upper_bound else ""
    missing = dispatch_count(gap.missing)
    title = f"{short(start, span)}: {bound}{missing} missing"
    return span.place(start), span.place(end), title


def _unix(when: datetime) -> float:
    return utc_of(when).timestamp()
