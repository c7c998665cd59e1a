from __future__ import annotations

from django.db import models

from shop.exceptions import CheckoutRefused
from shop.models import Order


class CouponAbuse(CheckoutRefused):
    """A coupon was used more often than it may be."""

    field = "coupon"


class Coupon(models.Model):
    code = models.CharField(max_length=20, unique=True)
    percent = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return self.code


class Redemption(models.Model):
    """A coupon that was used for an order."""

    coupon = models.ForeignKey(Coupon, on_delete=models.CASCADE, related_name="redemptions")
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="redemptions")

    def __str__(self) -> str:
        return f"{self.coupon} for {self.order}"
