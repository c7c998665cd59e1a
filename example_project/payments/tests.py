from __future__ import annotations

from django.core import mail

from guide.testing import DECLINED_CARD, ShopTestCase, listening_to
from payments.receivers import alert_user
from payments.signals import payment_captured, payment_failed
from shop.services import Checkout
from shop.signals import order_completed, order_placed
from signal_inspector.testing import DispatchesMixin, inject_failure
from staff.models import DashboardEntry
from staff.receivers import log_to_dashboard


class PaymentTest(ShopTestCase):
    def setUp(self):
        self.client.force_login(self.grace)

    def test_a_failed_payment(self):
        """payment_failed alerts the customer and is logged to the dashboard, rollback or not."""
        with listening_to(payment_failed, sender=Checkout) as noted:
            self.buy("C", card=DECLINED_CARD)
        noted.assert_called_once()
        self.assertEqual([letter.subject for letter in mail.outbox], ["Your payment did not work"])
        self.assertEqual(mail.outbox[0].to, [self.grace.email])
        entry = DashboardEntry.objects.get()
        self.client.force_login(self.admin)
        self.assertContains(self.client.get("/staff/"), entry.text)

    def test_the_card_number_goes_nowhere(self):
        """Receivers get a token in the place of the card's number."""
        with listening_to(payment_captured) as noted:
            self.buy("C")
        token = noted.call_args.kwargs["card_token"]
        self.assertTrue(token.startswith("tok_"))
        self.assertNotIn("4242", token)

    def test_an_orphan(self):
        """Nobody listens to payment_captured, and the order is placed all the same."""
        self.assertFalse(payment_captured.has_listeners(Checkout))
        self.assertEqual(self.buy("C").status_code, 302)


class PaymentFailedTest(DispatchesMixin, ShopTestCase):
    def setUp(self):
        self.client.force_login(self.ada)

    def test_alert_and_dashboard(self):
        """payment_failed comes after order_placed, and no order is completed."""
        self.buy("C", card=DECLINED_CARD)
        self.assert_sent_in_order([order_placed, payment_failed])
        failed = self.assert_sent(payment_failed, sender=Checkout, payload={"user": self.ada})
        self.assertGreater(failed.payload["amount"], 0)
        self.assertEqual([call.receiver for call in failed.calls], [alert_user, log_to_dashboard])
        self.assert_not_sent(order_completed)
        self.assert_not_sent(payment_captured)

    def test_the_alert_fails(self):
        """A customer who cannot be alerted is on the dashboard all the same."""
        with inject_failure(alert_user, ConnectionRefusedError) as injected:
            self.buy("C", card=DECLINED_CARD)
        self.assertEqual(injected.calls, 1)
        self.assert_failed(alert_user, ConnectionRefusedError, signal=payment_failed)
        self.assert_received(log_to_dashboard)
        self.assertEqual(DashboardEntry.objects.count(), 1)
