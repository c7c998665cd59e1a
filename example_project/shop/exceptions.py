"""Why an order cannot be accepted."""

from __future__ import annotations


class CheckoutRefused(Exception):
    """The order is not accepted, and nothing of it is kept. The message is for the customer."""

    field: str | None = None  # of the checkout form, to show the message at
