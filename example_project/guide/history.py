"""Orders that are placed as the shop places them, so that the audit has something to show.

What stands there is true: it was sent by ``manage.py demo_data``, at the time when that ran.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from django.contrib.auth.models import User

from coupons.models import Coupon
from guide.demo_data import ADDRESS, COUPON
from payments.gateway import DEMO_CARDS
from shop.basket import BasketLine
from shop.exceptions import CheckoutRefused
from shop.models import Product
from shop.services import Checkout, TelephoneCheckout

GOOD_CARD, DECLINED_CARD = (card.number for card in DEMO_CARDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    username: str
    letters: str
    card: str = GOOD_CARD
    coupon: str = ""
    checkout: type[Checkout] = Checkout

    @property
    def is_good(self) -> bool:
        """Whether there is an order in the end."""
        return self.card == GOOD_CARD and not self.coupon


PURCHASES = [
    Purchase(username="grace", letters="NO", card=DECLINED_CARD),
    Purchase(username="grace", letters="YES", coupon=COUPON),  # which she has used before
    Purchase(username="ada", letters="AHOY"),
    Purchase(username="ada", letters="U", checkout=TelephoneCheckout),
    Purchase(username="grace", letters="SEA"),  # award_points fails, and that is swallowed
]
ORDERS = sum(purchase.is_good for purchase in PURCHASES)


def buy() -> None:
    """Place these orders, or try to."""
    for purchase in PURCHASES:
        user = User.objects.get(username=purchase.username)
        flags = Product.objects.filter(letter__in=list(purchase.letters))
        basket = [BasketLine(flag, 1) for flag in flags]
        coupon = Coupon.objects.get(code=purchase.coupon) if purchase.coupon else None
        with contextlib.suppress(CheckoutRefused):
            purchase.checkout(user, basket, coupon).place(
                name=user.get_full_name(), address=ADDRESS, card_number=purchase.card
            )
