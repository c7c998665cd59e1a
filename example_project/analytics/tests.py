from __future__ import annotations

from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from guide.testing import ShopTestCase
from inventory.signals import warehouse_synced
from inventory.warehouse import Warehouse


class BestsellersTest(ShopTestCase):
    def test_one_query_for_each_product(self):
        """refresh_bestsellers asks 28 times, once for each flag: the demo shows this mistake."""
        order = self.ada.orders.first()
        with CaptureQueriesContext(connection) as queries:
            warehouse_synced.send(sender=Warehouse, order=order)
        self.assertEqual(len(queries), 1 + 28)
        self.assertEqual(sum("SUM(" in query["sql"] for query in queries), 28)
        self.assertEqual(len(cache.get("bestsellers")), 5)
