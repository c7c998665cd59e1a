from __future__ import annotations

from django.urls import path

from guide import views

app_name = "guide"
urlpatterns = [
    path("", views.guide, name="guide"),
    path("graph/page/", views.graph, name="graph"),
    path("<slug:key>/", views.begin, name="begin"),
]
