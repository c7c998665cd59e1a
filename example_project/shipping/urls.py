from __future__ import annotations

from django.urls import path

from shipping import views

app_name = "shipping"
urlpatterns = [path("<int:order_id>/track/", views.track, name="track")]
