from __future__ import annotations

from django.contrib.auth.models import User
from django.db import models
from django.utils import timezone

from shop.models import Product


class CommentQuerySet(models.QuerySet):
    def waiting(self) -> CommentQuerySet:
        """Comments that were reported and that no moderator has decided on."""
        return self.filter(flagged=True, removed=False)


class Comment(models.Model):
    """What a customer says of a product."""

    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(User, on_delete=models.CASCADE, related_name="comments")
    text = models.CharField(max_length=300)
    created_at = models.DateTimeField(default=timezone.now)
    flagged = models.BooleanField(default=False, help_text="Waits for a moderator")
    removed = models.BooleanField(default=False, help_text="A moderator took it away")

    objects = CommentQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.text
