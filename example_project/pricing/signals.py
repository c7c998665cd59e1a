from __future__ import annotations

from django.dispatch import Signal

# One row of a supplier's price list was read: thousands in a row.
# Sender: pricing.services.PriceImport. Arguments: sku, price.
product_imported = Signal()
