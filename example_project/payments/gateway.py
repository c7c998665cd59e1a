"""The bank, as far as this demo needs one."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import NamedTuple

from shop.exceptions import CheckoutRefused


class DemoCard(NamedTuple):
    number: str
    outcome: str


DEMO_CARDS = [
    DemoCard("4242 4242 4242 4242", "is accepted"),
    DemoCard("4000 0000 0000 0002", "is declined"),
]


class CardDeclined(CheckoutRefused):
    """The bank does not pay."""

    field = "card_number"

    def __init__(self, amount: Decimal) -> None:
        super().__init__("The bank has declined this card. Nothing was ordered.")
        self.amount = amount


def tokenise(card_number: str) -> str:
    """A token that stands for the card, so that the number itself is passed nowhere."""
    digits = card_number.replace(" ", "")
    return "tok_" + hashlib.sha256(digits.encode()).hexdigest()[:24]


def capture(card_token: str, amount: Decimal) -> None:
    """Take the money; raises ``CardDeclined`` for every card but the one that works."""
    if card_token != tokenise(DEMO_CARDS[0].number):
        raise CardDeclined(amount)
