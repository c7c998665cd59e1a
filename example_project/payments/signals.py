from __future__ import annotations

from django.dispatch import Signal

# The bank has paid. Sender: the checkout class. Arguments: order, amount, card_token.
# Nobody listens since the accounts department has its own system: an orphan.
payment_captured = Signal()

# The bank has refused, and the order is rolled back.
# Sender: the checkout class. Arguments: user, amount, reason, card_token.
payment_failed = Signal()
