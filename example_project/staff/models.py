from __future__ import annotations

from django.db import models
from django.utils import timezone


class DashboardEntry(models.Model):
    """Something that the staff should look at."""

    text = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "dashboard entries"

    def __str__(self) -> str:
        return self.text
