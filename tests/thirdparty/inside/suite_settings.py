"""The settings of a package's own tests, bare or with every room of the inspector on.

Not imported as part of ``tests``: it stands on the path beside the package's own ``tests``.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

SECRET_KEY = "for the tests alone"
USE_TZ = True

_asked: dict[str, Any] = json.loads(os.environ["SUITE"])
if _asked["settings"]:
    _module, _, _name = _asked["settings"].partition(":")
    _found = import_module(_module)
    globals().update(getattr(_found, _name) if _name else vars(_found))
globals().update(_asked["more"])

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real ones take long

# What a package tests on servers too is tested on SQLite alone.
DATABASES = {
    alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    for alias in globals().get("DATABASES", {"default": {}})
}

if _asked["inspected"]:
    # Lists or tuples, as the package has them: its tests add to them.
    _apps, _middleware = globals()["INSTALLED_APPS"], globals().get("MIDDLEWARE", [])
    INSTALLED_APPS = type(_apps)(["signal_inspector", "signal_inspector.audit", *_apps])
    MIDDLEWARE = type(_middleware)(
        ["signal_inspector.audit.middleware.AuditMiddleware", *_middleware]
    )
    SIGNAL_INSPECTOR = {
        "INCLUDE": ["*"],
        "EXCLUDE": [],
        "SINKS": [
            "suite_plugin.Everything",
            "signal_inspector.tracing.TracingSink",
            "signal_inspector.watch.WatchSink",
        ],
        # Django's own signals are sent for every row; the other sinks hear them.
        "AUDIT": {"EXCLUDE": ["django.*"]},
    }
