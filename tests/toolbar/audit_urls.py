"""A page for a dispatch under the name that it has in the admin."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def page(request: HttpRequest, object_id: str) -> HttpResponse:
    """Nobody asks for it."""
    return HttpResponse(object_id)


_admin = [path("<str:object_id>/", page, name="signal_audit_auditeddispatch_change")]
urlpatterns = [path("log/", include((_admin, "admin")))]
