"""The pages of dispatches: imported with the project's URLs, not when the project starts."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from signal_inspector.audit.admin.base import ReadOnlyAdmin, may_see_payloads
from signal_inspector.audit.admin.catalog import CatalogPage
from signal_inspector.audit.admin.changelist import Changelist, changelist_url
from signal_inspector.audit.admin.detail import Detail, document_of, load
from signal_inspector.audit.admin.export import export_page, export_response, may_export
from signal_inspector.audit.admin.purge import PurgePages, may_purge
from signal_inspector.audit.admin.retry import RetryPages, sections
from signal_inspector.audit.search.selection import Selection, read_id

_LIST: Final = "signal_inspector/audit/changelist.html"
_DETAIL: Final = "signal_inspector/audit/detail.html"


class DispatchPages(CatalogPage, PurgePages, RetryPages):
    """The list, the page of one dispatch, its JSON, the export, and the pages of the base classes.

    The admin's own views are not used, as they count all rows and paginate by OFFSET.
    """

    def __init__(self, model_admin: ReadOnlyAdmin) -> None:
        self.admin_site = model_admin.admin_site
        self._admin = model_admin

    def urls(self) -> list[URLPattern]:
        """The URLs of the pages; there are none that would change a dispatch."""
        view, name = self.admin_site.admin_view, "signal_audit_auditeddispatch"
        return [
            path("", view(self.changelist_view), name=f"{name}_changelist"),
            path("export/", view(self.export_view), name=f"{name}_export"),
            path("<str:object_id>/change/", view(self.change_view), name=f"{name}_change"),
            path("<str:object_id>/json/", view(self.json_view), name=f"{name}_json"),
            *self.catalog_urls(),
            *self.purge_urls(),
            *self.retry_urls(),
        ]

    def changelist_view(self, request: HttpRequest) -> HttpResponse:
        """The list that the query string asks for."""
        self._check(request)
        page = Changelist(request.GET.dict(), self.admin_site)
        context = {"title": "Dispatches", "list": page}
        return self._answer(request, _LIST, context)

    def change_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The page of one dispatch; if the log does not have it, a redirect to the search."""
        self._check(request)
        id_ = read_id(object_id)
        dispatch = None if id_ is None else load(id_)
        if dispatch is None:
            search = Selection().query(q=object_id[:100])
            return HttpResponseRedirect(changelist_url(self.admin_site) + search)
        page = Detail(dispatch, request, self.admin_site)
        context = {"title": page.title, "detail": page}
        context["retry_sections"] = sections(dispatch, request, self.admin_site)
        return self._answer(request, _DETAIL, context)

    def json_view(self, request: HttpRequest, object_id: str) -> JsonResponse:
        """The document of one dispatch, with payloads if the user may see them."""
        self._check(request)
        id_ = read_id(object_id)
        found = None if id_ is None else document_of(id_, payloads=may_see_payloads(request))
        if found is None:
            raise Http404("The log does not have this dispatch.")
        return JsonResponse(found, json_dumps_params={"indent": 2})

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """The page with the options, or the file after a POST."""
        self._check(request)
        page = export_page(request, self.admin_site)
        if request.method == "POST" and not page.problem:
            return export_response(request, page)
        context = {"title": "Export dispatches", "page": page}
        return self._answer(request, "signal_inspector/audit/export.html", context)

    def _check(self, request: HttpRequest) -> None:
        if not self._admin.has_view_permission(request):
            raise PermissionDenied

    def _answer(
        self, request: HttpRequest, template: Any, context: dict[str, Any]
    ) -> TemplateResponse:
        request.current_app = self.admin_site.name
        everywhere = {"opts": self._admin.opts, "may_see_payloads": may_see_payloads(request)}
        everywhere["may_export"] = may_export(request)
        everywhere["may_purge"] = may_purge(request)
        everywhere |= {"overview_title": self._admin.opts.app_config.verbose_name}
        return TemplateResponse(
            request, template, self.admin_site.each_context(request) | everywhere | context
        )
