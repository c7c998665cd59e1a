"""Settings of the programs that tests of the audit start: the log is in a database of its own."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.databases import settle_for_pymysql

_given: dict[str, Any] = json.loads(os.environ["AUDIT_TEST_PROGRAM"])

if _given["database"]["ENGINE"].endswith(".mysql"):
    settle_for_pymysql()

SECRET_KEY = "for the tests alone"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "tests.audit.program_urls"
INSTALLED_APPS = ["signal_inspector", "signal_inspector.audit"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
    "audit": _given["database"],
}
SIGNAL_INSPECTOR = {"AUDIT": {"DATABASE": "audit", **_given["audit"]}}
