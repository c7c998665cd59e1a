from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from outbox import letters


def mailbox(request: HttpRequest) -> HttpResponse:
    """Every e-mail that the shop has sent, to whomever: there are no secrets in a demo."""
    if request.method == "POST":
        letters.empty()
        return redirect("outbox:mailbox")
    return render(request, "outbox/mailbox.html", {"letters": letters.letters()})
