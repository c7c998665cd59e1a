from __future__ import annotations

from django.core.mail import send_mail
from django.dispatch import receiver

from payments.signals import payment_failed


@receiver(payment_failed)
def alert_user(sender, user, amount, reason, **kwargs):
    return send_mail(
        subject="Your payment did not work",
        message=f"We could not take {amount}. {reason}",
        from_email=None,
        recipient_list=[user.email],
    )
