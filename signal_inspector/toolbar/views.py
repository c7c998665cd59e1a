"""The panel's own views: rows that were not in the page, and dispatches as JSON."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from debug_toolbar.decorators import render_with_toolbar_language, require_show_toolbar
from debug_toolbar.store import get_store
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import path

from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import suppress
from signal_inspector.core.record.dispatch import document
from signal_inspector.toolbar.cells import printable
from signal_inspector.toolbar.requests import PANEL_ID, unpack
from signal_inspector.toolbar.timeline import Row
from signal_inspector.toolbar.view import Story, story

View = Callable[[HttpRequest], HttpResponse]

# The toolbar's decorators have no annotations.
_for_who_sees_it: Callable[[View], View] = require_show_toolbar
_in_its_language: Callable[[View], View] = render_with_toolbar_language

_GONE = "The toolbar no longer keeps this request. Reload the page and try again."
_NO_ROW = "This request has no such row."
_NO_DISPATCH = "This request has no such dispatch."


def _toolbar_view(view: View) -> View:
    """Allow the view only to users who see the toolbar; respond in JSON even to a failure."""

    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        try:
            with suppress():
                return view(request)
        except Exception as error:
            internal_errors.report(f"the view {view.__name__}", error)
            return _error('Signal Inspector failed here. See the logger "signal_inspector".', 500)

    return login_not_required(_for_who_sees_it(_in_its_language(guarded)))


def _error(text: str, status: int = 404) -> JsonResponse:
    return JsonResponse({"error": text}, status=status)


def _stats(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    request_id = request.GET.get("request_id", "")
    return request_id, get_store().panel(request_id, PANEL_ID) if request_id else {}


@_toolbar_view
def si_rows(request: HttpRequest) -> HttpResponse:
    """Rows of the timeline: ``{"html": "<tr>..."}``.

    ``row`` is the id of the row whose children to return; ``offset`` asks for more dispatches of
    that group, or of the top if ``row`` is empty.
    """
    request_id, stats = _stats(request)
    if not stats:
        return _error(_GONE)
    rows = _rows(story(stats, request_id), request.GET.get("row", ""), _offset(request))
    if rows is None:
        return _error(_NO_ROW)
    context = {"rows": rows, "uid": request_id}
    return JsonResponse(
        {"html": printable(render_to_string("signal_inspector/rows.html", context))}
    )


def _offset(request: HttpRequest) -> int | None:
    text = request.GET.get("offset", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _rows(told: Story, row: str, offset: int | None) -> list[Row] | None:
    timeline = told.timeline()
    if not row:
        return None if offset is None else timeline.top_rows(offset)
    node = told.tree.find(row)
    if node is None:
        return None
    return timeline.rows_under(node) if offset is None else timeline.more_rows(node, offset)


@_toolbar_view
def si_json(request: HttpRequest) -> HttpResponse:
    """A JSON file with all dispatches of a request, or only the one with the id ``dispatch``."""
    request_id, stats = _stats(request)
    if not stats:
        return _error(_GONE)
    around = {**stats["request"], "id": request_id}
    dispatches = unpack(stats["packed"])
    wanted = request.GET.get("dispatch")
    if wanted is not None:
        dispatches = [dispatch for dispatch in dispatches if dispatch.id_text == wanted]
        if not dispatches:
            return _error(_NO_DISPATCH)
    found = [document(dispatch.as_dict(), request=around) for dispatch in dispatches]
    response = JsonResponse(
        found if wanted is None else found[0], safe=False, json_dumps_params={"indent": 2}
    )
    name = f"signals-{request_id[:8]}.json" if wanted is None else f"signal-{wanted}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


urlpatterns = [
    path("signal_inspector/rows/", si_rows, name="si_rows"),
    path("signal_inspector/dispatches.json", si_json, name="si_json"),
]
