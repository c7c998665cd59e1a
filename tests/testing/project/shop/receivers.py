from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from shop.signals import order_completed, order_placed  # type: ignore[import-not-found]


@receiver(order_placed)
def award_points(user: str, **kwargs: Any) -> None:
    if user == "grace":
        raise LookupError("no account")


@receiver(order_placed)
def log_order(**kwargs: Any) -> None: ...


@receiver(order_completed)
def send_invoice_email(**kwargs: Any) -> None: ...
