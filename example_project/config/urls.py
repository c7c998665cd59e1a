"""Where each part of the shop is found."""

from __future__ import annotations

from debug_toolbar.toolbar import debug_toolbar_urls
from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", include("shop.urls")),
    path("accounts/", include("accounts.urls")),
    path("comments/", include("comments.urls")),
    path("orders/", include("shipping.urls")),
    path("staff/", include("staff.urls")),
    path("staff/import/", include("pricing.urls")),
    path("mailbox/", include("outbox.urls")),
    path("traces/", include("traces.urls")),
    path("guide/", include("guide.urls")),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=static("shop/icon.svg"))),  # for the admin
    *debug_toolbar_urls(),
]
