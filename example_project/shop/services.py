"""What it takes to sell something."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db import transaction

from coupons.models import Coupon
from coupons.signals import coupon_redeemed
from inventory.signals import stock_reserved
from payments import gateway
from payments.signals import payment_captured, payment_failed
from shop.basket import BasketLine
from shop.models import Order, OrderLine
from shop.signals import order_placed


class Checkout:
    """Turns a basket into a paid order, or into nothing at all."""

    channel = "web"

    def __init__(self, user: User, basket: Iterable[BasketLine], coupon: Coupon | None = None):
        self.user = user
        self.basket = basket
        self.coupon = coupon

    def place(self, *, name: str, address: str, card_number: str) -> Order:
        """Store the order, reserve its stock and take the money, in one transaction.

        Raises ``CheckoutRefused`` when a receiver or the bank refuses; nothing is stored then.
        """
        card_token = gateway.tokenise(card_number)
        try:
            with transaction.atomic():
                order = self.store(name, address)
                self.reserve_stock(order)
                self.redeem_coupon(order)
                # Robust: a bug in, say, the loyalty scheme is no reason to lose an order.
                order_placed.send_robust(
                    sender=self.__class__, order=order, user=self.user, channel=self.channel
                )
                self.take_payment(order, card_token)
        except gateway.CardDeclined as declined:
            # After the rollback: what receivers store now is kept.
            payment_failed.send_robust(
                sender=self.__class__,
                user=self.user,
                amount=declined.amount,
                reason=str(declined),
                card_token=card_token,
            )
            raise
        return order

    def store(self, name: str, address: str) -> Order:
        order = Order.objects.create(
            user=self.user,
            name=name,
            address=address,
            channel=self.channel,
            discount_percent=self.coupon.percent if self.coupon else 0,
        )
        for line in self.basket:
            order.lines.create(
                product=line.product, quantity=line.quantity, price=line.product.price
            )
        return order

    def reserve_stock(self, order: Order) -> None:
        for line in order.lines.select_related("product"):
            stock_reserved.send(sender=OrderLine, order=order, line=line)

    def redeem_coupon(self, order: Order) -> None:
        if self.coupon is not None:
            # Not robust: a receiver that refuses the coupon must stop the order.
            coupon_redeemed.send(sender=Coupon, coupon=self.coupon, order=order, user=self.user)

    def take_payment(self, order: Order, card_token: str) -> None:
        gateway.capture(card_token, order.total)
        payment_captured.send(
            sender=self.__class__, order=order, amount=order.total, card_token=card_token
        )


class TelephoneCheckout(Checkout):
    """An order that the staff take on the telephone. Its signals have another sender."""

    channel = "telephone"
