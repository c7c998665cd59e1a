from __future__ import annotations

from django.dispatch import Signal

# A coupon is used for an order. Sent with send(): a receiver may refuse by raising.
# Sender: Coupon. Arguments: coupon, order, user.
coupon_redeemed = Signal()
