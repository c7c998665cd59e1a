from __future__ import annotations

from guide.testing import ShopTestCase, listening_to
from pricing.services import PriceImport
from pricing.signals import product_imported
from shop.models import Product


class PriceImportTest(ShopTestCase):
    def setUp(self):
        self.client.force_login(self.admin)

    def test_a_signal_for_every_row(self):
        """500 rows are 500 dispatches, and the two rows that are wrong stop nothing."""
        with listening_to(product_imported, sender=PriceImport) as noted:
            response = self.client.post("/staff/import/", {"rows": "500"})
        self.assertEqual(noted.call_count, 500)
        self.assertContains(response, "SUPPLIER-00250 for 0.01")
        self.assertEqual(len(response.context["objections"]), 2)

    def test_every_size_is_exact(self):
        """The demo sends exactly as many signals as the chosen size says."""
        for rows in (50, 5000):
            with listening_to(product_imported) as noted, self.assertLogs("django", "INFO"):
                self.client.post("/staff/import/", {"rows": str(rows)})
                product_imported.send_robust(sender=None, sku="SUPPLIER-0", price=0)
            self.assertEqual(noted.call_count, rows + 1)

    def test_prices_change(self):
        """update_price writes the price of what we sell, and counts it."""
        with listening_to(product_imported) as noted:
            objections = PriceImport().run("sku,price\nBUN-A,3.25\nSUPPLIER-1,7.00")
        self.assertEqual(objections, [])
        self.assertEqual(noted.call_count, 2)
        self.assertEqual(str(Product.objects.get(sku="BUN-A").price), "3.25")

    def test_customers_do_not_import(self):
        """Only the staff see the page."""
        self.client.force_login(self.ada)
        self.assertEqual(self.client.get("/staff/import/").status_code, 302)
