from __future__ import annotations

from urllib.parse import urljoin

from django.core.mail import send_mail
from django.dispatch import receiver
from django.urls import reverse

from accounts.services import verification_token
from accounts.signals import user_registered, user_verified


@receiver(user_registered)
def send_verification_email(sender, user, site, **kwargs):
    path = reverse("accounts:verify", args=[verification_token(user)])
    return send_mail(
        subject="Is this your address?",
        message=f"Please follow this link:\n\n{urljoin(site, path)}",
        from_email=None,
        recipient_list=[user.email],
    )


@receiver(user_verified)
def send_welcome_email(sender, user, **kwargs):
    return send_mail(
        subject="Welcome aboard",
        message=f"Dear {user.username},\n\nwelcome to Bunting.",
        from_email=None,
        recipient_list=[user.email],
    )
