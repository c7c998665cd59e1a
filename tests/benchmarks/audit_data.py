"""A year of dispatches in the tables of the audit, made by the database itself.

``python -m tests.benchmarks.audit_data DATABASE --rows 10000000`` migrates the database and fills
it: the name of a file for SQLite, or ``postgresql://user:password@host:port/name``. Ten million
dispatches take some ten minutes, and 14 GB, on either.

Every figure follows from the number of the dispatch, so two databases of as many rows are alike:
2.9 receiver calls and 1 carried object each, 2 in 100 failed, five to a request, three quarters
with an actor, half with a trace; a few signals make up most of it, some have but a hundred.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

DAYS: Final = 365
_CHUNK: Final = 500_000  # dispatches per statement

#: Signals by how many of 10,000 dispatches are theirs, and how many receivers they have.
SIGNALS: Final = (
    ("django.db.models.signals.post_save", 3_500, 3),
    ("shop.signals.order_placed", 2_000, 4),
    ("shop.signals.order_paid", 1_500, 3),
    ("django.db.models.signals.pre_save", 1_200, 1),
    ("inventory.signals.stock_low", 800, 2),
    ("crm.signals.customer_seen", 500, 3),
    ("shipping.signals.parcel_sent", 300, 5),
    ("billing.signals.invoice_made", 150, 6),
    ("accounts.signals.joined", 40, 2),
    ("fraud.signals.checked", 9, 1),
    ("legal.signals.consent_given", 1, 2),
)
#: Of a hundred thousand dispatches one; no receiver of it ever fails in a small log.
RARE_SIGNAL: Final = ("legal.signals.erased", 2)
EXCEPTIONS: Final = (
    ("builtins.ValueError", 60),
    ("httpx.ReadTimeout", 30),
    ("loyalty.models.Account.DoesNotExist", 9),
    ("builtins.KeyError", 1),
)
_APPS: Final = ("loyalty", "inventory", "crm", "billing", "shipping", "fraud")
_TRACEBACK: Final = 'File "loyalty/receivers.py", line 18, in award_points\n' * 12


@dataclass(frozen=True)
class Dialect:
    """How a database says what the rows are made of; each takes expressions."""

    series: Callable[[int, int], str]
    hexadecimal: Callable[[int, str], str]  # of so many digits
    uuid: Callable[[str], str]
    time: Callable[[str], str]  # of milliseconds since 1970
    text: Callable[[str], str]
    address: str
    false: str


POSTGRESQL: Final = Dialect(
    series=lambda first, last: f"generate_series({first}::bigint, {last}::bigint) AS s(i)",
    hexadecimal=lambda width, number: f"lpad(to_hex({number}), {width}, '0')",
    uuid=lambda text: f"({text})::uuid",
    time=lambda ms: f"to_timestamp(({ms}) / 1000.0)",
    text=lambda number: f"({number})::text",
    address="'203.0.113.24'::inet",
    false="false",
)
SQLITE: Final = Dialect(
    series=lambda first, last: (
        f"(WITH RECURSIVE s(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM s "
        f"WHERE i < {last}) SELECT i FROM s)"
    ),
    hexadecimal=lambda width, number: f"printf('%0{width}x', {number})",
    uuid=lambda text: f"({text})",
    time=lambda ms: f"strftime('%Y-%m-%d %H:%M:%f000', ({ms}) / 1000.0, 'unixepoch')",
    text=lambda number: f"cast({number} AS text)",
    address="'203.0.113.24'",
    false="0",
)


class Filling:
    """Fills one database; its rows end at ``end``."""

    def __init__(self, connection: Any, rows: int, end: datetime) -> None:
        self.connection = connection
        self.rows = rows
        self.end = end
        self.start = end - timedelta(days=DAYS)
        self.dialect = SQLITE if connection.vendor == "sqlite" else POSTGRESQL
        self._step = DAYS * 86_400_000 // rows  # ms from one dispatch to the next
        self._names: dict[tuple[int, str], int] = {}

    def run(self) -> None:
        """Do all of it, and say how long each part took."""
        indexes = self._indexes()
        with took("the indexes away"), self.connection.schema_editor() as editor:
            for model, index in indexes:
                editor.remove_index(model, index)
        self._prepare()
        for first in range(1, self.rows + 1, _CHUNK):
            last = min(first + _CHUNK - 1, self.rows)
            with took(f"dispatches up to {last:,}"):
                for sql in (self.dispatches(first, last), self.calls(first, last)):
                    self._execute(sql)
                for sql in self.objects(first, last):
                    self._execute(sql)
        for model, index in indexes:
            with took(index.name), self.connection.schema_editor() as editor:
                editor.add_index(model, index)
        with took("the figures of the overview"):
            fill_tallies(self.start, self.end)
        with took("ANALYZE"):
            vacuum = "" if self.connection.vendor == "sqlite" else "VACUUM "
            self._execute(f"{vacuum}ANALYZE")

    def _indexes(self) -> list[tuple[Any, Any]]:
        from signal_inspector.audit.models import AuditedCall, AuditedDispatch, AuditedObject

        models = (AuditedDispatch, AuditedCall, AuditedObject)
        return [(model, index) for model in models for index in model._meta.indexes]

    def _execute(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    def name(self, kind: str, text: str) -> int:
        """The number of a name, which is written at the end of the preparation."""
        from signal_inspector.audit.models import NameKind
        from signal_inspector.audit.sanitize import name_id

        number = name_id(NameKind[kind], text)
        self._names[NameKind[kind], text] = number
        return number

    def _prepare(self) -> None:
        """The names, and two small tables: signals and their receivers."""
        from signal_inspector.audit.models import Name

        self._execute("CREATE TEMPORARY TABLE bench_signal (n int, id bigint, receivers int)")
        self._execute(
            "CREATE TEMPORARY TABLE bench_call (n int, place int, receiver bigint, where_ bigint)"
        )
        signals = [(name, count) for name, _, count in SIGNALS] + [RARE_SIGNAL]
        for n, (name, count) in enumerate(signals):
            number = self.name("SIGNAL", name)
            self._execute(f"INSERT INTO bench_signal VALUES ({n}, {number}, {count})")
            for place in range(count):
                app = _APPS[(n + place) % len(_APPS)]
                receiver = self.name("RECEIVER", f"{app}.receivers.on_{name.rpartition('.')[2]}")
                where = self.name("LOCATION", f"{app}/receivers.py:{18 * n + 18}")
                self._execute(f"INSERT INTO bench_call VALUES ({n}, {place}, {receiver}, {where})")
        for text, _ in EXCEPTIONS:
            self.name("EXCEPTION", text)
        self._fixed = {
            "sender": self.name("SENDER", "shop.models.Order"),
            "caller": self.name("CALLER", "shop/services.py:131 place_order"),
            "process": self.name("PROCESS", "web-2, pid 4127, uvicorn"),
            "delivery": self.name("DELIVERY", "buffered"),
            "order": self.name("MODEL", "shop.Order"),
            "customer": self.name("MODEL", "crm.Customer"),
        }
        Name.objects.bulk_create(
            [Name(id=id_, kind=kind, text=text) for (kind, text), id_ in self._names.items()]
        )

    def _base(self, first: int, last: int) -> str:
        """Of each dispatch its number i, a number h that looks like chance, and its signal n."""
        edges, whens = 0, []
        for n, (_, share, _) in enumerate(SIGNALS[:-1]):
            edges += share
            whens.append(f"WHEN h < {edges * 100} THEN {n}")
        rare, last_but_one = len(SIGNALS), len(SIGNALS) - 1
        whens.append(f"WHEN h < 10 + {edges * 100} THEN {rare}")
        return (
            f"(SELECT i, h, h % 50 = 7 AS failed, CASE {' '.join(whens)} ELSE {last_but_one} END "
            f"AS n FROM (SELECT i, (i * 2654435761) % 1000003 AS h "
            f"FROM {self.dialect.series(first, last)}) AS numbers) AS base"
        )

    def _id(self, number: str) -> str:
        hexadecimal = self.dialect.hexadecimal
        ms = f"({int(self.start.timestamp() * 1_000)} + ({number}) * {self._step})"
        return self.dialect.uuid(f"{hexadecimal(12, ms)} || '70008' || {hexadecimal(15, number)}")

    def dispatches(self, first: int, last: int) -> str:
        """A statement that inserts rows of dispatches."""
        own, fixed = self.dialect, self._fixed
        started = own.time(f"{int(self.start.timestamp() * 1_000)} + i * {self._step}")
        payload = (
            """'{"channel":"web","order":{"kind":"model","text":"shop.Order:' || (i / 5) || """
            """'","type":"shop.models.Order"},"total":{"kind":"plain","text":"Decimal(''248.50'')"""
            """","type":"Decimal","value":"248.50"},"weight":1.25}'"""
        )
        columns = {
            "id": self._id("i"),
            "started_at": started,
            "duration_ns": "100000 * (1 + h % 40) * receivers",
            "signal_id": "bench_signal.id",
            "sender_id": fixed["sender"],
            "caller_id": fixed["caller"],
            "process_id": fixed["process"],
            "delivery_id": fixed["delivery"],
            "method": "1 + i % 2",
            "own_method": "''",
            "outcome": "CASE WHEN failed AND i % 2 = 0 THEN 2 ELSE 1 END",
            "is_failed": "CASE WHEN failed THEN 1 END",
            "receiver_count": "receivers",
            "failed_count": "CASE WHEN failed THEN 1 ELSE 0 END",
            "skipped_count": 0,
            "parent_id": f"CASE WHEN i % 5 = 3 THEN {self._id('i - 1')} END",
            "parent_call": "CASE WHEN i % 5 = 3 THEN 0 END",
            "transaction_outcome": "CASE WHEN failed AND i % 2 = 0 THEN 3 ELSE 1 + i % 2 END",
            "transaction_id": f"CASE WHEN i % 2 = 1 THEN {self._id('i - i % 5')} END",
            "query_count": "receivers",
            "query_ns": 4_400_000,
            "actor": "CASE WHEN i % 20 < 15 THEN 'auth.User:' || (i / 5 % 5000) END",
            "actor_label": "CASE WHEN i % 20 < 15 THEN 'user' || (i / 5 % 5000) ELSE '' END",
            "request_id": f"'req-' || {own.hexadecimal(8, 'i / 5')}",
            "origin": "CASE WHEN i % 50 < 5 THEN 2 ELSE 1 END",
            "origin_name": (
                "CASE WHEN i % 50 < 5 THEN 'manage.py send_reminders' ELSE 'POST /checkout/' END"
            ),
            "client": own.address,
            "trace_id": (
                "CASE WHEN i / 5 % 2 = 0 THEN '7c1d4e0b9a5f4c7e8f2a61b3' || "
                f"{own.hexadecimal(8, 'i / 5')} END"
            ),
            "span_id": "CASE WHEN i / 5 % 2 = 0 THEN '7c1d4e0b9a5f4c7e' ELSE '' END",
            "trace_sampled": "CASE WHEN i / 5 % 2 = 0 THEN 1 END",
            "payload": payload,
            "payload_dropped": 0,
            "written_at": started,
        }
        source = f"{self._base(first, last)} JOIN bench_signal ON bench_signal.n = base.n"
        return _insert("signal_audit_dispatch", columns, source)

    def calls(self, first: int, last: int) -> str:
        """A statement that inserts their receiver calls; it is the first that fails."""
        bad = "(failed AND place = 0)"
        edges, whens = 0, []
        for text, share in EXCEPTIONS:
            edges += share
            whens.append(f"WHEN h / 50 % 100 < {edges} THEN {self.name('EXCEPTION', text)}")
        columns = {
            "dispatch_id": self._id("i"),
            "index": "place",
            "receiver_id": "receiver",
            "location_id": "where_",
            "exception_id": f"CASE WHEN {bad} THEN CASE {' '.join(whens)} END END",
            "outcome": f"CASE WHEN {bad} THEN 2 ELSE 1 END",
            "is_async": self.dialect.false,
            "offset_ns": "place * 500000",
            "duration_ns": "20000 * (1 + (h + place * 11) % 40) "
            "* CASE WHEN h % 97 = 0 THEN 100 ELSE 1 END",
            "self_ns": "20000 * (1 + (h + place * 11) % 40)",
            "query_count": 1,
            "query_ns": 100_000,
            "message": f"CASE WHEN {bad} THEN 'no account for this customer' ELSE '' END",
            "traceback": f"CASE WHEN {bad} THEN '{_TRACEBACK}' ELSE '' END",
            "response": "''",
            "queries_by_time": 0,
        }
        source = f"{self._base(first, last)} JOIN bench_call ON bench_call.n = base.n"
        return _insert("signal_audit_call", columns, source)

    def objects(self, first: int, last: int) -> Iterator[str]:
        """Statements that insert what they carried: the order, and of some the customer."""
        keys = {"order": ("i / 5", "i % 5 > 0"), "customer": ("i / 5 % 5000", "i % 5 = 0")}
        for model, (key, condition) in keys.items():
            columns = {
                "model_id": self._fixed[model],
                "object_pk": self.dialect.text(key),
                "dispatch_id": self._id("i"),
            }
            source = f"{self.dialect.series(first, last)} WHERE {condition}"
            yield _insert("signal_audit_object", columns, source)


def _insert(table: str, columns: dict[str, Any], source: str) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(map(str, columns.values()))
    return f"INSERT INTO {table} ({names}) SELECT {values} FROM {source}"


def fill_tallies(start: datetime, end: datetime) -> None:
    """The rows of the overview, as the rollup leaves them, counted from what is there."""
    from signal_inspector.audit.models import Tally
    from signal_inspector.audit.stats.counts import slot_of
    from signal_inspector.audit.stats.rollup import LEVELS, LONGEST, TALLIES, new_row

    assert Tally._meta.db_table == TALLIES.name
    now, at = int(end.timestamp()), slot_of(int(start.timestamp()), LONGEST)
    lengths = [seconds for seconds, _ in LEVELS] + [LONGEST]
    made = []
    while at < now:
        seconds = next(
            each
            for each, (_, kept) in zip(lengths, [*LEVELS, (0, 10**9)], strict=True)
            if at > now - kept and at % each == 0
        )
        made.append(
            Tally(
                **dict(
                    zip(TALLIES.columns, new_row(at, seconds, counted(at, seconds)), strict=True)
                )
            )
        )
        at += seconds
    Tally.objects.bulk_create(made)


def counted(at: int, seconds: int) -> Any:
    """``Figures`` of the dispatches of a slot."""
    from django.db.models import Count

    from signal_inspector.audit.lookups import calls, dispatches, in_time
    from signal_inspector.audit.stats.counts import Failures, Figures, Measure, bucket_of

    def add(measure: Measure, duration: int, has_failed: bool, count: int) -> None:
        one = Measure(
            count, count * has_failed, count * duration, duration, {bucket_of(duration): count}
        )
        measure.merge(one)

    start = datetime.fromtimestamp(at, UTC)
    end = start + timedelta(seconds=seconds)
    figures = Figures()
    grouped = dispatches().filter(in_time(start, end)).order_by()
    for signal, duration, failed, count in grouped.values_list(
        "signal_id", "duration_ns", "is_failed"
    ).annotate(Count("id")):
        add(figures.signals[signal], duration, failed is not None, count)
    within = calls().filter(in_time(start, end, "dispatch_id")).order_by()
    for receiver, duration, outcome, count in within.values_list(
        "receiver_id", "duration_ns", "outcome"
    ).annotate(Count("index")):
        add(figures.receivers[receiver], duration, outcome == 2, count)
    failures = within.filter(exception__isnull=False).values_list("receiver_id", "exception_id")
    for receiver, exception, count in failures.annotate(Count("index")):
        times = at * 1_000_000, (at + seconds) * 1_000_000 - 1
        figures.failures[receiver, exception] = Failures(count, *times)
    return figures


@contextmanager
def took(what: str) -> Iterator[None]:
    """Say how long it took."""
    began = time.perf_counter()
    yield
    print(f"{time.perf_counter() - began:8.1f} s  {what}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.benchmarks.audit_data", description=__doc__)
    parser.add_argument("database", help="a file for SQLite, or postgresql://…")
    parser.add_argument("--rows", type=int, default=200_000, help="dispatches")
    arguments = parser.parse_args()
    from tests.benchmarks.audit_project import set_up

    set_up(arguments.database)
    make(arguments.rows)
    return 0


def make(rows: int) -> None:
    """Migrate the default database, which has no tables yet, and fill it."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for pragma in ("journal_mode = off", "synchronous = off", "cache_size = -500000"):
                cursor.execute(f"PRAGMA {pragma}")
    Filling(connection, rows, datetime.now(UTC)).run()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA journal_mode = wal")


if __name__ == "__main__":
    sys.exit(main())
