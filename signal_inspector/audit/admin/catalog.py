"""The catalog: what is connected in this process now, with the figures that the log has of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from signal_inspector.audit.admin.base import Link, period_links
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.lookups import GONE, Texts, number_of
from signal_inspector.audit.models import NameKind
from signal_inspector.audit.settings import get_settings
from signal_inspector.audit.stats.counts import Figures, Measure
from signal_inspector.audit.stats.overview import Links, read_span, read_whole
from signal_inspector.catalog import SignalEntry, describe
from signal_inspector.catalog.entries import Mark, Marked, connected_elsewhere, marked
from signal_inspector.core import internal_errors
from signal_inspector.display.numbers import duration, integer, plural
from signal_inspector.display.text import DottedName, dotted, place

#: The most signals and receivers that the page shows; a search text narrows them down.
MOST_SIGNALS: Final = 200
MOST_RECEIVERS: Final = 400
_MOST_LOST: Final = 50

_NONE: Final = Measure()


@dataclass(frozen=True, slots=True)
class LoggedFigures:
    """The log's figures of a signal or a receiver in the chosen span."""

    calls: str
    calls_url: str  # "" if there is nothing to show
    failed: str
    failed_url: str
    p50: str
    p95: str

    @property
    def is_failed(self) -> bool:
        return bool(self.failed_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """A connection."""

    order: str  # "" if the receiver would not run
    name: DottedName
    places: str  # "shop/receivers.py:18, connected at shop/apps.py:8"
    marks: tuple[Mark, ...]
    counted: LoggedFigures
    also: str  # "counted on 3 signals together"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRows:
    """A signal with its receivers."""

    name: DottedName
    place: str
    problem: str  # why its receivers cannot be read
    receivers: list[ReceiverRow]
    more: str  # "3 more receivers", which are not shown; "" if all are
    counted: LoggedFigures


@dataclass(frozen=True, slots=True)
class LostRow:
    """A name that was counted, but is not connected now."""

    kind: str  # "signal" or "receiver"
    name: DottedName
    counted: LoggedFigures


def numbers_of(known: Sequence[SignalEntry]) -> tuple[set[int], set[int]]:
    """The numbers in the log of the signals and the receivers that are connected."""
    names = {each.receiver for entry in known for each in entry.connections}
    return (
        {number_of(NameKind.SIGNAL, entry.signal) for entry in known},
        {number_of(NameKind.RECEIVER, name) for name in names},
    )


def not_connected(
    figures: Figures, signals: set[int], receivers: set[int]
) -> list[tuple[str, int, Measure]]:
    """Kind, number and figures of what was counted, except these signals and receivers."""
    lost = [("signal", key, m) for key, m in figures.signals.items() if key not in signals]
    lost += [("receiver", key, m) for key, m in figures.receivers.items() if key not in receivers]
    return [each for each in lost if each[2].count]


class Catalog:
    """The page that a query string asks for."""

    def __init__(
        self, params: Mapping[str, str], site: AdminSite, now: datetime | None = None
    ) -> None:
        self.text = params.get("q", "").replace("\0", "").strip()[:200]
        self.span = read_span(params, now)
        self.pid = os.getpid()
        read = read_whole(self.span, get_settings().database)
        self._links = Links(changelist_url(site)).of(read.whole)
        self.unreadable = read.unreadable
        self._figures = read.whole
        known = _connected()
        self._on = Counter(
            name for entry in known for name in {e.receiver for e in entry.connections}
        )
        found = [entry for entry in known if self._is_meant(entry)]
        self.total = len(known)
        self.found = len(found)
        self.signals = self._rows(found)
        self.lost, self.lost_more = self._lost(known)

    @property
    def choices(self) -> list[Link]:
        return period_links(self.span, **({"q": self.text} if self.text else {}))

    @property
    def words(self) -> str:
        """How many signals are shown."""
        shown = len(self.signals)
        if shown == self.total:
            return plural(self.total, "custom signal")
        return f"{integer(shown)} of {plural(self.total, 'custom signal')}"

    def _is_meant(self, entry: SignalEntry) -> bool:
        wanted = self.text.lower()
        names = (entry.signal, *(each.receiver for each in entry.connections))
        return not wanted or any(wanted in name.lower() for name in names)

    def _rows(self, entries: Sequence[SignalEntry]) -> list[SignalRows]:
        rows: list[SignalRows] = []
        left = MOST_RECEIVERS
        for entry in entries[:MOST_SIGNALS]:
            receivers = marked(entry)
            more = max(len(receivers) - left, 0)
            rows.append(
                SignalRows(
                    name=dotted(entry.signal),
                    place=place(entry.path, entry.line),
                    problem=entry.problem,
                    receivers=[self._receiver(each, entry.signal) for each in receivers[:left]],
                    more=plural(more, "more receiver") if more else "",
                    counted=self._of_signal(entry.signal),
                )
            )
            left = max(left - len(receivers), 0)
        return rows

    def _receiver(self, found: Marked, signal: str) -> ReceiverRow:
        entry = found.entry
        elsewhere = connected_elsewhere(entry)
        at = "" if elsewhere is None else place(elsewhere.path, elsewhere.line)
        on = self._on[entry.receiver]
        return ReceiverRow(
            order=str(found.order or ""),
            name=dotted(entry.receiver),
            places=", ".join(
                filter(None, [place(entry.path, entry.line), f"connected at {at}" if at else ""])
            ),
            marks=found.marks,
            counted=self._of_receiver(entry.receiver, signal if on == 1 else ""),
            also=f"counted for all {on} of its signals together" if on > 1 else "",
        )

    def _of_signal(self, name: str) -> LoggedFigures:
        measure = self._figures.signals.get(number_of(NameKind.SIGNAL, name), _NONE)
        return self._counted(measure, signal=name)

    def _of_receiver(self, name: str, signal: str) -> LoggedFigures:
        measure = self._figures.receivers.get(number_of(NameKind.RECEIVER, name), _NONE)
        return self._counted(measure, receiver=name, signal=signal)

    def _counted(self, measure: Measure, **wanted: Any) -> LoggedFigures:
        start, links = self.span.start, self._links
        return LoggedFigures(
            integer(measure.count),
            links.to(start, **wanted) if measure.count else "",
            integer(measure.failed),
            links.to(start, **wanted, outcome="failed") if measure.failed else "",
            duration(measure.percentile(0.5)),
            duration(measure.percentile(0.95)),
        )

    def _lost(self, known: Sequence[SignalEntry]) -> tuple[list[LostRow], int]:
        """What was counted but is not connected: removed, renamed, or code of another process."""
        signals, receivers = numbers_of(known)
        lost = not_connected(self._figures, signals, receivers)
        texts = Texts(key for _, key, _ in lost)
        rows = [
            LostRow(kind, dotted(texts[key]), self._counted(measure, **{kind: texts[key]}))
            for kind, key, measure in lost
            if texts[key] != GONE and self.text.lower() in texts[key].lower()
        ]
        rows.sort(key=lambda row: (row.kind != "signal", row.name.full))
        return rows[:_MOST_LOST], max(len(rows) - _MOST_LOST, 0)


def _connected() -> list[SignalEntry]:
    """The catalog; empty if it cannot be read."""
    try:
        return describe()
    except Exception as error:
        internal_errors.report("the catalog", error)
        return []


class CatalogPage:
    """The page, for the admin of dispatches."""

    admin_site: AdminSite

    def catalog_urls(self) -> list[URLPattern]:
        """The URL of the page, to be placed before the admin's own URLs."""
        name = "signal_audit_auditeddispatch_catalog"
        return [path("catalog/", self.admin_site.admin_view(self.catalog_view), name=name)]

    def catalog_view(self, request: HttpRequest) -> TemplateResponse:
        """The page of what is connected, with its figures."""
        self._check(request)
        page = Catalog(request.GET.dict(), self.admin_site)
        context = {"title": "Signals and receivers", "page": page}
        return self._answer(request, "signal_inspector/audit/catalog.html", context)

    def _check(self, request: HttpRequest) -> None:
        raise NotImplementedError

    def _answer(
        self, request: HttpRequest, template: Any, context: dict[str, Any]
    ) -> TemplateResponse:
        raise NotImplementedError
