from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views import View
from django.views.decorators.http import require_POST

from payments.gateway import DEMO_CARDS
from shop.basket import Basket
from shop.exceptions import CheckoutRefused
from shop.forms import CheckoutForm, QuantityForm, SpellForm
from shop.models import Order, Product
from shop.services import Checkout
from shop.signals import order_completed


def catalog(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/catalog.html", {"products": Product.objects.all()})


def product(request: HttpRequest, slug: str) -> HttpResponse:
    flag = get_object_or_404(Product.objects.select_related("stock"), slug=slug)
    comments = flag.comments.filter(removed=False).select_related("author")
    return render(request, "shop/product.html", {"product": flag, "comments": comments})


def basket(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/basket.html", {"lines": list(Basket(request))})


@require_POST
def put_in_basket(request: HttpRequest, slug: str) -> HttpResponse:
    flag = get_object_or_404(Product, slug=slug)
    form = QuantityForm(request.POST)
    if form.is_valid():
        Basket(request).set(flag, form.cleaned_data["quantity"])
    return redirect("shop:basket")


@require_POST
def spell(request: HttpRequest) -> HttpResponse:
    form = SpellForm(request.POST)
    flags = Basket(request).spell(form.cleaned_data["word"]) if form.is_valid() else 0
    if not flags:
        messages.error(request, "No flag says that. Letters from A to Z do.")
        return redirect("shop:catalog")
    messages.success(request, f"{flags} flags are in your basket.")
    return redirect("shop:basket")


class CheckoutView(LoginRequiredMixin, View):
    """Address and card; then the order is placed, or nothing is."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not len(Basket(request)):
            return redirect("shop:basket")
        initial = {
            "name": request.user.get_full_name() or request.user.username,
            "address": "1 Harbour Street, Portsmouth",
            "card_number": request.GET.get("card") or DEMO_CARDS[0].number,
            "coupon": request.GET.get("coupon", ""),
        }
        return self.show(request, CheckoutForm(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        basket = Basket(request)
        if not len(basket):
            return redirect("shop:basket")
        form = CheckoutForm(request.POST)
        if not form.is_valid():
            return self.show(request, form)
        details = form.cleaned_data
        checkout = Checkout(request.user, basket, details.pop("coupon"))
        try:
            order = checkout.place(**details)
        except CheckoutRefused as refused:
            form.add_error(refused.field, str(refused))
            return self.show(request, form)
        order_completed.send(sender=self.__class__, order=order, user=request.user)
        basket.clear()
        return redirect("shop:thanks", order.pk)

    def show(self, request: HttpRequest, form: CheckoutForm) -> HttpResponse:
        context = {"form": form, "lines": list(Basket(request)), "demo_cards": DEMO_CARDS}
        return render(request, "shop/checkout.html", context)


@login_required
def thanks(request: HttpRequest, pk: int) -> HttpResponse:
    orders = Order.objects.prefetch_related("lines__product")
    order = get_object_or_404(orders, pk=pk, user=request.user)
    return render(request, "shop/thanks.html", {"order": order})
