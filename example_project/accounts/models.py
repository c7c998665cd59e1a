from __future__ import annotations

from django.contrib.auth.models import User
from django.db import models


class Profile(models.Model):
    """What the shop knows of a customer beside the login."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="profile")
    verified_at = models.DateTimeField(null=True, blank=True, help_text="E-mail verified")

    def __str__(self) -> str:
        return str(self.user)
