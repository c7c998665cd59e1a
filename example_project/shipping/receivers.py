"""Async receivers: those of one dispatch wait at the same time, not one after the other."""

from __future__ import annotations

import asyncio

from django.dispatch import receiver

from shipping.signals import parcel_tracked
from shop.signals import order_completed


@receiver(order_completed)
async def book_courier(sender, order, **kwargs):
    await asyncio.sleep(0.06)  # the courier's system answers
    return f"parcel-{order.pk:06}"


@receiver(order_completed)
async def reserve_delivery_slot(sender, order, **kwargs):
    await asyncio.sleep(0.04)
    return "tomorrow, 8 to 12"


@receiver(parcel_tracked)
async def ask_courier(sender, order, **kwargs):
    await asyncio.sleep(0.12)
    return f"The courier has parcel-{order.pk:06} in its van."


@receiver(parcel_tracked)
async def forecast_arrival(sender, order, **kwargs):
    await asyncio.sleep(0.08)
    lines = await order.lines.acount()
    return f"{lines} kinds of flags should arrive tomorrow between 8 and 12."
