from __future__ import annotations

from django.db import models

from shop.exceptions import CheckoutRefused
from shop.models import Product


class OutOfStock(CheckoutRefused):
    """There is not enough of a product."""


class StockItem(models.Model):
    """How much there is of a product, and how much there should be at least."""

    product = models.OneToOneField(Product, on_delete=models.CASCADE, related_name="stock")
    quantity = models.PositiveIntegerField()
    minimum = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"


class SeasonalStockItem(StockItem):
    """Stock that is ordered once a season: the same table, but another sender."""

    class Meta:
        proxy = True
