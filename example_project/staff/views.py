from __future__ import annotations

from django.contrib.admin.views.decorators import staff_member_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from analytics.counters import counted
from comments.models import Comment
from inventory.models import StockItem
from shop.models import Order
from staff.models import DashboardEntry


@staff_member_required(login_url="accounts:login")
def dashboard(request: HttpRequest) -> HttpResponse:
    context = {
        "entries": DashboardEntry.objects.all()[:20],
        "figures": [
            ("Orders", Order.objects.count()),
            ("Failed payments", DashboardEntry.objects.count()),
            ("Reported comments", Comment.objects.waiting().count()),
            ("Flags in stock", sum(StockItem.objects.values_list("quantity", flat=True))),
            ("Coupons redeemed", counted("coupons-redeemed")),
            ("Parcels tracked", counted("parcels-tracked")),
        ],
        "bestsellers": cache.get("bestsellers", []),
    }
    return render(request, "staff/dashboard.html", context)
