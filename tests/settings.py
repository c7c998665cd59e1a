"""The smallest project that the tests need: two databases in memory, no DEBUG."""

from __future__ import annotations

from pathlib import Path

from tests.databases import databases

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "for the tests alone"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
INTERNAL_IPS = ["127.0.0.1"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "debug_toolbar",
    "signal_inspector",
    "signal_inspector.audit",
]
# Each set of tests that needs models keeps them in an app of its own beside its tests.
INSTALLED_APPS += [f"tests.{path.parent.name}" for path in sorted(BASE_DIR.glob("*/models.py"))]

MIDDLEWARE = [
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = databases()

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# The toolbar turns itself off while tests run, and says so in a check, unless told that this is
# meant. The panel is listed as soon as it can be found.
DEBUG_TOOLBAR_CONFIG = {"IS_RUNNING_TESTS": False}
DEBUG_TOOLBAR_PANELS = [
    "debug_toolbar.panels.history.HistoryPanel",
    "debug_toolbar.panels.timer.TimerPanel",
    "debug_toolbar.panels.request.RequestPanel",
    "debug_toolbar.panels.sql.SQLPanel",
]
if (BASE_DIR.parent / "signal_inspector" / "toolbar" / "panel.py").exists():
    DEBUG_TOOLBAR_PANELS.append("signal_inspector.toolbar.SignalInspectorPanel")
