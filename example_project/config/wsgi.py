"""The shop for WSGI servers."""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

if settings.WITH_TELEMETRY:  # before the middleware is loaded, to which it adds its own
    from config import telemetry

    telemetry.start()
application = get_wsgi_application()
