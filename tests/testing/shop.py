"""A small project to test: signals, receivers, and code that sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.dispatch import Signal

order_placed = Signal()
order_completed = Signal()
account_closed = Signal()


class Checkout:
    """A sender."""


class Order:
    """An argument, with an equality of its own."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and other.number == self.number

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        raise AssertionError("nobody asks an unknown type for its repr")

    __str__ = __repr__


def log_order(**kwargs: Any) -> str:
    return "logged"


def award_points(**kwargs: Any) -> str:
    raise KeyError("no account")


async def book_courier(**kwargs: Any) -> str:
    return "booked"


def place(number: int = 1, **more: Any) -> Any:
    return order_placed.send(Checkout, order=Order(number), **more)


@contextmanager
def connected(signal: Signal, *receivers: Any, **connect: Any) -> Iterator[None]:
    for receiver in receivers:
        signal.connect(receiver, **connect)
    try:
        yield
    finally:
        for receiver in receivers:
            signal.disconnect(receiver, connect.get("sender"))
