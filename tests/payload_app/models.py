"""Models that payload tests put into arguments."""

from __future__ import annotations

import uuid

from django.db import models


class Order(models.Model):
    number = models.CharField(max_length=40)
    note = models.TextField(default="")

    def __str__(self) -> str:
        """Queries, as careless models do."""
        return f"{self.number} of {Order.objects.count()}"

    def __repr__(self) -> str:
        raise RuntimeError("a summary asked for repr()")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("a summary compared")

    def __hash__(self) -> int:
        raise RuntimeError("a summary hashed")


class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")

    def __str__(self) -> str:
        return f"line of {self.order}"


class Parcel(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)

    def __str__(self) -> str:
        return f"parcel {self.id}"


class Ticket(models.Model):
    code = models.CharField(primary_key=True, max_length=300)

    def __str__(self) -> str:
        return self.code


class AccessToken(models.Model):
    key = models.CharField(primary_key=True, max_length=40)

    def __str__(self) -> str:
        return self.key


class ExpressOrder(Order):
    """Its primary key is the link to its parent."""


class RushOrder(Order):
    """The same rows, read through a proxy."""

    class Meta:
        proxy = True


class Seat(models.Model):
    pk = models.CompositePrimaryKey("row", "place")
    row = models.IntegerField()
    place = models.CharField(max_length=3)

    def __str__(self) -> str:
        return f"{self.row}{self.place}"
