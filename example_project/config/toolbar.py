"""When the debug toolbar shows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def show_toolbar(request: HttpRequest) -> bool:
    """Always in the demo, from whichever address it is opened (a container, another machine)."""
    return settings.DEBUG
