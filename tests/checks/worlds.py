"""Small projects for the checks to judge: modules of this process, or whole ones."""

from __future__ import annotations

import functools
import gc
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector.checks import facts
from signal_inspector.checks.connecting import fleeting
from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Checks, Finding
from signal_inspector.checks.signals import Rule, findings
from signal_inspector.core import internal_errors
from signal_inspector.core.wrapper import connection_log
from signal_inspector.names.scan import by_name, walk
from signal_inspector.names.signals import signal_name, signal_names
from signal_inspector.source_code.project import read_directory

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 120  # seconds
OWN = ("bazaar", "twin")  # packages of the tests


def write(directory: Path, files: Mapping[str, str]) -> None:
    """Files by their paths below a directory; packages get their __init__.py."""
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        for parent in path.relative_to(directory).parents[:-1]:
            (directory / parent / "__init__.py").touch()


@functools.cache
def _signals_of(modules: frozenset[tuple[str, ModuleType]]) -> dict[str, Signal]:
    """The signals of these modules by name: those of Django stay the same from test to test."""
    held = dict(sorted(modules, key=itemgetter(0)))
    return {signal_name(signal): signal for signal, _ in walk(by_name(held), set())}


class World:
    """A package ``bazaar`` in this process. Its receivers are connected after start-up."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        monkeypatch.syspath_prepend(str(directory))
        monkeypatch.setattr(
            Facts, "sources", property(lambda facts: read_directory(str(directory)))
        )
        monkeypatch.setattr(facts, "loaded_signals", self.signals)

    @staticmethod
    def signals() -> dict[str, Signal]:
        """What ``loaded_signals`` says, of the modules that can matter here: all are very many."""
        loaded = dict.copy(sys.modules)
        django = _signals_of(
            frozenset(item for item in loaded.items() if item[0].startswith("django."))
        )
        for name, signal in django.items():
            signal_names.set(signal, name)  # to find them anew, every module is looked through
        near = {name: loaded[name] for name in loaded if name.partition(".")[0] in OWN}
        own = {signal_name(signal): signal for signal, _ in walk(by_name(near), set())}
        return {**django, **own}

    def load(self, source: str, name: str = "bazaar.signals") -> ModuleType:
        """Write a module and import it."""
        write(self.directory, {f"{name.replace('.', '/')}.py": source})
        return import_module(name)

    def find(self, *rules: Rule, **options: Any) -> list[Finding]:
        """What rules find in the package; none of them may fail."""
        # Who holds a receiver is not seen among frozen objects: such a test uses all_objects_seen.
        assert fleeting not in rules or not gc.get_freeze_count()
        gc.collect()
        found = findings(Facts(Checks(**{"include": ("bazaar*",), **options})), rules)
        assert internal_errors.counts() == {}
        return found

    def line(self, text: str, name: str = "bazaar.signals") -> int:
        """The number of the first line that holds a text."""
        path = self.directory / f"{name.replace('.', '/')}.py"
        lines = path.read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)


def forget_modules() -> None:
    """Unload every module of the world, and first what is connected in it.

    A ``weakref.WeakMethod`` that is collected along with its function complains in its callback.
    """
    for name in list(sys.modules):
        if name.partition(".")[0] in OWN:
            for value in vars(sys.modules.pop(name)).values():
                if isinstance(value, Signal):
                    value.receivers = []
                    connection_log._log.pop(value)


class Project:
    """A project with one app, ``stall``, run by its own processes."""

    SETTINGS = """
        SECRET_KEY = "x"
        INSTALLED_APPS = ["signal_inspector", *APPS]
        DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        ROOT_URLCONF = "market.urls"
        STATIC_URL = "/static/"
        """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.write({"market/urls.py": "urlpatterns = []", "stall/models.py": ""})
        self.settings()

    def settings(self, extra: str = "", apps: tuple[str, ...] = ("stall",)) -> None:
        """Settings with these lines at their end."""
        head = f"APPS = {list(apps)!r}\n{dedent(self.SETTINGS)}"
        self.write({"market/settings.py": f"{head}\n{dedent(extra)}"})

    def write(self, files: Mapping[str, str]) -> None:
        write(self.directory, files)

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """``python -m django ARGUMENTS`` in the project's directory."""
        return self.python("-m", "django", *arguments, **environment)

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.directory), str(ROOT)])
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.directory,
            env={
                **os.environ,
                "PYTHONPATH": path,
                "DJANGO_SETTINGS_MODULE": "market.settings",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def ids(self, *arguments: str, **environment: str) -> list[tuple[str, str]]:
        """``(id, subject)`` of what a command's checks say, in order; the command must succeed."""
        done = self.run(*(arguments or ("check",)), **environment)
        assert done.returncode == 0, done.stderr
        return ids_in(done.stdout + done.stderr)


def ids_in(said: str) -> list[tuple[str, str]]:
    """``(id, subject)`` of each message of our checks in an output."""
    found = []
    for line in said.splitlines():
        subject, mark, rest = line.partition(": (signal_inspector.")
        if mark:
            found.append((rest.partition(")")[0], subject))
    return found
