"""URLs of the panel's own views, and of the toolbar's views that it sends people to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.apps import apps
from django.urls import NoReverseMatch, reverse

PANEL_ID = "SignalInspectorPanel"
_AUDIT = "signal_audit"  # the label of the app, which this room does not import


def toolbar_url(view: str, **query: object) -> str:
    """The URL of a view of the toolbar with this query; "" where its URLs are not included."""
    try:
        path = reverse(f"djdt:{view}")
    except NoReverseMatch:
        return ""
    return f"{path}?{urlencode(query)}" if query else path


def trace_href(form: str, trace_id: str, sampled: bool | None) -> str:
    """Where a trace is shown, by the template of ``TOOLBAR["TRACE_URL"]``.

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
