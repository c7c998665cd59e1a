from __future__ import annotations

from django.apps import AppConfig


class NotificationsConfig(AppConfig):
    name = "notifications"

    def ready(self) -> None:
        import notifications.receivers
        from notifications.newsletter import Newsletter
        from notifications.receivers import send_thank_you_email
        from shop.signals import order_completed, order_placed

        # A mistake to find: the receiver is connected in its module already. With another
        # dispatch_uid Django takes it for a second one, and customers are thanked twice.
        # `manage.py check` tells: signal_inspector.W014.
        order_completed.connect(send_thank_you_email, dispatch_uid="thank-you")

        # Another one: signals hold receivers by weak reference. Nothing else holds this object,
        # so it is gone before the first order comes. weak=False would keep it. (A lambda dies
        # in the same way, but only without DEBUG, where Django remembers its parameters.)
        # `manage.py check` tells: signal_inspector.W012.
        order_placed.connect(Newsletter().subscribe)
