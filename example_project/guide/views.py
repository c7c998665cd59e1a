from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from guide.steps import CHAPTERS, STEPS, WORD, destination
from shop.basket import Basket
from signal_inspector.graph import LayoutMissingError, as_html
from signal_inspector.graph.building import project_graph


def guide(request: HttpRequest) -> HttpResponse:
    context = {
        "chapters": CHAPTERS,
        "is_traced": settings.WITH_TELEMETRY,
        "missing": settings.TELEMETRY_MISSING,
    }
    return render(request, "guide/guide.html", context)


def graph(request: HttpRequest) -> HttpResponse:
    """The signals of the shop as a page to explore: what `manage.py signals graph` writes."""
    try:
        page = as_html(project_graph(), title=settings.SHOP_NAME)
    except LayoutMissingError as error:
        messages.error(request, str(error))
        return redirect("guide:guide")
    # It is one file for anywhere, and has a policy of its own: its script and style by their hash.
    return HttpResponse(page, headers={"Content-Security-Policy": "frame-ancestors 'none'"})


@require_POST
def begin(request: HttpRequest, key: str) -> HttpResponse:
    """Log in who is needed for a step, fill the basket, and go where the step begins."""
    if not settings.DEMO or key not in STEPS:
        raise Http404("Only the demo logs people in without a password.")
    step = STEPS[key]
    if step.username:
        user = User.objects.filter(username=step.username).first()
        if user is None:
            messages.error(request, "The shop is empty: run “manage.py demo_data” first.")
            return redirect("guide:guide")
        login(request, user)
    else:
        logout(request)
    basket = Basket(request)
    basket.clear()
    basket.spell(WORD)
    return redirect(destination(request, key))
