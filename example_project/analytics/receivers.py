from __future__ import annotations

from django.core.cache import cache
from django.db.models import Sum
from django.dispatch import receiver

from analytics.counters import count
from coupons.signals import coupon_redeemed
from inventory.signals import warehouse_synced
from shipping.signals import parcel_tracked
from shop.models import OrderLine, Product


@receiver(coupon_redeemed)
def count_redemption(sender, coupon, **kwargs):
    """Not called when coupons.receivers.check_velocity has raised before."""
    return count("coupons-redeemed")


@receiver(warehouse_synced)
def refresh_bestsellers(sender, **kwargs):
    """Asks the database once per product; one query with GROUP BY would do."""
    sold = []
    for product in Product.objects.all():
        lines = OrderLine.objects.filter(product=product)
        quantity = lines.aggregate(total=Sum("quantity"))["total"] or 0
        sold.append((quantity, product.name))
    cache.set("bestsellers", sorted(sold, reverse=True)[:5], timeout=None)


@receiver(parcel_tracked)
def count_tracking(sender, **kwargs):
    """A plain function: asend() runs it in a thread, before or beside its async receivers."""
    return count("parcels-tracked")
