"""What is stored of a request, which other recent requests sent signals, and their URLs.

Beside the panel's own data a summary of a few bytes is stored under a name of its own, so that
listing the recent requests reads none of their dispatches. The toolbar's store belongs to one
developer and holds a few dozen requests; it does not say which browser made them, and neither
do we.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.apps import apps
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from signal_inspector.core import internal_errors
from signal_inspector.display.numbers import ago, clock, duration, integer
from signal_inspector.toolbar.store import StoredRequest, stored_request
from signal_inspector.toolbar.view import OtherRequest, RequestLine

PANEL_ID = "SignalInspectorPanel"
_AUDIT = "signal_audit"  # the label of the app, which this room does not import

SUMMARY_ID = "SignalInspectorSummary"
_SHOWN = 5


def toolbar_url(view: str, **query: object) -> str:
    """The URL of a view of the toolbar with this query; "" where its URLs are not included."""
    try:
        path = reverse(f"djdt:{view}")
    except NoReverseMatch:
        return ""
    return f"{path}?{urlencode(query)}" if query else path


def trace_href(form: str, trace_id: str, sampled: bool | None) -> str:
    """Where a trace is shown, by the template of ``TRACE_URL``.

    "" without either, and where the trace was not sampled: no viewer has it.
    """
    return form.replace("{trace_id}", trace_id) if trace_id and sampled is not False else ""


def audit_href(signal: str, dispatch_id: str) -> str:
    """Where the audit shows a dispatch of this signal; "" without the audit or without a page.

    The admin there asks for a log-in where it has to: a stored request is looked at by another
    person than the one who made it.
    """
    audit = apps.app_configs.get(_AUDIT)
    page_of = getattr(audit, "page_of", None)
    return "" if page_of is None else str(page_of(signal, dispatch_id))


@dataclass(frozen=True, slots=True)
class Links:
    """URLs that concern one stored request."""

    request_id: str

    def rows(self, row: str, offset: int | None = None) -> str:
        """Rows under a row, or, with an offset, more dispatches of a group (of the top: "")."""
        query = {"request_id": self.request_id, "row": row}
        if offset is not None:
            query["offset"] = str(offset)
        return toolbar_url("si_rows", **query)

    def json(self, dispatch_id: str = "") -> str:
        """One dispatch, or all of them, as JSON."""
        query = {"request_id": self.request_id}
        if dispatch_id:
            query["dispatch"] = dispatch_id
        return toolbar_url("si_json", **query)

    def switch(self) -> str:
        """The toolbar's own way to show another request, in all its panels."""
        return toolbar_url("history_sidebar", request_id=self.request_id, exclude_history="True")

    def panel(self) -> str:
        """This panel alone for the request."""
        return toolbar_url("render_panel", request_id=self.request_id, panel_id=PANEL_ID)


def request_line(request: StoredRequest, trace_url: str) -> RequestLine:
    """The first line of the panel."""
    started = datetime.fromtimestamp(request.started, UTC)
    zone = timezone.get_current_timezone_name()
    return RequestLine(
        method=request.method,
        path=request.path,
        result=f"{request.status} in {duration(request.duration_ns)}",
        started=f"{clock(started, with_day=False)} {zone}",
        trace_id=request.trace_id,
        trace_href=trace_href(trace_url, request.trace_id, request.trace_sampled),
        trace_note="" if request.trace_sampled is not False else "not sampled",
    )


def other_requests(store: Any, request_id: str, now: float) -> tuple[OtherRequest, ...]:
    """The newest requests but this one that sent signals. The store may fail: then none."""
    try:
        found = sorted(_sending(store, request_id), key=lambda pair: -pair[1].started)
        return tuple(_other(id_, request, now) for id_, request in found[:_SHOWN])
    except Exception as error:
        internal_errors.report("reading the toolbar's store", error)
        return ()


def _sending(store: Any, request_id: str) -> Iterator[tuple[str, StoredRequest]]:
    for other_id in list(store.request_ids()):
        if other_id == request_id:
            continue
        data = store.panel(other_id, SUMMARY_ID)
        if data and data["dispatches"]:
            yield other_id, stored_request(data)


def _other(request_id: str, request: StoredRequest, now: float) -> OtherRequest:
    links = Links(request_id)
    return OtherRequest(
        method=request.method,
        path=request.path,
        text=f"sent {integer(request.dispatches)}, {ago(now - request.started)}",
        failed=request.failed > 0,
        request_id=request_id,
        switch_url=links.switch(),
        panel_url=links.panel(),
    )
