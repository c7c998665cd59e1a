from __future__ import annotations

import asyncio
import contextlib
import io
from unittest.mock import MagicMock

from django.core import mail
from django.dispatch import Signal, receiver
from django.test import SimpleTestCase, TestCase

from guide.testing import DECLINED_CARD, ShopTestCase, listening_to
from inventory.signals import stock_reserved
from shop.models import Order, OrderLine
from shop.services import Checkout
from shop.signals import order_completed, order_placed
from shop.views import CheckoutView

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
