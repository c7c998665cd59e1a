"""The overview, which the template of the app's index shows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from signal_inspector.audit.admin import overview_plots
from signal_inspector.audit.admin.base import Link, period_links
from signal_inspector.audit.admin.overview_rows import (
    FailingRow,
    Gaps,
    failing_rows,
    gaps_of,
    marks,
)
from signal_inspector.audit.destinations.database.adapters import utc_of
from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.operations.health import Status, status
from signal_inspector.audit.settings import get_settings
from signal_inspector.audit.stats.overview import (
    Links,
    Read,
    Span,
    Started,
    here,
    links_of,
    read,
    read_span,
    started_failing,
)
from signal_inspector.core import internal_errors
from signal_inspector.display.numbers import ago, duration, integer, percent, plural
from signal_inspector.display.timeline import Axis, Tick


@dataclass(frozen=True, slots=True)
class Card:
    """A card with one figure."""

    title: str
    value: str
    details: list[str]
    tone: str = ""  # "bad" or "warn", with a glyph
    glyph: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything that the page shows."""

    span: Span
    choices: list[Link]
    time: str
    links: Links
    gaps: Gaps
    cards: list[Card]
    is_empty: bool  # nothing was ever counted
    is_quiet: bool  # nothing was counted in this span
    unreadable: int
    failing: list[FailingRow]
    failing_more: int
    marks: list[Tick]
    over_time: overview_plots.OverTime
    multiples: list[overview_plots.Multiple]
    slots: Axis  # the slots of this span
    slowest: list[overview_plots.SlowRow]
    axis: Axis  # the axis of the slowest receivers
    receivers: int  # receivers with known times in this span
    all_url: str  # "" if all are shown


def overview(
    request: HttpRequest, app_list: Sequence[Mapping[str, Any]], now: datetime | None = None
) -> Overview | None:
    """The overview for the user of this request; None without permission to see dispatches."""
    links = links_of(app_list)
    if not links.dispatches:
        return None
    span = read_span(request.GET, now)
    using = get_settings().database
    limit = overview_plots.MANY if request.GET.get("receivers") == "all" else overview_plots.FEW
    figures = read(span, using)
    links = links.of(figures.whole)
    found = started_failing(figures)
    wanted, slow = overview_plots.chosen(figures, limit), overview_plots.slowest(figures, limit)
    texts = Texts({*wanted, *slow, *_named(found)})
    failing = failing_rows(found, figures, texts, links)
    gaps = gaps_of(span)
    slowest, axis = overview_plots.slow_rows(figures, texts, links, slow)
    number_of_receivers = sum(1 for each in figures.whole.receivers.values() if each.buckets)
    return Overview(
        span=span,
        choices=period_links(span),
        time=_time(span),
        links=links,
        gaps=gaps,
        cards=_cards(figures, gaps, status(using), links),
        is_empty=figures.is_empty,
        is_quiet=not figures.whole.signals,
        unreadable=figures.unreadable,
        failing=failing,
        failing_more=len(found) - len(failing),
        marks=marks(found, span, texts),
        over_time=overview_plots.over_time(figures, links, gaps=gaps.count),
        multiples=overview_plots.multiples(figures, texts, links, wanted),
        slots=overview_plots.slots(span),
        slowest=slowest,
        axis=axis,
        receivers=number_of_receivers,
        all_url=f"?when={span.key}&receivers=all" if number_of_receivers > limit else "",
    )


def overview_or_reason(
    request: HttpRequest, app_list: Sequence[Mapping[str, Any]]
) -> tuple[Overview | None, str]:
    """The overview, or a text about why it cannot be shown: the page's links still work then."""
    try:
        return overview(request, app_list), ""
    except DatabaseError as error:
        internal_errors.report("reading the figures of the overview", error)
        return None, f"The figures of the overview cannot be read: {type(error).__name__}."


def _named(found: Sequence[Started]) -> set[int]:
    return {each.receiver for each in found} | {key for each in found for key in each.exceptions}


def _time(span: Span) -> str:
    start, end = here(span.start), here(span.now)
    year = f" {end.year}" if end.year != start.year else ""
    zone = timezone.get_current_timezone_name()
    return f"{start.day} {start:%b %Y, %H:%M} to {end.day} {end:%b}{year}, {end:%H:%M} {zone}"


def _cards(figures: Read, gaps: Gaps, log: Status, links: Links) -> list[Card]:
    kind, span = figures.span.kind, figures.span
    now, before = figures.whole.dispatches(), figures.before.dispatches()
    was, is_ = figures.before_over, figures.whole_over
    has_before = bool(before.count)
    failed_before = f"{kind.before} {percent(was.failed, was.count)}" if has_before else ""
    p95_before = f"{kind.before} p95 {duration(before.percentile(0.95))}" if has_before else ""
    failed = [percent(now.failed, now.count) + (f", {failed_before}" if failed_before else "")]
    return [
        Card(
            "Dispatches",
            integer(now.count),
            [_compared(is_.count, was.count, kind.before), *_retries(figures)],
            url=links.to(span.start),
        ),
        Card(
            "Failed",
            integer(now.failed),
            failed,
            *(("bad", "raised") if now.failed else ("", "")),
            url=links.to(span.start, outcome="failed"),
        ),
        Card(
            "Dispatch time, p95",
            duration(now.percentile(0.95)),
            [f"p50 {duration(now.percentile(0.5))}", *([p95_before] if p95_before else [])],
        ),
        _log_card(gaps, log),
    ]


def _compared(now: float, before: float, when: str) -> str:
    """ "4 % more than the day before"."""
    if not before:
        return f"none {when}"
    change = now / before - 1
    if abs(change) < 0.01:
        return f"same as {when}"
    if now >= 10 * before:
        return f"{now / before:,.0f} times {when}"
    return f"{abs(change) * 100:.0f}% {'more' if change > 0 else 'less'} than {when}"


def _retries(figures: Read) -> list[str]:
    """The retries, which no other figure counts."""
    retries = figures.whole.retries
    if not retries.count:
        return []
    failed = f", {integer(retries.failed)} failed" if retries.failed else ""
    return [f"not counting {plural(retries.count, 'retry', 'retries')}{failed}"]


def _log_card(gaps: Gaps, log: Status) -> Card:
    if log.last_write_at is None:
        written = "nothing written yet"
    else:
        at = utc_of(log.last_write_at).timestamp()
        written = f"last write {ago(time.time() - at)}"
    details = [f"{written}, {integer(log.waiting)} waiting"]
    if log.late:
        details.append(f"{plural(log.late, 'process', 'processes')} behind with writing")
    if gaps.count:
        return Card("Log", plural(gaps.count, "gap"), details, "warn", "warn")
    if log.late:
        return Card("Log", "late", details, "warn", "warn")
    return Card("Log", "no gaps", details)
