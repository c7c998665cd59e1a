"""The model admins of dispatches, and of the tables about the log itself."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, URLResolver
from django.utils.html import format_html

from signal_inspector.audit.admin.base import ReadOnlyAdmin, detail_url, may_see_payloads
from signal_inspector.audit.destinations.database.adapters import stored_now
from signal_inspector.audit.models import Gap, GapReason, Retry
from signal_inspector.display.numbers import integer, plural, took


class GapAdmin(ReadOnlyAdmin):
    """Dispatches that are missing in the log. With the permission, gaps can be closed."""

    actions = ("mark_as_dealt_with",)
    list_display = ("from_at", "to_at", "how_many", "reason", "process", "closed_at")
    list_filter = ("reason", ("closed_at", admin.EmptyFieldListFilter))
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="missing", ordering="missing")
    def how_many(self, gap: Gap) -> str:
        return f"{'up to ' if gap.is_upper_bound else ''}{integer(gap.missing)}"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The fields to show.

        If the database refused a row, its message is left out unless the user may see payloads:
        the message may contain values of the row.
        """
        fields = ["from_at", "to_at", "missing", "is_upper_bound", "reason", "detail"]
        fields += ["dispatch_id", "process", "written_at", "closed_at"]
        if obj and obj.reason == GapReason.UNWRITABLE and not may_see_payloads(request):
            fields.remove("detail")
        return fields

    def has_close_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("signal_audit.close_gap"))

    @admin.action(description="Mark as resolved", permissions=["close"])
    def mark_as_dealt_with(self, request: HttpRequest, chosen: QuerySet[Gap]) -> None:
        """Mark gaps as resolved. The gap keeps the time, and the admin's own log the user."""
        found = list(chosen.filter(closed_at=None))
        for gap in found:
            gap.closed_at = stored_now()
            gap.save(update_fields=["closed_at"])
            self.log_change(request, gap, "Marked as resolved.")
        said = f"{plural(len(found), 'gap')} marked as resolved."
        self.message_user(request, said, messages.SUCCESS)


class RetryAdmin(ReadOnlyAdmin):
    """Receivers that somebody ran again."""

    list_display = ("at", "receiver", "signal", "outcome", "actor_label", "reason", "of")
    list_filter = ("outcome",)
    list_per_page = 50
    show_full_result_count = False
    _PRIVATE: ClassVar = ("message", "traceback")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        fields = ["of", "call_index", "signal", "receiver", "at", "actor", "actor_label"]
        fields += ["reason", "outcome", "took", "exception_class"]
        return fields + (list(self._PRIVATE) if may_see_payloads(request) else [])

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self.get_fields(request, obj)

    @admin.display(description="dispatch")
    def of(self, retry: Retry) -> str:
        url = detail_url(self.admin_site, retry.dispatch_id)
        return format_html('<a href="{}">{}</a>', url, retry.dispatch_id)

    @admin.display(description="took")
    def took(self, retry: Retry) -> str:
        return "" if retry.duration_ns is None else took(retry.duration_ns)


class OperationAdmin(ReadOnlyAdmin):
    """The log of exports and deletions."""

    list_display = ("at", "kind", "rows", "actor_label", "detail", "ended_at")
    list_filter = ("kind",)
    list_per_page = 50
    show_full_result_count = False


class AuditedDispatchAdmin(ReadOnlyAdmin):
    """Dispatches, with their own pages in place of the admin's."""

    def get_urls(self) -> list[URLResolver | URLPattern]:  # type: ignore[override]
        # Imported only now, as they take longer to import than the rest of the audit.
        from signal_inspector.audit.admin.pages import DispatchPages  # noqa: PLC0415

        return [*DispatchPages(self).urls()]
