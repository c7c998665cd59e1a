from __future__ import annotations

from django.db import models


class Order(models.Model):
    item = models.CharField(max_length=50)

    class Meta:
        app_label = "otlp_shop"

    def __str__(self) -> str:
        return self.item


class Note(models.Model):
    """What receivers write, so that each of them has a statement of its own to show."""

    text = models.CharField(max_length=50)

    class Meta:
        app_label = "otlp_shop"

    def __str__(self) -> str:
        return self.text
