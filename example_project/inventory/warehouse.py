"""The warehouse's system, far away and slow. (Here: a pause.)"""

from __future__ import annotations

import time

from shop.models import Order

ROUND_TRIP_SECONDS = 0.15


class Warehouse:
    """A client for the warehouse's system."""

    def push(self, order: Order) -> int:
        """Tell the warehouse of an order; says how many lines it has taken."""
        time.sleep(ROUND_TRIP_SECONDS)
        return order.lines.count()
