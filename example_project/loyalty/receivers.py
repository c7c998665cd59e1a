from __future__ import annotations

from django.dispatch import receiver

from accounts.signals import user_verified
from loyalty.models import LoyaltyAccount
from shop.services import TelephoneCheckout
from shop.signals import order_placed


@receiver(user_verified)
def open_account(sender, user, **kwargs):
    return LoyaltyAccount.objects.get_or_create(user=user)[0]


@receiver(order_placed)
def award_points(sender, order, user, **kwargs):
    """Raises DoesNotExist for customers older than the scheme: send_robust() swallows it."""
    account = LoyaltyAccount.objects.get(user=user)
    account.points += int(order.total)
    account.save(update_fields=["points"])
    return account.points


@receiver(order_placed, sender=TelephoneCheckout)
def award_points_for_patience(sender, user, **kwargs):
    """Fifty points more for who waited on the telephone; orders on the web never get here."""
    account = LoyaltyAccount.objects.get(user=user)
    account.points += 50
    account.save(update_fields=["points"])
