"""The settings of a project that does not install the inspector."""

from __future__ import annotations

SECRET_KEY = "for the tests alone"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
