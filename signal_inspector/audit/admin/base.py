"""What the pages share: model admins that only show, who may see payloads, links to objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from signal_inspector.audit.settings import get_settings

PAYLOADS = "signal_audit.view_payloads"


def may_see_payloads(request: HttpRequest) -> bool:
    """Whether arguments, responses, messages and tracebacks may be shown."""
    return bool(request.user.has_perm(PAYLOADS))


if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Any]
else:
    _Base = admin.ModelAdmin


class ReadOnlyAdmin(_Base):
    """Shows what is in the audit's database."""

    actions: Any = None
    view_on_site = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        return super().get_queryset(request).using(get_settings().database)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Whether a list may be filtered so: only as the filters at its side do.

        Django lets an address ask for any column. What a page hides for want of a permission
        could be guessed by that, letter by letter.
        """
        filters: list[Any] = list(self.list_filter)
        columns = [each[0] if isinstance(each, tuple) else each for each in filters]
        return lookup.partition("__")[0] in columns

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def detail_url(site: AdminSite, id_: UUID) -> str:
    """The page of one dispatch."""
    name = "admin:signal_audit_auditeddispatch_change"
    return reverse(name, args=[id_], current_app=site.name)


def object_url(key: str, request: HttpRequest, site: AdminSite) -> str:
    """The admin page of ``shop.Order:42``; "" without one, or without the permission to see it.

    Looks in the registry of apps and imports nothing. Whether the object still exists is not
    asked: its page says so.
    """
    label, colon, pk = key.partition(":")
    if not colon or not pk:
        return ""
    try:
        model = apps.get_model(label)
        if not site.is_registered(model):
            return ""
        model_admin = site.get_model_admin(model)
        if not model_admin.has_view_or_change_permission(request):
            return ""
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        return reverse(name, args=[quote(pk)], current_app=site.name)
    except (LookupError, ValueError, NoReverseMatch):
        return ""
