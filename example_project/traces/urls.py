from __future__ import annotations

from django.urls import path

from traces import views

app_name = "traces"
urlpatterns = [
    path("", views.traces, name="traces"),
    path("<slug:trace_id>/", views.trace, name="trace"),
]
