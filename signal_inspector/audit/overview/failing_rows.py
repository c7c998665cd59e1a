"""The table of receivers that started failing, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.overview.charts import Tick
from signal_inspector.audit.overview.wording import ago, percent
from signal_inspector.audit.stats.failing import Started
from signal_inspector.audit.stats.overview import Links, Read, Span, here, short
from signal_inspector.audit.wording import (
    DottedName,
    OutcomeWords,
    class_name,
    dotted,
    number,
    plural,
)

SHOWN: Final = 10
_MARKS: Final = 3  # of these that are marked in the plot
_MARK_ROOM: Final = 0.14  # of its width, that the words of a mark take
_MILLION: Final = 1_000_000
_HOUR: Final = 3_600
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class FailingRow:
    """One receiver."""

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
    """The first of them as rows."""
    return [_row(each, read, texts, links) for each in found[:SHOWN]]


def _row(each: Started, read: Read, texts: Texts, links: Links) -> FailingRow:
    span = read.span
    since, until = each.since_us / _MILLION, each.until_us / _MILLION
    receiver = texts[each.receiver]
    exception = max(each.exceptions, key=lambda key: each.exceptions[key].count)
    share = percent(each.now.failed, each.now.count)
    return FailingRow(
        name=dotted(receiver),
        url=links.to(int(since), receiver=receiver, outcome="failed"),
        exception=class_name(texts[exception or None]),
        other_exceptions=len(each.exceptions) - 1,
        since=short(since, span),
        since_detail=(
            f"until {short(until, span)}" if each.is_recovered else f"{ago(span.now - since)} ago"
        ),
        now=f"{number(each.now.failed)} of {plural(each.now.count, 'call')}",
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
    return f"{number(each.before.failed)} of {number(each.before.count)}"


def _baseline(each: Started) -> str:
    """For how long the figures before it are known."""
    seconds = each.since_us / _MILLION - each.known_from
    if not each.before.count and seconds < _HOUR:
        return "the log begins here"
    return f"in {plural(round(seconds / _DAY), 'day')}" if seconds > _DAY else f"in {ago(seconds)}"


def _effect(each: Started) -> OutcomeWords:
    together = each.together
    if each.is_recovered:
        words = f"{plural(together.count, 'call')} failed"
        return OutcomeWords("ok", "ok", "recovered", words)
    rolled_back = _rolled_back(each)
    if not together.raised:
        detail = rolled_back or "the sender went on"
        return OutcomeWords("bad", "swallowed", "swallowed", detail)
    sends = f"{plural(together.raised, 'send')} ended by it"
    detail = f"{sends}, {rolled_back}" if rolled_back else sends
    if together.skipped:
        return OutcomeWords("bad", "raised", f"stopped {plural(together.skipped, 'call')}", detail)
    return OutcomeWords("bad", "raised", "raised to the sender", detail)


def _rolled_back(each: Started) -> str:
    count, of = each.together.rolled_back, each.together.count
    if not count:
        return ""
    return "all rolled back" if count == of else f"{number(count)} rolled back"


def marks(found: Sequence[Started], span: Span, texts: Texts) -> list[Tick]:
    """Where the latest of those began that fail still, for the plot; none over another's words."""
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
            made.append(Tick(f"{place * 100:.2f}%", f"{words} {last}", anchor))
            places.append(place)
    return made
