from __future__ import annotations

from django.urls import path

from comments import views

app_name = "comments"
urlpatterns = [
    path("on/<slug:slug>/", views.add, name="add"),
    path("<int:pk>/flag/", views.flag, name="flag"),
    path("moderation/", views.moderation, name="moderation"),
    path("<int:pk>/decide/", views.decide, name="decide"),
]
