"""The shop's audit: what is kept of an order, and who sees what of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from unittest import skipUnless

from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, TransactionTestCase

from comments.models import Comment
from guide import history
from guide.demo_data import ADDRESS, PAST_ORDERS, fill
from guide.testing import DECLINED_CARD, GOOD_CARD, INLINE, ShopTestCase
from shop.models import Order

if settings.WITH_INSPECTOR:
    from signal_inspector.audit import audited, lookups
    from signal_inspector.audit.models import (
        AuditedCall,
        AuditedDispatch,
        Origin,
        TransactionOutcome,
    )

#: What scripts read and no browser runs: no policy forbids it.
DATA = re.compile(r"<script[^>]* type=\"application/json\"")
LIST = "/admin/signal_audit/auditeddispatch/"
needs_audit = skipUnless(settings.WITH_INSPECTOR, "the audit is not installed")


def sent(signal: str) -> Any:
    """The dispatches of a signal that the log has."""
    return AuditedDispatch.objects.filter(signal__text=signal)


def page_of(dispatch: Any) -> str:
    return f"{LIST}{dispatch.pk}/change/"


@needs_audit
class KeptTest(TransactionTestCase):
    """In real transactions: what becomes of them is part of what is kept."""

    def setUp(self) -> None:
        fill()
        self.grace = User.objects.get(username="grace")
        self.client.force_login(self.grace)

    def buy(self, word: str, card: str = GOOD_CARD) -> None:
        with audited("after_transaction"):
            self.client.post("/spell/", {"word": word})
            details = {"name": "G. Hopper", "address": ADDRESS, "card_number": card}
            headers = {"X-Request-ID": "req-42"}
            self.client.post("/checkout/", {**details, "coupon": ""}, headers=headers)

    def test_an_order(self):
        """An order is found by its key, with its receivers, its request and its customer."""
        self.buy("AHOY")
        order = Order.objects.latest("pk")
        carriers = lookups.carriers_of(f"shop.Order:{order.pk}").values("dispatch_id")
        found = AuditedDispatch.objects.filter(pk__in=carriers)
        signals = Counter(
            name.rpartition(".")[2] for name in found.values_list("signal__text", flat=True)
        )
        once = ["order_placed", "warehouse_synced", "payment_captured", "order_completed"]
        self.assertEqual(signals, {"stock_reserved": 4} | dict.fromkeys(once, 1))
        [placed] = sent("shop.signals.order_placed")
        self.assertEqual(placed.origin, Origin.REQUEST)
        self.assertEqual(placed.origin_name, "POST /checkout/")
        self.assertEqual(placed.request_id, "req-42")
        self.assertEqual(
            (placed.actor, placed.actor_label), (f"auth.User:{self.grace.pk}", "grace")
        )
        self.assertEqual(placed.transaction_outcome, TransactionOutcome.COMMITTED)
        calls = AuditedCall.objects.filter(dispatch=placed).order_by("index")
        names = [
            call.receiver.text.rpartition(".")[2] for call in calls.select_related("receiver")
        ]
        self.assertEqual(names, ["log_order", "award_points", "sync_warehouse"])
        failed = calls.get(exception__isnull=False)
        self.assertEqual(failed.exception.text, "loyalty.models.LoyaltyAccount.DoesNotExist")

    def test_a_declined_payment(self):
        """No order is left in the shop; what was sent for it is in the log, as rolled back."""
        self.buy("NO", DECLINED_CARD)
        self.assertEqual(Order.objects.count(), PAST_ORDERS)
        [placed] = sent("shop.signals.order_placed")
        self.assertEqual(placed.transaction_outcome, TransactionOutcome.ROLLED_BACK)
        [failed] = sent("payments.signals.payment_failed")
        self.assertEqual(failed.transaction_outcome, TransactionOutcome.NONE)
        self.assertNotIn("tok_", failed.payload)
        self.assertIn('"card_token":{"kind":"redacted"', failed.payload)

    def test_past_orders(self):
        """The orders that demo_data places are in the log, with that as their origin."""
        orders = Order.objects.count()
        with audited("after_transaction"):
            history.buy()
        self.assertEqual(Order.objects.count(), orders + history.ORDERS)
        placed = sent("shop.signals.order_placed").order_by("pk")
        outcomes = [dispatch.get_transaction_outcome_display() for dispatch in placed]
        self.assertEqual(outcomes, ["rolled back", "committed", "committed", "committed"])
        [redeemed] = sent("coupons.signals.coupon_redeemed")
        self.assertEqual((redeemed.failed_count, redeemed.skipped_count), (1, 2))
        self.assertEqual({dispatch.origin for dispatch in placed}, {Origin.COMMAND})


@needs_audit
class RulesTest(ShopTestCase):
    def test_what_visitors_write_is_not_kept(self):
        """Of a comment that is reported the log has which one it was, and not its words."""
        comment = Comment.objects.get(text__startswith="BUY CHEAP")
        self.client.force_login(self.ada)
        with audited():
            self.client.post(f"/comments/{comment.pk}/flag/")
        [flagged] = sent("comments.signals.comment_flagged")
        self.assertIn(f"comments.Comment:{comment.pk}", flagged.payload)
        self.assertNotIn("CHEAP", flagged.payload)

    def test_price_lists_are_not_kept(self):
        """The thousands of dispatches of a price list stay out of the log."""
        self.client.force_login(self.admin)
        with audited():
            self.client.post("/staff/import/", {"rows": "300"})
        self.assertEqual(AuditedDispatch.objects.count(), 0)


@needs_audit
class AdminTest(ShopTestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        super().setUpTestData()
        with audited():
            shop = Client()
            shop.force_login(cls.grace)
            shop.post("/spell/", {"word": "AHOY"})
            details = {"name": "G. Hopper", "address": ADDRESS, "card_number": GOOD_CARD}
            shop.post("/checkout/", details)
        cls.placed = sent("shop.signals.order_placed").get()

    def test_pages_open(self):
        """Each page of the audit opens for the admin, and keeps the shop's strict policy."""
        self.client.force_login(self.admin)
        pages = ["", "gap/", "retry/", "operation/", "auditeddispatch/"]
        for path in [*(f"/admin/signal_audit/{page}" for page in pages), page_of(self.placed)]:
            with self.subTest(path):
                response = self.client.get(path)
                self.assertEqual(response.status_code, 200)
                self.assertIn("default-src 'none'", response["Content-Security-Policy"])
                self.assertNotRegex(DATA.sub("", response.content.decode()), INLINE)

    def test_the_list_has_the_order(self):
        """The list finds the dispatches that carried an order."""
        self.client.force_login(self.admin)
        order = Order.objects.latest("pk")
        response = self.client.get(LIST, {"q": f"shop.Order:{order.pk}"})
        self.assertContains(response, "order_placed")
        self.assertContains(response, "warehouse_synced")
        self.assertContains(self.client.get(LIST, {"q": "shop.Order:1"}), "The log has no match")

    def test_who_sees_arguments(self):
        """Joan sees what was sent; Hedy sees that it was sent; customers see nothing."""
        words = "LoyaltyAccount matching query does not exist"
        for username, seen in (("joan", True), ("hedy", False)):
            with self.subTest(username):
                self.client.force_login(User.objects.get(username=username))
                page = self.client.get(page_of(self.placed)).content.decode()
                self.assertIn("award_points", page)
                self.assertEqual(words in page, seen)
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get(page_of(self.placed)).status_code, 302)

    def test_linked_in_the_shop(self):
        """Staff find the audit at the top of the shop; customers do not."""
        self.client.force_login(self.admin)
        self.assertContains(self.client.get("/"), 'href="/admin/signal_audit/"')
        self.client.force_login(self.ada)
        self.assertNotContains(self.client.get("/"), "/admin/signal_audit/")
