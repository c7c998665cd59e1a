"""Reading a supplier's price list."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from pricing.signals import product_imported
from shop.models import Product

BAD_ROW_EVERY = 250  # so often a price is too low


class PriceImport:
    """Sends a signal for every row of a price list."""

    def run(self, text: str) -> list[Exception]:
        """Read a CSV text with the columns sku and price; returns what receivers objected to."""
        objections = []
        for row in csv.DictReader(io.StringIO(text)):
            responses = product_imported.send_robust(
                sender=self.__class__, sku=row["sku"], price=Decimal(row["price"])
            )
            # In the place of a response, send_robust() returns what the receiver has raised.
            objections.extend(answer for _, answer in responses if isinstance(answer, Exception))
        return objections


def sample_price_list(rows: int) -> str:
    """A price list of so many rows: our own flags, then things that we do not sell."""
    ours = [f"{product.sku},{product.price}" for product in Product.objects.all()[:rows]]
    others = [
        f"SUPPLIER-{number:05},{'0.01' if number % BAD_ROW_EVERY == 0 else '7.50'}"
        for number in range(len(ours) + 1, rows + 1)
    ]
    return "\n".join(["sku,price", *ours, *others])
