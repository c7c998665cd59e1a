"""The admin of dispatches: the list, and the page of one dispatch."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path

from signal_inspector.audit.admin.catalogue import CataloguePage
from signal_inspector.audit.admin.changelist import Changelist, changelist_url
from signal_inspector.audit.admin.detail import Detail, load
from signal_inspector.audit.admin.exporting import export_page, export_response, may_export
from signal_inspector.audit.admin.purge import PurgePages, may_purge
from signal_inspector.audit.admin.readonly import ReadOnlyAdmin, may_see_payloads
from signal_inspector.audit.admin.retry import RetryPages, sections
from signal_inspector.audit.reading.selection import Selection, read_id


class AuditedDispatchAdmin(CataloguePage, PurgePages, RetryPages, ReadOnlyAdmin):
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
            *self.catalogue_urls(),
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
