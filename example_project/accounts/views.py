from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts import services
from accounts.forms import RegistrationForm


def register(request: HttpRequest) -> HttpResponse:
    form = RegistrationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = services.register(**form.cleaned_data, site=request.build_absolute_uri("/"))
        login(request, user)
        messages.success(request, "Welcome! There is an e-mail for you in the mailbox.")
        return redirect("accounts:profile")
    return render(request, "accounts/register.html", {"form": form})


def verify(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the link asks, and only the button verifies: mail scanners open links too."""
    user = services.user_of_token(token)
    verified = False
    if user is not None and request.method == "POST":
        verified = services.verify(user)
    context = {"customer": user, "verified": verified}
    return render(request, "accounts/verify.html", context)


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    orders = request.user.orders.prefetch_related("lines__product")
    context = {
        "orders": orders[:10],
        "profile": getattr(request.user, "profile", None),
        "loyalty": getattr(request.user, "loyalty_account", None),
    }
    return render(request, "accounts/profile.html", context)
