from __future__ import annotations

from django.urls import path

from tests.otlp.shop import views

urlpatterns = [
    path("place/", views.place),
    path("refuse/", views.refuse),
    path("cancel/", views.cancel),
    path("pay/", views.pay),
    path("forget/", views.forget),
]
