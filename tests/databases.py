"""The databases that the tests run on: SQLite in memory, or the server that a variable names.

``SIGNAL_INSPECTOR_TEST_DATABASE=postgresql://user:password@host:port/name`` (or ``mysql://…``,
also for MariaDB) puts both aliases on that server. What is not a server is a mistake, never a
reason to test on SQLite instead.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit

VARIABLE = "SIGNAL_INSPECTOR_TEST_DATABASE"

_ENGINES = {
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}


def databases() -> dict[str, dict[str, Any]]:
    """``DATABASES`` for the tests: "default" and "other"."""
    url = os.environ.get(VARIABLE, "")
    if not url:
        memory = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
        return {"default": dict(memory), "other": dict(memory)}
    # Nothing is shared between the two: pytest-xdist's processes have databases of their own, for
    # which pytest-django writes into TEST.
    other = entry(url)
    other["NAME"] += "_other"
    return {"default": entry(url), "other": other}


def entry(url: str) -> dict[str, Any]:
    """The entry of ``DATABASES`` for a URL; ValueError says what a URL has to be."""
    parts = urlsplit(url)
    name = parts.path.lstrip("/")
    if parts.scheme not in _ENGINES or not parts.hostname or not name:
        known = " or ".join(f"{scheme}://user:password@host:port/name" for scheme in _ENGINES)
        raise ValueError(f"{VARIABLE} has to be {known}.")
    if parts.scheme == "mysql":
        settle_for_pymysql()
    return {
        # Without it MariaDB takes the server's own, which may be Latin-1.
        "TEST": {"CHARSET": "utf8mb4"} if parts.scheme == "mysql" else {},
        "ENGINE": _ENGINES[parts.scheme],
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": str(parts.port or ""),
    }


def settle_for_pymysql() -> None:
    """Let PyMySQL, which needs no compiler, stand for mysqlclient where that is not installed."""
    if find_spec("MySQLdb") is not None:
        return
    import pymysql

    pymysql.version_info = (2, 2, 8, "final", 0)
    pymysql.install_as_MySQLdb()
