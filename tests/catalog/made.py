"""Modules made for one test, and a small project on a disk."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.catalog.sources_written import write

ROOT = Path(__file__).resolve().parent.parent.parent


_former: dict[str, ModuleType] = {}


def module(monkeypatch: pytest.MonkeyPatch, name: str, source: str, path: str = "") -> Any:
    """A loaded module of this name that has run this source.

    One of a former test loses what it holds: a cache of Django's may keep a receiver of it, and
    with that its signals, which the catalog would list.
    """
    former = _former.get(name)
    if former is not None and sys.modules.get(name) is not former:
        vars(former).clear()
    made = _former[name] = ModuleType(name)
    made.__file__ = path or f"/srv/{name.replace('.', '/')}.py"
    monkeypatch.setitem(sys.modules, name, made)
    exec(compile(source, made.__file__, "exec"), vars(made))
    return made


FILES: dict[str, str | bytes] = {
    "manage.py": """
        import os, sys
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        from django.core.management import execute_from_command_line
        execute_from_command_line(sys.argv)
    """,
    "config/settings.py": """
        import os
        SECRET_KEY = "for the tests alone"
        DEBUG = os.environ.get("DEBUG") == "1"
        ROOT_URLCONF = "config.urls"
        MIDDLEWARE = ["config.lost.Middleware"] if os.environ.get("LOST") else []
        USE_TZ = True
        apps = ["django.contrib.contenttypes", "django.contrib.auth", "early", "shop"]
        place = int(os.environ.get("PLACE", 0))
        INSTALLED_APPS = [*apps[:place], "signal_inspector", *apps[place:]]
    """,
    "config/urls.py": "from shop import views\nprint('a module may print')\nurlpatterns = []\n",
    # Imported before the wrapper is installed where the inspector is not listed first.
    "early/__init__.py": "",
    "early/apps.py": """
        from django.apps import AppConfig
        from django.dispatch import Signal
        class Desk: pass
        opened = Signal()
        def greet(**kwargs): pass
        async def agreet(**kwargs): pass
        opened.connect(agreet, weak=False)
        opened.connect(greet, sender=Desk, dispatch_uid="greet")
        opened.connect(greet)
        class EarlyConfig(AppConfig):
            name = "early"
    """,
    "shop/apps.py": """
        from django.apps import AppConfig
        class ShopConfig(AppConfig):
            name = "shop"
            def ready(self):
                import shop.receivers  # noqa: F401
                from shop.signals import order_placed
                order_placed.connect(shop.receivers.thank, dispatch_uid="again")
                order_placed.connect(lambda **kwargs: None)
                order_placed.connect(shop.receivers.Letters().write)
    """,
    "shop/models.py": """
        from django.db import models
        class Order(models.Model):
            pass
        class Gift(models.Model):
            pass
    """,
    "shop/signals.py": """
        from django.dispatch import Signal
        order_placed = Signal()
        paid = Signal()
        class Cart:
            emptied = Signal()
    """,
    "shop/receivers.py": """
        from django.db.models.signals import post_save
        from django.dispatch import receiver
        from shop.models import Gift
        from shop.signals import order_placed
        @receiver(order_placed)
        async def index(**kwargs): pass
        @receiver(order_placed)
        def thank(**kwargs): pass
        @receiver(order_placed, sender=Gift)
        def wrap(**kwargs): pass
        @receiver(post_save, sender="shop.Order")
        def saved(**kwargs): pass
        @receiver(post_save, sender="shop.Ordr")
        def mistyped(**kwargs): pass
        @receiver(post_save, sender="shopp.Order", weak=False, dispatch_uid="lazy")
        async def elsewhere(**kwargs): pass
        class Letters:
            def write(self, **kwargs): pass
        def late(**kwargs): pass
        def connect_late():
            order_placed.connect(late, sender=Gift)
    """,
    "shop/views.py": """
        from django.dispatch import receiver
        from shop.signals import order_placed
        @receiver(order_placed)
        def show(**kwargs): pass
        def place(request):
            order_placed.send(sender=None, order=1)
    """,
    "shop/forgotten.py": """
        from django.dispatch import Signal, receiver
        from shop.signals import order_placed
        never_made = Signal()
        @receiver(order_placed)
        def nobody_calls(**kwargs): pass
    """,
}


class Project:
    """The project above, on a disk."""

    def __init__(self, directory: Path) -> None:
        self.directory = write(directory, FILES)

    def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        """What ``manage.py signals`` prints, errors behind it; warnings are errors."""
        kept = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
        finished = subprocess.run(
            [sys.executable, "-W", "error", "manage.py", "signals", *arguments],
            cwd=self.directory,
            env={**kept, "PYTHONPATH": str(ROOT), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = finished.stderr.replace("a module may print\n", "")
        assert finished.returncode == status, finished.stdout + said
        return finished.stdout + said
