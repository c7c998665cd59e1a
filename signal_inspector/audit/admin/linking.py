"""Links to the admin pages of objects that the log names: where there are any, for who may see."""

from __future__ import annotations

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse


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
