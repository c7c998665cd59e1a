from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from tests.otlp.shop import signals
from tests.otlp.shop.models import Order


def place(request: HttpRequest) -> HttpResponse:
    order = Order.objects.create(item="tea")
    signals.order_placed.send(sender=Order, order=order, channel="web")
    return HttpResponse("placed")


def refuse(request: HttpRequest) -> HttpResponse:
    signals.order_refused.send(sender=Order)
    return HttpResponse("never answered")


def cancel(request: HttpRequest) -> HttpResponse:
    signals.order_cancelled.send_robust(sender=Order)
    return HttpResponse("cancelled")


async def pay(request: HttpRequest) -> HttpResponse:
    await signals.order_paid.asend(sender=Order)
    return HttpResponse("paid")


def forget(request: HttpRequest) -> HttpResponse:
    signals.order_forgotten.send(sender=Order)
    return HttpResponse("forgotten")
