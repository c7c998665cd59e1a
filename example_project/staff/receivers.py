from __future__ import annotations

from django.dispatch import receiver

from payments.signals import payment_failed
from staff.models import DashboardEntry


@receiver(payment_failed)
def log_to_dashboard(sender, user, amount, **kwargs):
    text = f"A payment of {amount} by {user} failed."
    return DashboardEntry.objects.create(text=text)
