from __future__ import annotations

from guide.testing import ShopTestCase
from loyalty.models import LoyaltyAccount
from shop.models import Order
from shop.services import Checkout, TelephoneCheckout
from shop.signals import order_placed


class LoyaltyTest(ShopTestCase):
    def points(self) -> int:
        return LoyaltyAccount.objects.get(user=self.ada).points

    def test_an_order_earns_points(self):
        """A customer with an account gets a point for each pound."""
        before = self.points()
        self.client.force_login(self.ada)
        self.buy("C")
        self.assertEqual(self.points(), before + 21)

    def test_a_missing_account_loses_no_order(self):
        """award_points raises, send_robust() logs it, and the order is placed."""
        self.client.force_login(self.grace)
        orders = Order.objects.count()
        with self.assertLogs("django.dispatch", "ERROR") as logs:
            self.buy("C")
        self.assertIn("award_points", logs.output[0])
        self.assertEqual(Order.objects.count(), orders + 1)

    def test_points_for_patience(self):
        """award_points_for_patience hears of orders by telephone only."""
        order = self.ada.orders.first()
        for sender, extra in [(Checkout, 0), (TelephoneCheckout, 50)]:
            before = self.points()
            order_placed.send(sender=sender, order=order, user=self.ada, channel="test")
            self.assertEqual(self.points(), before + int(order.total) + extra)
