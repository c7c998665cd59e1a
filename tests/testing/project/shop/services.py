from __future__ import annotations

from threading import Thread

from shop.signals import order_completed, order_placed  # type: ignore[import-not-found]


class Checkout:
    def __init__(self, user: str) -> None:
        self.user = user

    def place(self, total: int = 1) -> None:
        order_placed.send_robust(type(self), user=self.user, channel="web")
        order_completed.send(type(self), user=self.user, total=total)

    async def place_by_telephone(self) -> None:
        await order_placed.asend_robust(type(self), user=self.user, channel="telephone")

    def place_in_a_thread(self) -> None:
        thread = Thread(target=self.place)
        thread.start()
        thread.join(30)
