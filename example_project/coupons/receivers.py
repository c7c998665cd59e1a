"""The second receiver may raise, and the signal is sent with send(): then the receivers that
other apps connected after it never run, and the order is not placed."""

from __future__ import annotations

from django.dispatch import receiver

from coupons.models import CouponAbuse
from coupons.signals import coupon_redeemed


@receiver(coupon_redeemed)
def mark_used(sender, coupon, order, **kwargs):
    return coupon.redemptions.create(order=order)


@receiver(coupon_redeemed)
def check_velocity(sender, coupon, user, **kwargs):
    times = coupon.redemptions.filter(order__user=user).count()
    if times > 1:
        raise CouponAbuse(f"You have used {coupon} before, and it is good for one order.")
