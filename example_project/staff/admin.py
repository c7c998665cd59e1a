from __future__ import annotations

from django.contrib import admin

from staff.models import DashboardEntry


@admin.register(DashboardEntry)
class DashboardEntryAdmin(admin.ModelAdmin):
    list_display = ["text", "created_at"]
