from __future__ import annotations

from django.contrib import admin

from coupons.models import Coupon, Redemption


@admin.register(Coupon)
class CouponAdmin(admin.ModelAdmin):
    list_display = ["code", "percent"]


@admin.register(Redemption)
class RedemptionAdmin(admin.ModelAdmin):
    list_display = ["coupon", "order"]
    list_select_related = ["coupon", "order"]
    raw_id_fields = ["order"]
