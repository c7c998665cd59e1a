from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from traces.files import forget, lines
from traces.spans import Kind, Recorded, read
from traces.waterfall import MOST_ROWS, Trace, nest, newest_first

if settings.WITH_TELEMETRY:
    from config import telemetry

NEWEST = 100  # how many are listed


def traces(request: HttpRequest) -> HttpResponse:
    """The last traces, whoever's they are: there are no secrets in a demo."""
    if request.method == "POST":
        _require_demo()
        forget(settings.TRACES_FILE)
        return redirect("traces:traces")
    recorded = _recorded()
    found = newest_first(recorded.traces)
    only_signals = "signals" in request.GET
    wanted = [trace for trace in found if trace.signals or not only_signals]
    context = {
        "traces": wanted[:NEWEST],
        "hidden": len(wanted[NEWEST:]),
        "only_signals": only_signals,
        "broken": recorded.broken,
    }
    return render(request, "traces/list.html", _state() | context)


def trace(request: HttpRequest, trace_id: str) -> HttpResponse:
    """One trace as a waterfall."""
    recorded = _recorded(trace_id)
    spans = recorded.traces.get(trace_id)
    if not spans:
        context = {"trace_id": trace_id, "broken": recorded.broken}
        return render(request, "traces/gone.html", _state() | context, status=404)
    found = Trace(spans)
    rows = found.lay_out()
    context = {
        "trace": found,
        "rows": nest(rows),
        "precision": 0 if found.duration_ms > 20 else 2,
        "hidden": max(len(rows) - MOST_ROWS, 0),
        "kinds": [(kind, found.kinds[kind]) for kind in Kind if found.kinds[kind]],
        "broken": recorded.broken,
    }
    return render(request, "traces/trace.html", _state() | context)


def _recorded(only: str = "") -> Recorded:
    _require_demo()
    if settings.WITH_TELEMETRY:
        telemetry.flush()
    return read(lines(settings.TRACES_FILE), only)


def _require_demo() -> None:
    if not settings.DEMO:
        raise Http404("Only the demo shows its traces to everybody.")


def _state() -> dict[str, object]:
    return {
        "missing": settings.TELEMETRY_MISSING,
        "is_on": settings.WITH_TELEMETRY,
        "file": settings.TRACES_FILE,
    }
