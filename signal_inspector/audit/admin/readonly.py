"""Model admins that only show: no permission, a superuser's neither, lets anything be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

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
