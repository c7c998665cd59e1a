"""Signing up, and showing that an e-mail address is one's own."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.utils import timezone

from accounts.models import Profile
from accounts.signals import user_registered, user_verified

SALT = "accounts.verify"
TOKEN_SECONDS = 3 * 24 * 60 * 60


def register(*, username: str, email: str, password: str, site: str) -> User:
    """A new customer, whose address is still to be verified."""
    with transaction.atomic():
        user = User.objects.create_user(username, email, password)
        Profile.objects.create(user=user)
    user_registered.send(sender=User, user=user, site=site)
    return user


def verification_token(user: User) -> str:
    return signing.dumps(user.pk, salt=SALT)


def user_of_token(token: str) -> User | None:
    """Whose token it is; None when it is too old, or not ours."""
    try:
        pk = signing.loads(token, salt=SALT, max_age=TOKEN_SECONDS)
    except signing.BadSignature:
        return None
    return User.objects.filter(pk=pk).first()


def verify(user: User) -> bool:
    """Note that the address is verified; False when it was before."""
    profiles = Profile.objects.filter(user=user, verified_at=None)
    if not profiles.update(verified_at=timezone.now()):
        return False
    user_verified.send(sender=User, user=user)
    return True
