"""A project that knows nothing of Signal Inspector, nor of OpenTelemetry."""

from __future__ import annotations

import os

SECRET_KEY = "for the tests alone"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.otlp.shop.urls"
INSTALLED_APPS = ["tests.otlp.shop"]
MIDDLEWARE: list[str] = []
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["OTLP_SHOP_DATABASE"]},
}
