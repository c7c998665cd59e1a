"""The model admins: of dispatches, and of what tells of the log itself."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.html import format_html

from signal_inspector.audit.admin.base import ReadOnlyAdmin, may_see_payloads
from signal_inspector.audit.admin.catalog import CatalogPage
from signal_inspector.audit.admin.changelist import Changelist, changelist_url, detail_url
from signal_inspector.audit.admin.detail import Detail, load
from signal_inspector.audit.admin.display import ms, plural
from signal_inspector.audit.admin.export import export_page, export_response, may_export
from signal_inspector.audit.admin.purge import PurgePages, may_purge
from signal_inspector.audit.admin.retry import RetryPages, sections
from signal_inspector.audit.destinations.database.adapters import stored_now
from signal_inspector.audit.models import Gap, GapReason, Retry
from signal_inspector.audit.search.selection import Selection, read_id


class GapAdmin(ReadOnlyAdmin):
    """Dispatches that are missing in the log. Who may can mark gaps as dealt with."""

    actions = ("mark_as_dealt_with",)
    list_display = ("from_at", "to_at", "how_many", "reason", "process", "closed_at")
    list_filter = ("reason", ("closed_at", admin.EmptyFieldListFilter))
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="missing", ordering="missing")
    def how_many(self, gap: Gap) -> str:
        return f"{'up to ' if gap.is_upper_bound else ''}{gap.missing:,}"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Without the words of a database that refused a row: they may hold values of it."""
        fields = ["from_at", "to_at", "missing", "is_upper_bound", "reason", "detail"]
        fields += ["dispatch_id", "process", "written_at", "closed_at"]
        if obj and obj.reason == GapReason.UNWRITABLE and not may_see_payloads(request):
            fields.remove("detail")
        return fields

    def has_close_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("signal_audit.close_gap"))

    @admin.action(description="Mark as dealt with", permissions=["close"])
    def mark_as_dealt_with(self, request: HttpRequest, chosen: QuerySet[Gap]) -> None:
        """Says when, in the row, and who, in the admin's own log; the gap itself stays."""
        found = list(chosen.filter(closed_at=None))
        for gap in found:
            gap.closed_at = stored_now()
            gap.save(update_fields=["closed_at"])
            self.log_change(request, gap, "Marked as dealt with.")
        said = f"{plural(len(found), 'gap')} marked as dealt with."
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
        return "" if retry.duration_ns is None else ms(retry.duration_ns)


class OperationAdmin(ReadOnlyAdmin):
    """The log of exports and deletions."""

    list_display = ("at", "kind", "rows", "actor_label", "detail", "ended_at")
    list_filter = ("kind",)
    list_per_page = 50
    show_full_result_count = False


class AuditedDispatchAdmin(CatalogPage, PurgePages, RetryPages, ReadOnlyAdmin):
    """Has views of its own: the admin's count every row and page by OFFSET."""

    change_list_template = "signal_inspector/audit/changelist.html"
    change_form_template = "signal_inspector/audit/detail.html"

    def get_urls(self) -> list[URLResolver | URLPattern]:  # type: ignore[override]
        """The pages; what would change a dispatch has no URL at all."""
        view, name = self.admin_site.admin_view, "signal_audit_auditeddispatch"
        return [
            path("", view(self.changelist_view), name=f"{name}_changelist"),
            path("export/", view(self.export_view), name=f"{name}_export"),
            path("<str:object_id>/change/", view(self.change_view), name=f"{name}_change"),
            *self.catalog_urls(),
            *self.purge_urls(),
            *self.retry_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, as the query string asks for it."""
        self._check(request)
        page = Changelist(request.GET.dict(), self.admin_site)
        context = {"title": "Dispatches", "list": page, **(extra_context or {})}
        return self._answer(request, self.change_list_template, context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page of one dispatch; a search for its id where the log does not have it."""
        self._check(request)
        id_ = read_id(object_id)
        dispatch = None if id_ is None else load(id_)
        if dispatch is None:
            search = Selection().query(q=object_id[:100])
            return HttpResponseRedirect(changelist_url(self.admin_site) + search)
        page = Detail(dispatch, request, self.admin_site)
        context = {"title": page.title, "detail": page, **(extra_context or {})}
        context["retry_sections"] = sections(dispatch, request, self.admin_site)
        return self._answer(request, self.change_form_template, context)

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The page that asks how; after that, the file."""
        self._check(request)
        page = export_page(request, self.admin_site)
        if request.method == "POST" and not page.problem:
            return export_response(request, page)
        context = {"title": "Export dispatches", "page": page}
        return self._answer(request, "signal_inspector/audit/export.html", context)

    def _check(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _answer(
        self, request: HttpRequest, template: Any, context: dict[str, Any]
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        everywhere = {"opts": self.opts, "may_see_payloads": may_see_payloads(request)}
        everywhere["may_export"] = may_export(request)
        everywhere["may_purge"] = may_purge(request)
        everywhere |= {"overview_title": self.opts.app_config.verbose_name}
        return TemplateResponse(
            request, template, self.admin_site.each_context(request) | everywhere | context
        )
