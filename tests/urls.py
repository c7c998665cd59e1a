"""URLs of the test project; tests with views of their own override ROOT_URLCONF."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

# Not debug_toolbar_urls(): that is empty without DEBUG, and tests run without it.
urlpatterns: list[URLPattern | URLResolver] = [path("__debug__/", include("debug_toolbar.urls"))]
