"""What 5,000 dispatches with two receivers each cost the panel.

Run it with ``python -m tests.benchmarks.panel_5000``.

Three requests: one loop, a loop that sends two signals and one of them nested, and the worst
case, where no dispatch is like another and nothing can be grouped. "view ms" is the view model
made for the first time, "show ms" the whole panel as the toolbar gets it, view included.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from time import perf_counter

import django
from django.dispatch import Signal

DISPATCHES = 5_000

imported = Signal()
priced = Signal()
many = [Signal() for _ in range(500)]


class Product:
    """Stands for a sender."""


def index_product(sender: object, **named: object) -> str:
    return "indexed"


def recalculate(sender: object, **named: object) -> None:
    if named.get("nested"):
        priced.send(Product, product=named["product"])


def notify(sender: object, **named: object) -> None:
    if named["product"] == 1307:
        raise ValueError("shard 2 did not answer")


def one_loop() -> None:
    for number in range(DISPATCHES):
        imported.send_robust(Product, product=number, name=f"product {number}")


def two_signals() -> None:
    for number in range(DISPATCHES // 2):
        imported.send_robust(Product, product=number, name=f"product {number}", nested=True)


def all_different() -> None:
    for number in range(DISPATCHES):
        many[number % 500].send_robust(type(f"Sender{number}", (), {}), product=number)


def connect() -> None:
    for signal in (imported, *many):
        signal.connect(recalculate)
        signal.connect(notify)
    priced.connect(index_product)
    priced.connect(notify)


def measure(name: str, send: Callable[[], None]) -> None:
    """Print one line of figures."""
    from debug_toolbar.store import deserialize, serialize
    from debug_toolbar.toolbar import DebugToolbar
    from django.http import HttpRequest, HttpResponse
    from django.test import RequestFactory

    from signal_inspector.toolbar.panel import SignalInspectorPanel
    from signal_inspector.toolbar.requests import unpack
    from signal_inspector.toolbar.view import panel_view

    def respond(request: HttpRequest) -> HttpResponse:
        send()
        return HttpResponse()

    started = perf_counter()
    send()
    bare = perf_counter() - started

    request = RequestFactory().get("/products/import/")
    toolbar = DebugToolbar(request, respond)
    panel = toolbar.get_panel_by_id(SignalInspectorPanel.panel_id)
    panel.enable_instrumentation()
    started = perf_counter()
    response = respond(request)
    recording = perf_counter() - started
    panel.disable_instrumentation()

    started = perf_counter()
    panel.generate_stats(request, response)
    storing = perf_counter() - started
    stored = serialize(panel.get_stats())

    started = perf_counter()
    stats = deserialize(stored)
    reading = perf_counter() - started
    started = perf_counter()
    view = panel_view(stats, toolbar.request_id, toolbar.store)
    viewing = perf_counter() - started
    started = perf_counter()
    page = panel.content
    showing = perf_counter() - started
    dispatches = unpack(stats["packed"])
    plain = len(json.dumps([dispatch.as_dict() for dispatch in panel._opened.dispatches]))
    print(
        f"{name:14} {len(dispatches):6,} {bare * 1e3:8.0f} {recording * 1e3:9.0f} "
        f"{storing * 1e3:8.0f} {len(stored) / 1e6:9.2f} {plain / 1e6:9.2f} {reading * 1e3:8.0f} "
        f"{viewing * 1e3:8.0f} {len(view.rows):6} {showing * 1e3:8.0f} {len(page) / 1e3:8.0f}"
    )


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    connect()
    print(
        f"{'request':14} {'kept':>6} {'bare ms':>8} {'record ms':>9} {'store ms':>8} "
        f"{'stored MB':>9} {'plain MB':>9} {'read ms':>8} {'view ms':>8} {'rows':>6} "
        f"{'show ms':>8} {'html kB':>8}"
    )
    measure("one loop", one_loop)
    measure("nested", two_signals)
    measure("all different", all_different)


if __name__ == "__main__":
    main()
