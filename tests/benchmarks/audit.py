"""``python -m tests.benchmarks.audit``: what the audit costs who sends, and what it can write.

``--quick`` measures less, for a gate. ``--database postgresql://…`` (or ``mysql://…``; once each)
adds a server. ``--check`` fails where a "must" is missed. A log of millions of dispatches is
measured by ``tests.benchmarks.audit_pages``, on what ``tests.benchmarks.audit_data`` has made.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings

from tests.benchmarks import contest  # before Django is set up: it keeps the Signal of Django
from tests.benchmarks.audit_project import database
from tests.benchmarks.measure import FIRST, SENDS, Effort

_FULL: Final = Effort(rounds=25, turns=8)
_QUICK: Final = Effort(rounds=8, turns=4)


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        servers = _set_up(directory, arguments.database)
        effort = _QUICK if arguments.quick else _FULL
        print(_setting(effort), end="\n\n", flush=True)
        try:
            return _measure(directory, servers, effort, arguments)
        finally:
            _take_away(servers)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.audit", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure less")
    parser.add_argument("--check", action="store_true", help="fail where a must is missed")
    parser.add_argument(
        "--database",
        action="append",
        default=[],
        metavar="URL",
        help="a server, on which a database of this name can be made and removed",
    )
    return parser.parse_args()


def _set_up(directory: Path, urls: list[str]) -> list[str]:
    """Django with a SQLite file, another one for the log, and a database on each server."""
    databases: dict[str, Any] = {
        "default": database(str(directory / "project.sqlite3")),
        "log": database(str(directory / "log.sqlite3")),
    }
    for url in urls:
        entry = database(url)
        databases[{"postgresql": "PostgreSQL", "mysql": "MariaDB"}[url.partition(":")[0]]] = entry
    settings.configure(
        INSTALLED_APPS=[
            "django.contrib.contenttypes",
            "django.contrib.auth",
            "signal_inspector",
            "signal_inspector.audit",
        ],
        DATABASES=databases,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        SIGNAL_INSPECTOR={"AUDIT": {"EXCLUDE": ("*",)}},
        USE_TZ=True,
    )
    django.setup()
    return list(databases)[2:]


def _prepare(servers: list[str]) -> None:
    from django.core.management import call_command
    from django.db import connections

    for alias in servers:
        # A database of our own, "test_..." and empty, as a test runner makes one.
        connections[alias].creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    for alias in ("default", "log"):
        with connections[alias].cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = wal")
            cursor.execute("PRAGMA synchronous = normal")
        call_command("migrate", database=alias, verbosity=0)


def _take_away(servers: list[str]) -> None:
    from django.db import connections

    for alias in servers:
        creation = connections[alias].creation
        name = connections[alias].settings_dict["NAME"]
        if name.startswith("test_"):
            creation.destroy_test_db(name.removeprefix("test_"), verbosity=0)
    for alias in connections:
        connections[alias].close()


def _measure(
    directory: Path, servers: list[str], effort: Effort, arguments: argparse.Namespace
) -> int:
    from signal_inspector.audit import sink
    from signal_inspector.core.listening.sinks import remove_sink
    from tests.benchmarks import audit_sending, audit_writing

    contest.prepare()
    _prepare(servers)
    assert sink.installed is not None
    remove_sink(sink.installed)  # it would hear of bare sends of others, too
    ways = audit_sending.ways(directory, servers)
    attempts = 3 if arguments.check else 0
    added = list(audit_sending.measured(ways, effort, attempts))
    for way in ways:
        way.close()
    print(audit_sending.table(added), end="\n\n", flush=True)
    audit_writing.connect()
    count = 2_000 if arguments.quick else 10_000
    rates = [rate for alias in ("log", *servers) for rate in audit_writing.rates(alias, count)]
    print(audit_writing.table(rates))
    missed = [line for line in (*added, *rates) if not line.is_near]
    if missed:
        print(f"\n{len(missed)} missed")
    return 1 if arguments.check and missed else 0


def _setting(effort: Effort) -> str:
    return (
        f"python {platform.python_version()}, django {django.get_version()}, "
        f"{platform.system()} {platform.machine()}\n"
        f"Sends: medians of {effort.rounds} rounds of {effort.turns} turns of {SENDS} sends, "
        f"after {FIRST} that are not timed,\nwhich the contestants take one after another; of "
        "what waits for a database fewer are timed. Receivers\ndo nothing. No payload is kept "
        "where it is not said. What a turn has left is written after it. SQLite\nis a file in "
        "WAL mode."
    )


if __name__ == "__main__":
    sys.exit(main())
