from __future__ import annotations

from django.dispatch import Signal

# A customer asks where a parcel is. Sent with asend(), from an async view; what the receivers
# return is shown to the customer. Sender: Order. Arguments: order, user.
parcel_tracked = Signal()
