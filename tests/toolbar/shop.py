"""Signals, receivers and views for the tests that go through the real toolbar."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

from asgiref.sync import sync_to_async
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

order_placed = Signal()
stock_low = Signal()
nobody_listens = Signal()

PAGE = "<!doctype html><html><head><title>x</title></head><body>ok</body></html>"
HOSTILE = "</pre><script>alert(1)</script>\"'><img src=x onerror=alert(2)>\0\ud800 {{ 7|add:7 }}"
TOKEN = "secret-token"

#: Requests that are to run at the same time meet here.
meeting = threading.Barrier(1)


class Order:
    """The usual sender."""


class HostileError(Exception):
    """Raised with markup in its message."""


def log_order(sender: object, **named: object) -> str:
    return "logged"


def reserve(sender: object, **named: object) -> None:
    stock_low.send(sender, left=1)


def break_down(sender: object, **named: object) -> None:
    raise HostileError(HOSTILE)


def never(sender: object, **named: object) -> None:
    """Connected after one that raises."""


def reorder(sender: object, **named: object) -> dict[str, int]:
    return {"ordered": 3}


async def ship(sender: object, **named: object) -> str:
    await asyncio.sleep(0)
    stock_low.send(sender, left=2)
    return "shipped"


for receiver in (log_order, reserve, break_down, never):
    order_placed.connect(receiver)
stock_low.connect(reorder)

shipped = Signal()
shipped.connect(ship)
shipped.connect(log_order)


def checkout(request: HttpRequest) -> HttpResponse:
    """A swallowed failure, a stop, a group, an orphan, nested dispatches."""
    order_placed.send_robust(Order, order=1, note=HOSTILE, token=TOKEN)
    with suppress(HostileError):
        order_placed.send(Order, order=2)
    for number in range(12):
        stock_low.send(Order, left=number)
    nobody_listens.send(Order)
    return HttpResponse(PAGE)


async def async_checkout(request: HttpRequest) -> HttpResponse:
    await shipped.asend(Order, order=1)
    await sync_to_async(stock_low.send)(Order, left=5)
    return HttpResponse(PAGE)


def quiet(request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE)


def data(request: HttpRequest) -> HttpResponse:
    stock_low.send(Order, left=5)
    return HttpResponse("{}", content_type="application/json")


def fail(request: HttpRequest) -> HttpResponse:
    stock_low.send(Order, left=5)
    raise RuntimeError("the view itself")


def meet(request: HttpRequest, name: str) -> HttpResponse:
    for number in range(5):
        meeting.wait(timeout=60)
        stock_low.send(Order, who=name, number=number)
    return HttpResponse(PAGE)


async def async_meet(request: HttpRequest, name: str) -> HttpResponse:
    for number in range(5):
        await asyncio.sleep(0.001)
        await stock_low.asend(Order, who=name, number=number)
    return HttpResponse(PAGE)


def many(request: HttpRequest, count: int) -> HttpResponse:
    for number in range(count):
        stock_low.send(Order, left=number)
    return HttpResponse(PAGE)


urlpatterns = [
    path("checkout/", checkout),
    path("async-checkout/", async_checkout),
    path("quiet/", quiet),
    path("data/", data),
    path("fail/", fail),
    path("meet/<str:name>/", meet),
    path("async-meet/<str:name>/", async_meet),
    path("many/<int:count>/", many),
    path("", include("tests.urls")),
]
