from __future__ import annotations

from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import aget_object_or_404, render

from shipping.signals import parcel_tracked
from shop.models import Order


@login_required
async def track(request: HttpRequest, order_id: int) -> HttpResponse:
    """Where an order is, as a page or, for the button "Ask again", as JSON."""
    user = await request.auser()
    order = await aget_object_or_404(Order, pk=order_id, user=user)
    responses = await parcel_tracked.asend(sender=Order, order=order, user=user)
    answers = [response for _, response in responses if isinstance(response, str)]
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse({"answers": answers})
    context = {"order": order, "answers": answers}
    return await sync_to_async(render)(request, "shipping/track.html", context)
