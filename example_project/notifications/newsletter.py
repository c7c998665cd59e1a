from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class Newsletter:
    """Would like to write to everybody who orders."""

    def subscribe(self, sender, user, **kwargs):
        logger.info("%s is on the list of the newsletter", user)
