from __future__ import annotations

from django.contrib.auth.models import User
from django.db import models


class LoyaltyAccount(models.Model):
    """A customer's points. Customers older than the scheme have no account."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="loyalty_account")
    points = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.points} points of {self.user}"
