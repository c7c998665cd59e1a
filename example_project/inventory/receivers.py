from __future__ import annotations

import logging

from django.db.models import F
from django.dispatch import receiver

from inventory.models import OutOfStock, SeasonalStockItem, StockItem
from inventory.signals import stock_low, stock_reserved, warehouse_synced
from inventory.warehouse import Warehouse
from shop.signals import order_placed

logger = logging.getLogger(__name__)


@receiver(stock_reserved)
def take_from_shelf(sender, line, **kwargs):
    """Runs once per order line: cheap alone, and easily overlooked in a big order."""
    shelf = StockItem.objects.filter(product=line.product, quantity__gte=line.quantity)
    if not shelf.update(quantity=F("quantity") - line.quantity):
        raise OutOfStock(f"There are not {line.quantity} of {line.product} left.")


@receiver(order_placed)
def sync_warehouse(sender, order, **kwargs):
    """Waits for another system while the order's transaction, with its locks, stays open.

    ``transaction.on_commit`` would be the place for it. Sends two signals on.
    """
    taken = Warehouse().push(order)
    low = StockItem.objects.filter(
        product__order_lines__order=order, quantity__lt=F("minimum")
    ).select_related("product")
    for item in low:
        stock_low.send(sender=StockItem, item=item)
    warehouse_synced.send(sender=Warehouse, order=order)
    return {"lines": taken, "low": len(low)}


@receiver(stock_low, sender=SeasonalStockItem)
def put_on_season_list(sender, item, **kwargs):
    """Hears of seasonal stock only: for any other sender, stock_low reaches nobody."""
    logger.info("For the list of next season: %s", item)
