from __future__ import annotations

from django.dispatch import Signal

order_placed = Signal()
invoice_sent = Signal()
order_refused = Signal()
order_cancelled = Signal()
order_paid = Signal()
order_forgotten = Signal()  # nobody listens
