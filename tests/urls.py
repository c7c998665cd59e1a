"""URLs of the test project; tests with views of their own override ROOT_URLCONF."""

from __future__ import annotations

from debug_toolbar.toolbar import debug_toolbar_urls
from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = [*debug_toolbar_urls()]
