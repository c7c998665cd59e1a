"""What customers are told."""

from __future__ import annotations

from django.core.mail import send_mail
from django.dispatch import receiver

from coupons.signals import coupon_redeemed
from shop.signals import order_completed


@receiver(coupon_redeemed)
def confirm_coupon(sender, coupon, order, user, **kwargs):
    """Not called when coupons.receivers.check_velocity has raised before."""
    return send_mail(
        subject=f"{coupon} saves you {coupon.percent}%",
        message=f"Your coupon {coupon} is good for order #{order.pk}.",
        from_email=None,
        recipient_list=[user.email],
    )


@receiver(order_completed)
def send_thank_you_email(sender, order, user, **kwargs):
    """Connected twice: see notifications/apps.py."""
    return send_mail(
        subject=f"Thank you for order #{order.pk}",
        message=f"Dear {order.name},\n\nyour flags will be on their way today.\n\nBunting",
        from_email=None,
        recipient_list=[user.email],
    )
