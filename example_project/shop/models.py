from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import User
from django.db import models
from django.urls import reverse
from django.utils import timezone


class Product(models.Model):
    """A signal flag."""

    sku = models.CharField("SKU", max_length=20, unique=True)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=60)
    letter = models.CharField(max_length=1, blank=True, help_text="What it spells, if anything")
    meaning = models.CharField(max_length=200, help_text="What it says when flown alone")
    price = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("shop:product", args=[self.slug])


class Order(models.Model):
    """A basket that somebody has bought."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="orders")
    name = models.CharField(max_length=100)
    address = models.CharField(max_length=200)
    channel = models.CharField(max_length=20)
    discount_percent = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def total(self) -> Decimal:
        """What the customer pays."""
        full = sum((line.total for line in self.lines.all()), Decimal(0))
        return (full * (100 - self.discount_percent) / 100).quantize(Decimal("0.01"))


class OrderLine(models.Model):
    """One kind of flag in an order, at the price of that day."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="order_lines")
    quantity = models.PositiveIntegerField()
    price = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"

    @property
    def total(self) -> Decimal:
        return self.quantity * self.price
