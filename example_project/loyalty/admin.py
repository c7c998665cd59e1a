from __future__ import annotations

from django.contrib import admin

from loyalty.models import LoyaltyAccount


@admin.register(LoyaltyAccount)
class LoyaltyAccountAdmin(admin.ModelAdmin):
    list_display = ["user", "points"]
    list_select_related = ["user"]
