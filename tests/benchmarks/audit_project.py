"""A project with the audit's admin on a database of its own, for the figures of a large log."""

from __future__ import annotations

import os
from typing import Any

from tests.databases import entry


def database(where: str) -> dict[str, Any]:
    """An entry of ``DATABASES`` for the name of a SQLite file, or for the URL of a server."""
    if "://" in where:
        return entry(where)
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": where}


def set_up(where: str, *, with_admin: bool = False, **audit: Any) -> None:
    """Set Django up with that database. Nothing is audited where ``audit`` says nothing else."""
    import django
    from django.conf import settings

    os.environ.pop("SIGNAL_INSPECTOR_TEST_DATABASE", None)
    from tests import settings as usual

    values = {name: getattr(usual, name) for name in dir(usual) if name.isupper()}
    apps = [app for app in usual.INSTALLED_APPS if not app.startswith("tests.")]
    apps = [app for app in apps if app != "django.contrib.admin"]
    if with_admin:
        apps.append("django.contrib.admin")
    values |= {
        "INSTALLED_APPS": apps,
        "DATABASES": {"default": database(where)},
        **({"ROOT_URLCONF": "tests.benchmarks.audit_urls"} if with_admin else {}),
        "SIGNAL_INSPECTOR": {"AUDIT": audit or {"EXCLUDE": ("*",)}},
    }
    settings.configure(**values)
    django.setup()
