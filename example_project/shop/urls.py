from __future__ import annotations

from django.urls import path

from shop import views

app_name = "shop"
urlpatterns = [
    path("", views.catalog, name="catalog"),
    path("spell/", views.spell, name="spell"),
    path("flags/<slug:slug>/", views.product, name="product"),
    path("flags/<slug:slug>/basket/", views.put_in_basket, name="put_in_basket"),
    path("basket/", views.basket, name="basket"),
    path("checkout/", views.CheckoutView.as_view(), name="checkout"),
    path("orders/<int:pk>/thanks/", views.thanks, name="thanks"),
]
