from __future__ import annotations

from django.contrib import admin

from inventory.models import StockItem


@admin.register(StockItem)
class StockItemAdmin(admin.ModelAdmin):
    list_display = ["product", "quantity", "minimum"]
    list_select_related = ["product"]
