"""``SignalInspectorPanel``: collects a request's dispatches and hands them to the toolbar.

Any error in here is reported and counted, and the request is still answered: the toolbar itself
would let an exception of a panel break the user's response.
"""

# mypy: disallow-untyped-calls=False
# (the toolbar annotates its own methods only in part)
from __future__ import annotations

from typing import Any

from debug_toolbar import settings as toolbar_settings
from debug_toolbar.panels import Panel
from django.apps import apps
from django.conf import settings
from django.core.checks import (
    CheckMessage,
    Warning,  # noqa: A004 - Django's name for it
)
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString

from signal_inspector import toolbar as room
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.captures import Capture
from signal_inspector.core.listening.context import close_capture, open_capture, suppress
from signal_inspector.core.record.ids import perf_counter_ns, time
from signal_inspector.core.record.values import Details
from signal_inspector.display.numbers import dispatch_count, duration, integer, plural

PANEL = "signal_inspector.toolbar.SignalInspectorPanel"


class SignalInspectorPanel(Panel):
    """Every custom signal that a request sent, and what its receivers did."""

    is_async = True
    title = "Signal Inspector"
    nav_title = "Signal Inspector"
    # Read by toolbar 8.0 and later, whose base class has None here.
    nav_icon = "signal_inspector/signal_inspector.svg"  # type: ignore[assignment]
    template = "signal_inspector/panel.html"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._opened: Capture | None = None
        self._started = 0.0
        self._start_ns = 0
        self._end_ns = 0

    # Collecting

    def enable_instrumentation(self) -> None:
        """Collect the dispatches of this request's context, and no others."""
        if self._opened is not None:
            return
        try:
            details = Details.ALL
            if not toolbar_settings.get_config()["ENABLE_STACKTRACES"]:
                details &= ~Details.STACK
            opened = Capture(details)
            self._started, self._start_ns = time(), perf_counter_ns()
            open_capture(opened)
            self._opened = opened
        except Exception as error:
            internal_errors.report("starting the panel", error)

    def disable_instrumentation(self) -> None:
        """Stop collecting. A dispatch that is still running then is shown as running."""
        if self._opened is None or self._end_ns:
            return
        try:
            self._end_ns = perf_counter_ns()
            close_capture(self._opened)
        except Exception as error:
            internal_errors.report("stopping the panel", error)

    def generate_stats(self, request: HttpRequest, response: HttpResponse) -> None:
        """Store the dispatches as plain data."""
        if self._opened is None:
            return
        try:
            with suppress():
                self._store(self._opened, request, response)
        except Exception as error:
            internal_errors.report("storing a request", error)

    def _store(self, opened: Capture, request: HttpRequest, response: HttpResponse) -> None:
        end_ns = self._end_ns or perf_counter_ns()
        dispatches = list(opened.dispatches)
        summary = room.summarize(
            request,
            response,
            dispatches,
            started=self._started,
            start_ns=self._start_ns,
            duration_ns=end_ns - self._start_ns,
            dropped=opened.dropped,
            limit=opened.limit,
        ).as_dict()
        self.record_stats({"request": summary, "packed": room.pack(dispatches)})
        if dispatches:
            toolbar = self.toolbar
            toolbar.store.save_panel(toolbar.request_id, room.SUMMARY_ID, summary)

    def generate_server_timing(
        self,
        request: HttpRequest,  # noqa: ARG002 - the toolbar passes both
        response: HttpResponse,  # noqa: ARG002
    ) -> None:
        """Send the time in dispatches to the browser's developer tools."""
        told = self._request()
        if told is not None and told.dispatches:
            title = plural(told.dispatches, "signal dispatch", "signal dispatches")
            self.record_server_timing("dispatches", title, round(told.busy_ns / 1e6, 3))

    # Showing

    def _request(self) -> room.StoredRequest | None:
        try:
            data = self.get_stats().get("request")
            return None if data is None else room.stored_request(data)
        except Exception as error:
            internal_errors.report("reading a stored request", error)
            return None

    @property
    def nav_subtitle(self) -> str:
        """The text in the side bar: "17 dispatches, 485.8 ms, 2 failed"."""
        told = self._request()
        if told is None:
            return room.internal_error_text()
        if not told.dispatches:
            return "nothing sent"
        sent = dispatch_count(told.dispatches)
        failed = f", {integer(told.failed)}\N{NO-BREAK SPACE}failed" if told.failed else ""
        # The side bar has space for about 33 characters.
        took = duration(told.busy_ns).replace(" ", "\N{NO-BREAK SPACE}")
        return f"{sent}, {took}{failed}"

    @property
    def content(self) -> SafeString:
        """The panel, or a sentence if the panel cannot be shown."""
        try:
            with suppress():
                stats = self.get_stats()
                view = room.panel_view(stats, self.toolbar.request_id, self.toolbar.store)
                return room.printable(render_to_string(self.template, {"view": view}))
        except Exception as error:
            internal_errors.report("showing the panel", error)
            return self._internal_error()

    def _internal_error(self) -> SafeString:
        text = room.internal_error_text()
        try:
            with suppress():
                page = render_to_string(
                    "signal_inspector/internal_error.html", {"internal_error": text}
                )
                return room.printable(page)
        except Exception as error:
            internal_errors.report("showing the panel's own failures", error)
            return format_html("<p>{}</p>", text)

    @property
    def scripts(self) -> list[str]:
        """The panel's script, an external module."""
        found: list[str] = super().scripts
        try:
            found.append(static("signal_inspector/panel.js"))
        except Exception as error:
            internal_errors.report("finding the panel's script", error)
        return found

    @classmethod
    def get_urls(cls) -> list[URLPattern]:
        """The panel's own views."""
        return room.urlpatterns

    @classmethod
    def run_checks(cls) -> list[CheckMessage]:
        """Check the set-up of the panel."""
        return check_panel()


def check_panel() -> list[CheckMessage]:
    """W004: the panel is listed, but its app is not installed.

    The app cannot register this check, as it is not installed when the check matters. So the
    panel gives the check to the toolbar, which runs the checks of its panels.
    """
    panels = getattr(settings, "DEBUG_TOOLBAR_PANELS", None)
    if not isinstance(panels, (list, tuple)) or PANEL not in panels:
        return []
    if apps.is_installed("signal_inspector"):
        return []
    return [
        Warning(
            f"DEBUG_TOOLBAR_PANELS contains {PANEL}, but INSTALLED_APPS does not contain "
            "signal_inspector: no dispatch will be recorded.",
            hint='Add "signal_inspector" to INSTALLED_APPS.',
            id="signal_inspector.W004",
        )
    ]
