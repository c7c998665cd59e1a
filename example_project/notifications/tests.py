from __future__ import annotations

from django.core import mail

from guide.testing import ShopTestCase
from shop.services import Checkout
from shop.signals import order_placed


class NotificationTest(ShopTestCase):
    def test_thanked_twice(self):
        """send_thank_you_email is connected twice: the demo shows this mistake."""
        self.client.force_login(self.ada)
        self.buy("C")
        thanks = [letter for letter in mail.outbox if letter.subject.startswith("Thank you")]
        self.assertEqual(len(thanks), 2)

    def test_a_method_of_an_object_that_is_gone(self):
        """Newsletter().subscribe was connected, and is never called: so the demo means it."""
        order = self.ada.orders.first()
        responses = order_placed.send(sender=Checkout, order=order, user=self.ada, channel="test")
        names = [receiver.__name__ for receiver, _ in responses]
        self.assertEqual(names, ["log_order", "award_points", "sync_warehouse"])
