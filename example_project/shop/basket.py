"""The basket: how many of which product, kept in the session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.http import HttpRequest

from shop.models import Product

SESSION_KEY = "basket"


@dataclass(frozen=True, slots=True)
class BasketLine:
    product: Product
    quantity: int

    @property
    def total(self) -> Decimal:
        return self.quantity * self.product.price


class Basket:
    """The basket of one visitor. Iterating gives its lines."""

    def __init__(self, request: HttpRequest) -> None:
        self.session = request.session
        self.quantities: dict[str, int] = self.session.get(SESSION_KEY, {})

    def add(self, product: Product, quantity: int = 1) -> None:
        self.set(product, self.quantities.get(str(product.pk), 0) + quantity)

    def set(self, product: Product, quantity: int) -> None:
        """Keep so many of a product; 0 takes it out."""
        self.quantities.pop(str(product.pk), None)
        if quantity > 0:
            self.quantities[str(product.pk)] = min(quantity, 99)
        self.session[SESSION_KEY] = self.quantities

    def spell(self, word: str) -> int:
        """Add a flag for each letter of a word; says how many flags that took."""
        flags = {flag.letter: flag for flag in Product.objects.exclude(letter="")}
        letters = [letter for letter in word.upper() if letter in flags]
        for letter in letters:
            self.add(flags[letter])
        return len(letters)

    def clear(self) -> None:
        self.session.pop(SESSION_KEY, None)
        self.quantities = {}

    def __iter__(self) -> Iterator[BasketLine]:
        products: Iterable[Product] = Product.objects.filter(pk__in=self.quantities)
        for product in products:
            yield BasketLine(product, self.quantities[str(product.pk)])

    def __len__(self) -> int:
        return sum(self.quantities.values())

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self), Decimal(0))


def in_templates(request: HttpRequest) -> dict[str, Basket]:
    """Context processor: ``basket`` in every template."""
    return {"basket": Basket(request)}
