"""When the debug toolbar shows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


def show_toolbar(request: HttpRequest) -> bool:
    """Always in the demo, from whichever address it is opened (a container, another machine).

    But on the graph: that page lets no script run but its own.
    """
    return settings.DEBUG and request.path != reverse("guide:graph")
