"""The shop for ASGI servers: ``uvicorn config.asgi:application --app-dir example_project``."""

from __future__ import annotations

import os

from django.conf import settings
from django.contrib.staticfiles.handlers import ASGIStaticFilesHandler
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

if settings.WITH_TELEMETRY:  # before the middleware is loaded, to which it adds its own
    from config import telemetry

    telemetry.start()
application = get_asgi_application()
if settings.DEBUG:  # as runserver does
    application = ASGIStaticFilesHandler(application)
