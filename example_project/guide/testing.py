"""What the tests of all apps share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import MagicMock

from django.contrib.auth.models import User
from django.dispatch import Signal
from django.http import HttpResponse
from django.test import TestCase

from guide.demo_data import ADDRESS, fill
from payments.gateway import DEMO_CARDS
from shop.models import Product

#: What the shop's Content-Security-Policy forbids.
INLINE = re.compile(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", re.IGNORECASE)
GOOD_CARD, DECLINED_CARD = (card.number for card in DEMO_CARDS)


@contextmanager
def listening_to(signal: Signal, **connect: Any) -> Iterator[MagicMock]:
    """A receiver that only notes how it is called."""
    mock_receiver = MagicMock()
    signal.connect(mock_receiver, **connect)
    try:
        yield mock_receiver
    finally:
        signal.disconnect(mock_receiver, **connect)


class ShopTestCase(TestCase):
    """A test in a shop that is filled with the demo's data."""

    @classmethod
    def setUpTestData(cls) -> None:
        fill()
        cls.grace = User.objects.get(username="grace")
        cls.ada = User.objects.get(username="ada")
        cls.admin = User.objects.get(username="admin")

    def buy(self, word: str = "AHOY", *, card: str = GOOD_CARD, coupon: str = "") -> HttpResponse:
        """Spell a word in flags and send the form of the checkout."""
        self.client.post("/spell/", {"word": word})
        details = {"name": "G. Hopper", "address": ADDRESS, "card_number": card}
        return self.client.post("/checkout/", {**details, "coupon": coupon})

    def stock(self, letter: str) -> int:
        return Product.objects.get(letter=letter).stock.quantity
