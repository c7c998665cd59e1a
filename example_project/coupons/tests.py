from __future__ import annotations

from django.core import mail

from coupons.models import Redemption
from guide.demo_data import COUPON
from guide.testing import ShopTestCase, listening_to
from shop.models import Order
from shop.signals import order_completed, order_placed


class CouponTest(ShopTestCase):
    def test_a_coupon_saves_money(self):
        """The order costs less, and the customer is told."""
        self.client.force_login(self.ada)
        self.buy("C", coupon=COUPON.lower())
        self.assertEqual(str(Order.objects.first().total), "18.90")
        self.assertIn(f"{COUPON} saves you 10%", [letter.subject for letter in mail.outbox])

    def test_abuse_stops_the_order(self):
        """check_velocity raises under send(): later receivers never run, nothing is stored."""
        self.client.force_login(self.grace)
        before = Order.objects.count(), Redemption.objects.count(), self.stock("A")
        with listening_to(order_placed) as placed, listening_to(order_completed) as completed:
            response = self.buy(coupon=COUPON)
        self.assertContains(response, f"You have used {COUPON} before")
        after = Order.objects.count(), Redemption.objects.count(), self.stock("A")
        self.assertEqual(after, before)
        self.assertEqual(mail.outbox, [])
        placed.assert_not_called()
        completed.assert_not_called()
