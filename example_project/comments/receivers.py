from __future__ import annotations

from django.contrib.auth.models import User
from django.core.mail import send_mail
from django.dispatch import receiver

from comments.signals import comment_flagged


@receiver(comment_flagged)
def notify_moderators(sender, comment, user, **kwargs):
    moderators = User.objects.filter(is_superuser=True).values_list("email", flat=True)
    return send_mail(
        subject=f"A comment on {comment.product} was reported",
        message=f"{user} reports: “{comment.text}” by {comment.author}",
        from_email=None,
        recipient_list=list(moderators),
    )
