"""Settings for the servers of these tests: the project of the tracing tests, to be watched."""

import os

from tests.tracing.project.settings import (
    ALLOWED_HOSTS,
    DEBUG,
    INSTALLED_APPS,
    MIDDLEWARE,
    ROOT_URLCONF,
    SECRET_KEY,
    USE_TZ,
)

__all__ = [
    "ALLOWED_HOSTS",
    "DEBUG",
    "INSTALLED_APPS",
    "MIDDLEWARE",
    "ROOT_URLCONF",
    "SECRET_KEY",
    "USE_TZ",
]

SIGNAL_INSPECTOR = {
    "SINKS": ["signal_inspector.watch.WatchSink"],
    "WATCH": {"DIRECTORY": os.environ.get("WATCH_DIRECTORY", "")},
}
