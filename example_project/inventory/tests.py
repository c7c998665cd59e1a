from __future__ import annotations

from guide.testing import ShopTestCase, listening_to
from inventory.models import SeasonalStockItem, StockItem
from inventory.receivers import sync_warehouse
from inventory.signals import stock_low, stock_reserved, warehouse_synced
from inventory.warehouse import Warehouse
from shop.models import Order
from shop.services import Checkout


class InventoryTest(ShopTestCase):
    def test_no_more_than_there_is(self):
        """take_from_shelf raises under send() when there is not enough: no order is placed."""
        StockItem.objects.filter(product__letter="A").update(quantity=1)
        self.client.force_login(self.ada)
        orders = Order.objects.count()
        response = self.buy("AA")
        self.assertContains(response, "There are not 2 of Alfa left.")
        self.assertEqual(Order.objects.count(), orders)

    def test_signals_sent_on(self):
        """sync_warehouse sends stock_low for what is low, and then warehouse_synced."""
        self.client.force_login(self.ada)
        with listening_to(stock_low) as low, listening_to(warehouse_synced) as synced:
            self.buy("UC")
        low.assert_called_once()
        self.assertEqual(low.call_args.kwargs["item"].product.letter, "U")
        synced.assert_called_once_with(
            signal=warehouse_synced, sender=Warehouse, order=Order.objects.first()
        )

    def test_what_the_receiver_returns(self):
        """The response of sync_warehouse counts lines, and what is low."""
        self.client.force_login(self.ada)
        self.buy("UC")
        order = Order.objects.first()
        self.assertEqual(sync_warehouse(Checkout, order=order), {"lines": 2, "low": 1})

    def test_stock_low_reaches_nobody(self):
        """The only receiver of stock_low listens to SeasonalStockItem."""
        self.assertFalse(stock_low.has_listeners(StockItem))
        self.assertTrue(stock_low.has_listeners(SeasonalStockItem))
        item = SeasonalStockItem.objects.first()
        with self.assertLogs("inventory.receivers", "INFO") as logs:
            stock_low.send(sender=SeasonalStockItem, item=item)
        self.assertIn(str(item), logs.output[0])

    def test_the_shelf_has_a_receiver(self):
        """take_from_shelf is connected when the app is ready."""
        self.assertTrue(stock_reserved.has_listeners())
