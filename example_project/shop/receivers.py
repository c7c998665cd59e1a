from __future__ import annotations

import logging

from django.dispatch import receiver

from shop.signals import order_placed

logger = logging.getLogger(__name__)


@receiver(order_placed)
def log_order(sender, order, user, channel, **kwargs):
    logger.info("Order #%s by %s (%s): %s", order.pk, user, channel, order.total)
