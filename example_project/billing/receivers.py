from __future__ import annotations

from django.core.mail import send_mail
from django.dispatch import receiver

from shop.signals import order_completed


@receiver(order_completed)
def send_invoice_email(sender, order, user, **kwargs):
    lines = [f"{line}: {line.total}" for line in order.lines.select_related("product")]
    send_mail(
        subject=f"Invoice for order #{order.id}",
        message="\n".join([*lines, "", f"Total: {order.total}"]),
        from_email=None,
        recipient_list=[user.email],
    )
    print(f"Invoice sent to {user.email} for order #{order.id}")
