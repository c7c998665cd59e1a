from __future__ import annotations

import asyncio
from typing import Any

from django.dispatch import receiver

from tests.otlp.shop import signals
from tests.otlp.shop.models import Note, Order

#: Whom exceptions speak of, in their messages alone: no line of code that raises one holds it.
OWNER = "ada@example.com"


class CardDeclined(Exception):
    """Says whose card it is."""


@receiver(signals.order_placed)
def reserve_stock(order: Order, **named: Any) -> None:
    Note.objects.create(text=f"reserved {order.item}")


@receiver(signals.order_placed)
def count_order(**named: Any) -> int:
    return 1


@receiver(signals.order_placed)
def send_invoice(order: Order, **named: Any) -> None:
    Order.objects.filter(pk=order.pk).update(item=f"{order.item}, invoiced")
    signals.invoice_sent.send(sender=Order, order=order)


@receiver(signals.invoice_sent)
def archive_invoice(order: Order, **named: Any) -> None:
    Note.objects.create(text=f"invoice of {order.item}")


@receiver(signals.order_refused)
def look_at_order(**named: Any) -> None:
    Order.objects.count()


@receiver(signals.order_refused)
def charge_card(**named: Any) -> None:
    raise CardDeclined(f"the card of {OWNER}")


@receiver(signals.order_refused)
def never_runs(**named: Any) -> None:
    Note.objects.create(text="never written")


@receiver(signals.order_cancelled)
def refund(**named: Any) -> None:
    raise CardDeclined(f"the card of {OWNER}")


@receiver(signals.order_cancelled)
def restock(**named: Any) -> None:
    Note.objects.create(text="back in stock")


@receiver(signals.order_paid)
def close_order(**named: Any) -> None:
    Note.objects.create(text="closed")


@receiver(signals.order_paid)
async def thank(**named: Any) -> None:
    await asyncio.sleep(0)
    await Note.objects.acreate(text="thank you")


@receiver(signals.order_paid)
async def tell_warehouse(**named: Any) -> None:
    await asyncio.sleep(0)
    await Note.objects.acount()
