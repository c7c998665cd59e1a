"""Settings of the programs that tests of the audit start: the log is in a database of its own."""

from __future__ import annotations

import json
import os
from typing import Any

from signal_inspector.audit.settings import Audit
from signal_inspector.setting_rules import keys
from tests.databases import settle_for_pymysql

_DEFAULTS: dict[str, Any] = Audit.__init__.__kwdefaults__  # type: ignore[assignment]
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
_audit = _given["audit"]
# What is no setting, and some of these programs need another way.
_fixed = {
    key: _audit.pop(key)
    for key in [*_audit]
    if key.lower() in _DEFAULTS and key not in keys(Audit)
}
_DEFAULTS.update({key.lower(): value for key, value in _fixed.items()})
SIGNAL_INSPECTOR = {"AUDIT": {"DATABASE": "audit", **_audit}}
