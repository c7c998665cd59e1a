"""Two pages, one sync and one async; each answers with the process that served it."""

from __future__ import annotations

import os

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.tracing.project.signals import placed, shipped


def place(request: HttpRequest, token: str) -> HttpResponse:
    placed.send_robust(sender=None, token=token)
    return HttpResponse(str(os.getpid()))


async def ship(request: HttpRequest, token: str) -> HttpResponse:
    await shipped.asend_robust(sender=None, token=token)
    return HttpResponse(str(os.getpid()))


urlpatterns = [path("place/<token>", place), path("ship/<token>", ship)]
