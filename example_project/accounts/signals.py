from __future__ import annotations

from django.dispatch import Signal

# Somebody has signed up. Sender: User. Arguments: user, site (the shop's address).
user_registered = Signal()

# Somebody has followed the link in the e-mail: the address is theirs.
# Sender: User. Arguments: user.
user_verified = Signal()
