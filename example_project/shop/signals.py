"""What happens in the shop that other apps may want to know.

A signal is named after what has happened, and the arguments it carries are documented here:
Django up to 3.2 had ``Signal(providing_args=["order", "user"])`` for that, which is gone.
"""

from __future__ import annotations

from django.dispatch import Signal

# An order and its lines are stored; its payment is not yet. Sent inside the transaction.
# Sender: the checkout class. Arguments: order, user, channel.
order_placed = Signal()

# An order is paid for and committed.
# Sender: the view class. Arguments: order, user.
order_completed = Signal()
