"""Settings of the example shop. Made for a demo on your own machine, not for production.

Environment variables, all optional:

======================  ===========================================================
SHOP_DATA_DIR           where the database and the e-mails are kept (default: var/)
SHOP_DEBUG              0 switches DEBUG, and with it the toolbar, off
SHOP_ALLOWED_HOSTS      host names, separated by commas (default: localhost)
SHOP_WITHOUT_INSPECTOR  1 runs the bare shop, to compare
SHOP_RENDER_PANELS      0 or 1: the toolbar's RENDER_PANELS (default: it decides)
SHOP_SHADOW_DOM         0 or 1: the toolbar's USE_SHADOW_DOM (default: 1)
SHOP_STORE              memory, database or cache: where the toolbar keeps requests
SHOP_TELEMETRY          0 switches OpenTelemetry, and with it the traces, off
SHOP_POSTGRES           name of a PostgreSQL database to use (PGHOST, PGUSER and so on count)
======================  ===========================================================

OTEL_EXPORTER_OTLP_ENDPOINT and the other variables of OpenTelemetry count too: see telemetry.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import django

from config import optional

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(os.environ.get("SHOP_DATA_DIR", BASE_DIR / "var"))
MAILBOX_DIR = DATA_DIR / "mailbox"
MAILBOX_DIR.mkdir(parents=True, exist_ok=True)

WITH_INSPECTOR = os.environ.get("SHOP_WITHOUT_INSPECTOR") != "1"
TELEMETRY_MISSING = optional.missing(optional.TELEMETRY)
WITH_TELEMETRY = os.environ.get("SHOP_TELEMETRY", "1") == "1" and not TELEMETRY_MISSING
DEBUG = os.environ.get("SHOP_DEBUG", "1") == "1"
DEMO = DEBUG  # whether the page /guide/ may log people in
SHOP_NAME = "Bunting"
SECRET_KEY = "a demo on your own machine needs no secret"
ALLOWED_HOSTS = [host for host in os.environ.get("SHOP_ALLOWED_HOSTS", "").split(",") if host]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
ASGI_APPLICATION = "config.asgi.application"
TEST_RUNNER = "config.runner.ShopRunner"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    # First, so that it sees the receivers of every app below connect.
    *(["signal_inspector", "signal_inspector.audit"] if WITH_INSPECTOR else []),
    "debug_toolbar",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    # The shop. Receivers run in the order in which they connect, so this order counts.
    "shop",
    "coupons",
    "loyalty",
    "inventory",
    "analytics",
    "billing",
    "shipping",
    "payments",
    "accounts",
    "comments",
    "pricing",
    "notifications",
    "staff",
    "outbox",
    "traces",
    "guide",
]

MIDDLEWARE = [
    # First, so that the audit knows the request of whatever is sent below.
    *(["signal_inspector.audit.middleware.AuditMiddleware"] if WITH_INSPECTOR else []),
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.content_security_policy",
    "debug_toolbar.middleware.DebugToolbarMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "shop.basket.in_templates",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATA_DIR / "db.sqlite3",
        "OPTIONS": {
            "init_command": "PRAGMA journal_mode=WAL",
            "transaction_mode": "IMMEDIATE",
        },
    },
}
if os.environ.get("SHOP_POSTGRES"):
    DATABASES["default"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["SHOP_POSTGRES"],
    }
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Every e-mail becomes a file, and the page /mailbox/ shows it.
if django.VERSION >= (6, 1):
    MAILERS = {"default": {"BACKEND": "outbox.backend.EmailBackend"}}
else:
    EMAIL_BACKEND = "outbox.backend.EmailBackend"
DEFAULT_FROM_EMAIL = "Bunting <shop@bunting.example>"

LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "accounts:profile"
LOGOUT_REDIRECT_URL = "shop:catalog"
AUTH_PASSWORD_VALIDATORS: list[dict[str, str]] = []  # so that demo users may be admin/admin

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "{levelname:<7} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "short"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO", "propagate": False}},
}

# The inspector, the debug toolbar that shows it, and the audit that keeps it.
SIGNAL_INSPECTOR = {
    "SINKS": [
        *(["signal_inspector.tracing.TracingSink"] if WITH_TELEMETRY else []),
        # For `manage.py signals watch` in a second terminal.
        *(["signal_inspector.watch.WatchSink"] if DEBUG else []),
    ],
    "TRACING": {"LOG_FAILURES": True},
    "TRACE_URL": "/traces/{trace_id}/",
    "TOOLBAR": {"EDITOR_URL": "vscode://file/{path}:{line}"},
    "AUDIT": {
        # Thousands for each price list, and nobody will ask for one of them.
        "EXCLUDE": ["pricing.signals.product_imported"],
        "RULES": {  # the first that matches a signal counts
            # What visitors write is theirs: which comment it was will do, for three months.
            "comments.*": {"PAYLOAD": "objects", "KEEP_DAYS": 90},
            # What has to do with money: for ten years.
            "payments.*": {"RESPONSES": True, "KEEP_DAYS": 3650},
            "*": {"RESPONSES": True, "KEEP_DAYS": 365, "KEEP_FAILURES_DAYS": 730},
        },
        # Nobody likes to wait in a demo. Without this line it is five minutes.
        "RETRY_MINIMUM_AGE": 5,
    },
}

# The last traces, for the page /traces/.
TRACES_FILE = DATA_DIR / "traces.jsonl"
TRACES_FILE_BYTES = 16_000_000  # of this file, and of the one before it

DEBUG_TOOLBAR_PANELS = [
    "debug_toolbar.panels.history.HistoryPanel",
    *(["signal_inspector.toolbar.SignalInspectorPanel"] if WITH_INSPECTOR else []),
    "debug_toolbar.panels.versions.VersionsPanel",
    "debug_toolbar.panels.timer.TimerPanel",
    "debug_toolbar.panels.headers.HeadersPanel",
    "debug_toolbar.panels.request.RequestPanel",
    "debug_toolbar.panels.sql.SQLPanel",
    "debug_toolbar.panels.staticfiles.StaticFilesPanel",
    "debug_toolbar.panels.templates.TemplatesPanel",
    "debug_toolbar.panels.cache.CachePanel",
    "debug_toolbar.panels.signals.SignalsPanel",
]
DEBUG_TOOLBAR_CONFIG = {
    "SHOW_TOOLBAR_CALLBACK": "config.toolbar.show_toolbar",
    "TOOLBAR_STORE_CLASS": {
        "memory": "debug_toolbar.store.MemoryStore",
        "database": "debug_toolbar.store.DatabaseStore",
        "cache": "debug_toolbar.store.CacheStore",
    }[os.environ.get("SHOP_STORE", "memory")],
    "RENDER_PANELS": {"0": False, "1": True}.get(os.environ.get("SHOP_RENDER_PANELS", "")),
    "USE_SHADOW_DOM": os.environ.get("SHOP_SHADOW_DOM", "1") == "1",
    "IS_RUNNING_TESTS": False,  # tests run without DEBUG, and so without the toolbar
}
