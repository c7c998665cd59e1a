from __future__ import annotations

import asyncio
import contextlib
import io
from unittest.mock import MagicMock

from django.core import mail
from django.dispatch import Signal, receiver
from django.test import SimpleTestCase, TestCase

from billing.receivers import send_invoice_email
from guide.testing import DECLINED_CARD, ShopTestCase, listening_to
from inventory.receivers import sync_warehouse
from inventory.signals import stock_reserved, warehouse_synced
from loyalty.models import LoyaltyAccount
from loyalty.receivers import award_points, award_points_for_patience
from notifications.receivers import send_thank_you_email
from shipping.receivers import book_courier, reserve_delivery_slot
from shop.models import Order, OrderLine
from shop.receivers import log_order
from shop.services import Checkout
from shop.signals import order_completed, order_placed
from shop.views import CheckoutView
from signal_inspector.testing import (
    DispatchesMixin,
    capture_dispatches,
    delay,
    expect_swallowed,
    inject_failure,
    only,
)

my_signal = Signal()


class CustomSignalTest(TestCase):
    def test_custom_signal(self):
        """A mock that is connected is called when the signal is sent."""
        mock_handler = MagicMock()
        my_signal.connect(mock_handler)

        my_signal.send(sender=self.__class__, data="test")
        mock_handler.assert_called_once()

    def test_a_signal_without_arguments(self):
        """A signal needs no argument but its sender."""
        with listening_to(my_signal) as noted:
            my_signal.send(sender=self.__class__)
        noted.assert_called_once_with(signal=my_signal, sender=self.__class__)


class SendTest(SimpleTestCase):
    def setUp(self):
        self.signal = Signal()
        self.calls = []

        @receiver(self.signal)
        def fails(sender, **kwargs):
            raise ValueError("no")

        @receiver(self.signal)
        def works(sender, **kwargs):
            self.calls.append(sender)
            return "yes"

        self.fails, self.works = fails, works

    def test_send_raises(self):
        """send() raises what a receiver raises, and the receivers after it never run."""
        with self.assertRaisesMessage(ValueError, "no"):
            self.signal.send(sender=None)
        self.assertEqual(self.calls, [])

    def test_send_robust_goes_on(self):
        """send_robust() logs and returns what a receiver raises, and calls the next one."""
        with self.assertLogs("django.dispatch", "ERROR"):
            responses = dict(self.signal.send_robust(sender=None))
        self.assertIsInstance(responses[self.fails], ValueError)
        self.assertEqual(responses[self.works], "yes")

    def test_asend_and_asend_robust(self):
        """The async methods call plain functions too, and robust means the same."""
        with self.assertRaisesMessage(ValueError, "no"):
            asyncio.run(self.signal.asend(sender=None))
        with self.assertLogs("django.dispatch", "ERROR"):
            responses = dict(asyncio.run(self.signal.asend_robust(sender=None)))
        self.assertEqual(responses[self.works], "yes")

    def test_providing_args_is_gone(self):
        """Signals do not declare their arguments any more."""
        with self.assertRaises(TypeError):
            Signal(providing_args=["order", "user"])


class CheckoutTest(ShopTestCase):
    def setUp(self):
        self.client.force_login(self.ada)

    def test_an_order_is_completed(self):
        """The view sends order_completed with order and user, then redirects."""
        with listening_to(order_completed) as noted:
            response = self.buy()
        order = Order.objects.first()
        self.assertRedirects(response, f"/orders/{order.pk}/thanks/")
        noted.assert_called_once_with(
            signal=order_completed, sender=CheckoutView, order=order, user=self.ada
        )

    def test_an_order_is_placed(self):
        """The service sends order_placed, with its class as the sender."""
        with listening_to(order_placed, sender=Checkout) as noted:
            self.buy()
        self.assertEqual(noted.call_args.kwargs["order"], Order.objects.first())
        self.assertEqual(noted.call_args.kwargs["channel"], "web")

    def test_the_receiver_of_the_invoice(self):
        """send_invoice_email writes to the customer, and says so."""
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self.buy()
        order = Order.objects.first()
        invoices = [letter for letter in mail.outbox if letter.subject.startswith("Invoice")]
        self.assertEqual([invoice.to for invoice in invoices], [[self.ada.email]])
        self.assertIn(f"Total: {order.total}", invoices[0].body)
        self.assertIn(
            f"Invoice sent to {self.ada.email} for order #{order.id}", printed.getvalue()
        )

    def test_stock_is_reserved_line_by_line(self):
        """stock_reserved is sent once for every line, and the shelf is emptier then."""
        before = self.stock("A")
        with listening_to(stock_reserved, sender=OrderLine) as noted:
            self.buy("ALABAMA")
        self.assertEqual(noted.call_count, 4)
        self.assertEqual(self.stock("A"), before - 4)

    def test_async_receivers_of_a_sync_send(self):
        """send() waits for async receivers, and returns what they return."""
        self.buy()
        order = Order.objects.first()
        responses = order_completed.send(sender=CheckoutView, order=order, user=self.ada)
        answers = [response for _, response in responses]
        self.assertEqual(answers[-2:], [f"parcel-{order.pk:06}", "tomorrow, 8 to 12"])

    def test_a_declined_card_rolls_back(self):
        """Nothing of an order is left when the bank declines, and the basket stays."""
        orders, stock = Order.objects.count(), self.stock("A")
        with listening_to(order_completed) as noted:
            response = self.buy(card=DECLINED_CARD)
        self.assertContains(response, "The bank has declined this card.")
        self.assertEqual((Order.objects.count(), self.stock("A")), (orders, stock))
        self.assertEqual(len(response.context["lines"]), 4)
        noted.assert_not_called()

    def test_an_empty_basket_is_not_for_sale(self):
        """The checkout sends a visitor without flags back to the basket."""
        self.assertRedirects(self.client.get("/checkout/"), "/basket/")
        self.assertRedirects(self.client.post("/checkout/"), "/basket/")

    def test_a_bad_form_is_shown_again(self):
        """What is wrong with the form is said at its field, and no order is placed."""
        orders = Order.objects.count()
        response = self.buy(card="my card", coupon="NONE")
        self.assertContains(response, "A card number has digits only.")
        self.assertContains(response, "There is no such coupon.")
        self.assertEqual(Order.objects.count(), orders)


class BasketTest(ShopTestCase):
    def test_quantities(self):
        """A number in the basket replaces the one before; 0 takes the flag out."""
        self.client.post("/flags/alfa/basket/", {"quantity": 3})
        self.client.post("/flags/bravo/basket/", {"quantity": 1})
        self.client.post("/flags/alfa/basket/", {"quantity": 2})
        lines = self.client.get("/basket/").context["lines"]
        self.assertEqual(
            [(line.product.letter, line.quantity) for line in lines], [("A", 2), ("B", 1)]
        )
        self.client.post("/flags/alfa/basket/", {"quantity": 0})
        self.assertEqual(len(self.client.get("/basket/").context["lines"]), 1)

    def test_what_no_flag_says(self):
        """A word without letters puts nothing into the basket."""
        response = self.client.post("/spell/", {"word": "42"}, follow=True)
        self.assertContains(response, "No flag says that.")


class CapturedSignalTest(SimpleTestCase):
    """Defining, connecting and sending, with a capture in the place of the mock."""

    @capture_dispatches(my_signal)
    def test_custom_signal(self, dispatches):
        """What was sent is known without a receiver."""
        my_signal.send(sender=self.__class__, data="test")
        dispatches.assert_sent(my_signal, sender=type(self), payload={"data": "test"}, times=1)

    def test_a_decorated_receiver(self):
        """A receiver that @receiver has connected is called, by its own name."""

        @receiver(my_signal)
        def answers(sender, data, **kwargs):
            return data.upper()

        with capture_dispatches() as dispatches:
            my_signal.send(sender=None, data="test")
        self.assertEqual(dispatches.assert_received(answers).response, "TEST")
        my_signal.disconnect(answers)

    def test_send_and_send_robust(self):
        """send() skips the receivers after a failure; send_robust() swallows it and goes on."""

        @receiver(my_signal)
        def fails(sender, **kwargs): ...

        @receiver(my_signal)
        def works(sender, **kwargs): ...

        with inject_failure(fails, ValueError("no")), capture_dispatches() as dispatches:
            with self.assertRaisesMessage(ValueError, "no"):
                my_signal.send(sender=None)
            dispatches.assert_not_received(works)
            with expect_swallowed(ValueError, times=1):
                my_signal.send_robust(sender=None)
            dispatches.assert_received(works, times=1)
        my_signal.disconnect(fails)
        my_signal.disconnect(works)


class OrderTest(DispatchesMixin, ShopTestCase):
    def setUp(self):
        self.client.force_login(self.ada)

    def test_from_placed_to_completed(self):
        """order_placed comes first, within it the warehouse's signal, order_completed at last."""
        self.buy("C")
        order = Order.objects.first()
        self.assert_sent_in_order([order_placed, warehouse_synced, order_completed])
        self.assert_sent(order_placed, sender=Checkout, payload={"order": order, "channel": "web"})
        self.assert_sent(order_completed, sender=CheckoutView, payload={"user": self.ada})
        self.assert_no_failures()

    def test_apps_connect_their_receivers(self):
        """ready() of each app has imported its receivers: they are called, in this order."""
        self.buy("C")
        placed = self.assert_sent(order_placed)
        called = [call.receiver for call in placed.calls]
        self.assertEqual(called, [log_order, award_points, sync_warehouse])
        self.assert_received(send_invoice_email, signal=order_completed, times=1)
        self.assert_received(book_courier)
        self.assert_received(reserve_delivery_slot)
        # The mistake that the demo shows: connected twice.
        self.assert_received(send_thank_you_email, times=2)

    def test_a_receiver_of_another_sender(self):
        """Orders on the web have no points for patience, and the message says why."""
        self.buy("C")
        self.assert_not_received(award_points_for_patience)
        with self.assertRaisesRegex(AssertionError, "it was connected, but listens only to"):
            self.assert_received(award_points_for_patience)

    def test_a_customer_without_points(self):
        """Grace is older than the loyalty scheme: send_robust() swallows that."""
        self.client.force_login(self.grace)
        with expect_swallowed(LoyaltyAccount.DoesNotExist, receiver=award_points):
            self.assertEqual(self.buy("C").status_code, 302)
        self.assert_received(sync_warehouse)

    def test_a_slow_warehouse(self):
        """The order waits for it: the transaction stays open meanwhile."""
        with delay(sync_warehouse, 0.05):
            self.buy("C")
        placed = self.assert_sent(order_placed)
        self.assertGreaterEqual(placed.record.duration_ns, 50_000_000)

    def test_a_courier_that_does_not_answer(self):
        """order_completed is sent with send(): the customer of a paid order sees an error."""
        with inject_failure(book_courier, TimeoutError), self.assertRaises(TimeoutError):
            self.buy("C")
        self.assertEqual(Order.objects.first().user, self.ada)

    @only(send_invoice_email)
    def test_the_invoice_alone(self):
        """Of the receivers of order_completed the invoice's alone: one letter."""
        self.buy("C")
        self.assertEqual([letter.subject[:7] for letter in mail.outbox], ["Invoice"])
