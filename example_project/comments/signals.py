from __future__ import annotations

from django.dispatch import Signal

# Somebody finds that a comment should not be there.
# Sender: Comment. Arguments: comment, user (who has reported it).
comment_flagged = Signal()
