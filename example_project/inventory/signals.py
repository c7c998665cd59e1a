from __future__ import annotations

from django.dispatch import Signal

# One line of an order needs stock. Sender: OrderLine. Arguments: order, line.
stock_reserved = Signal()

# There is less of something than there should be. Sender: StockItem, or SeasonalStockItem for
# what is ordered once a season. Arguments: item.
stock_low = Signal()

# The warehouse knows of an order. Sender: inventory.warehouse.Warehouse. Arguments: order.
warehouse_synced = Signal()
