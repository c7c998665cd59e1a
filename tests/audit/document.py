"""The examples of docs/audit.md, and a project that is made of them."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tracing.processes import ROOT

TEXT = (ROOT / "docs" / "audit.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
_PYTHON = re.compile(r"^```python\n# (shop/[\w/]+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_BASE = """
import os
SECRET_KEY = "for the tests alone"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "shop.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite3"}}
"""
_FILES = {
    "manage.py": """
import os
import sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
    "shop/__init__.py": "",
    "shop/models.py": """
from django.db import models
from django.dispatch import Signal
order_placed = Signal()
class Order(models.Model):
    pass
""",
    "shop/urls.py": """
from django.http import HttpResponse
from django.urls import path
from shop.models import Order, order_placed
async def place(request, number):
    await order_placed.asend(None, order=Order(pk=number))
    return HttpResponse("done")
urlpatterns = [path("place/<int:number>/", place)]
""",
}


def examples(name: str) -> list[str]:
    """The examples of a file of this name, in the order of the document."""
    return [source for path, source in _PYTHON.findall(TEXT) if path == name]


def example(name: str) -> str:
    """The only one."""
    [source] = examples(name)
    return source


def settings() -> list[dict[str, Any]]:
    """What each example of settings defines."""
    defined: list[dict[str, Any]] = []
    for source in examples("shop/settings.py"):
        names: dict[str, Any] = {}
        exec(source, names)
        defined.append({name: value for name, value in names.items() if name.isupper()})
    return defined


def commands(name: str) -> list[list[str]]:
    """The arguments of this command, wherever it stands in a block of the document."""
    lines = [line for block in _CONSOLE.findall(TEXT) for line in block.splitlines()]
    start = ["python", "manage.py", name]
    return [words[3:] for words in map(shlex.split, lines) if words[:3] == start]


def section(heading: str, text: str = TEXT) -> str:
    """A section of the document, with those inside of it."""
    text = _FENCE.sub("", text)
    found = re.search(
        rf"^{re.escape(heading)}$(.*?)(?=^#{{1,{heading.index(' ')}}} |\Z)",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert found is not None, heading
    return found[1]


def first_cells(heading: str, text: str = TEXT) -> list[str]:
    """What stands in backticks in the first cells of a section's tables."""
    rows = re.findall(r"^\|([^|]*)\|", section(heading, text), re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`\"?([^`\"]+)\"?`", row)]


@dataclass(frozen=True, slots=True)
class Project:
    """A project on a disk, with the settings of the examples that are chosen."""

    directory: Path

    def write(self, *chosen: int, **audit: Any) -> None:
        """Write it; ``chosen`` are examples of settings by their place in the document."""
        defined: dict[str, Any] = {}
        for each in chosen:
            defined |= settings()[each]
        if audit:
            defined["SIGNAL_INSPECTOR"]["AUDIT"] |= audit
        for name in ("INSTALLED_APPS", "MIDDLEWARE"):
            defined[name] = [entry for entry in defined.get(name, []) if entry is not ...]
        for entry in defined.get("DATABASES", {}).values():
            entry["NAME"] = str(self.directory / entry["NAME"])
        own = ["django.contrib.contenttypes", "django.contrib.auth", "shop"]
        defined["INSTALLED_APPS"] += own
        (self.directory / "shop").mkdir()
        lines = [f"{name} = {value!r}" for name, value in defined.items()]
        files = _FILES | {"shop/settings.py": _BASE + "\n".join(lines) + "\n"}
        files |= {
            name: example(name) for name in ("shop/asgi.py", "shop/jobs.py", "shop/tests.py")
        }
        for name, source in files.items():
            (self.directory / name).write_text(source)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
        path = os.pathsep.join((str(self.directory), str(ROOT)))
        own = {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "shop.settings"}
        return kept | own | {"SPANS_IN": str(self.directory)}  # where a server's log goes

    def run(self, *arguments: str) -> str:
        """Run Python in the project; what it printed."""
        finished = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, finished.stdout
        return finished.stdout

    def log(self) -> list[dict[str, Any]]:
        """The log as ``signal_audit export`` has it, each dispatch with its context."""
        file = self.directory / "log.jsonl"
        self.run("manage.py", "signal_audit", "export", "--force", "--output", str(file))
        lines = file.read_text().splitlines()
        return [{**each["dispatch"], **each["context"]} for each in map(json.loads, lines)]
