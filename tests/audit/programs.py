"""Programs of their own that send signals, so that they can fork, end and be killed."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]
real = pytest.mark.django_db(transaction=True)

DEADLINE = 60.0  # seconds until a test gives up waiting, on a busy machine

PRELUDE = """
import os, signal, sys, threading, time
import django
django.setup()
from django.db import connections, transaction
from django.dispatch import Signal
from signal_inspector.audit.delivery.current import flush, process

placed = Signal()

def receiver(**kwargs): pass

placed.connect(receiver)

def place(count, start=0):
    for number in range(start, start + count):
        placed.send(None, n=number)

def wait_for(condition):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("waited too long")
        time.sleep(0.005)

def announced():
    from signal_inspector.audit.models import Writer
    rows = Writer.objects.using("audit")
    wait_for(lambda: rows.filter(pid=os.getpid(), waiting__gt=0).exists())
"""


def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until it is true; fail after ``DEADLINE``."""
    end = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.01)
    return found


@dataclass
class Programs:
    """Starts programs and looks at their log."""

    directory: Path
    database: dict[str, Any]
    audit: dict[str, Any] = field(default_factory=dict)

    def start(self, code: str, **audit: Any) -> subprocess.Popen[str]:
        """Start a program; ``audit`` adds to its settings."""
        path = self.directory / f"program_{time.monotonic_ns()}.py"
        path.write_text(PRELUDE + textwrap.dedent(code))
        settings = {"database": self.database, "audit": {**self.audit, **audit}}
        environ = {
            **os.environ,
            "AUDIT_TEST_PROGRAM": json.dumps(settings),
            "DJANGO_SETTINGS_MODULE": "tests.audit.process_settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.directory)]),
        }
        return subprocess.Popen(
            [sys.executable, str(path)],
            env=environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, code: str, status: int = 0, *, ours_fails: bool = False, **audit: Any) -> str:
        """Run a program to its end, which has to be this; what it wrote.

        Something of ours fails in it if that is expected, and otherwise nothing.
        """
        process = self.start(code, **audit)
        out, err = process.communicate(timeout=DEADLINE)
        assert process.returncode == status, err
        assert ours_fails == ("Signal Inspector failed" in err), err
        return out + err

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the log."""
        if "sqlite" not in self.database["ENGINE"]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        reader = sqlite3.connect(self.database["NAME"], timeout=30)
        try:
            return reader.execute(sql).fetchall()
        finally:
            reader.close()

    def count(self) -> int:
        """How many dispatches are in the log."""
        return int(self.query("SELECT count(*) FROM signal_audit_dispatch")[0][0])

    def numbers(self) -> list[int]:
        """The argument ``n`` of each, sorted."""
        rows = self.query("SELECT payload FROM signal_audit_dispatch")
        return sorted(json.loads(payload)["n"] for (payload,) in rows)

    def gaps(self) -> list[tuple[int, int]]:
        """Reason and count of each gap."""
        return [
            (reason, missing)
            for reason, missing in self.query(
                "SELECT reason, missing FROM signal_audit_gap ORDER BY id"
            )
        ]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the tables of the log."""
    directory = tmp_path_factory.mktemp("migrated")
    path = directory / "audit.sqlite3"
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
    code = """
    from django.core.management import call_command
    call_command("migrate", database="audit", verbosity=0)
    """
    Programs(directory, database).run(code)
    return path


@pytest.fixture
def programs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Programs]:
    """Programs whose log is on the server that the tests run on, or in a SQLite file.

    A test of it needs ``real``: what programs write is not in the transaction of a test.
    """
    if connection.vendor != "sqlite":
        kept = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
        yield Programs(tmp_path, {key: connection.settings_dict[key] for key in kept})
        return
    path = tmp_path / "audit.sqlite3"
    path.write_bytes(request.getfixturevalue("migrated").read_bytes())
    yield Programs(tmp_path, {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)})
