"""What becomes of the application, and of the log, when the database fails the log.

Each fault is a real one: of the server that the tests run on, or of a SQLite file.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, InterfaceError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector.audit.delivery import after_transaction, base, current, writer
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.models import AuditedDispatch, Gap, GapReason
from signal_inspector.audit.rows import Rows, render
from signal_inspector.audit.settings import Audit
from signal_inspector.audit.testing import audited
from signal_inspector.core import internal_errors
from tests.audit.programs import eventually
from tests.audit.rows_made import needs, with_column
from tests.fixed import fixed

# A SQLite file is a database of its own, beside those that pytest-django knows.
pytestmark = [] if connection.vendor == "sqlite" else [pytest.mark.django_db(transaction=True)]

DELIVERIES = ["after_transaction", "buffered", "inline", "spooled"]
#: How each is told of in the log of the process.
NOT_NOW = "writing the audit log (the database is unavailable)"
DISPATCHES = AuditedDispatch._meta.db_table

#: What needs more room than is left in the pages of a file.
LARGE = {f"text_{number}": "x" * 200 for number in range(50)}

sold = Signal()


def on_sale(**kwargs: Any) -> str:
    return "done"


class Shop:
    """An application, whose sales are in the database that the log is in, and its database."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.path = connections[alias].settings_dict["NAME"]

    @property
    def connection(self) -> BaseDatabaseWrapper:
        return connections[self.alias]

    @property
    def vendor(self) -> str:
        return self.connection.vendor

    def sell(
        self, number: int, fault: Callable[[], AbstractContextManager[None]] | None = None
    ) -> ExitStack:
        """Sell something in a transaction, and tell of it; the fault begins before that."""
        with ExitStack() as stack:
            with transaction.atomic(self.alias):
                self.execute(f"INSERT INTO sale VALUES ({number})")
                if fault is not None:
                    stack.enter_context(fault())
                assert sold.send(None, number=number, **LARGE) == [(on_sale, "done")]
            return stack.pop_all()

    def execute(self, sql: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)

    @contextmanager
    def elsewhere(self) -> Iterator[Callable[[str], list[Any]]]:
        """Run SQL on a connection that is nobody's but the test's."""
        if self.vendor == "sqlite":
            with closing(sqlite3.connect(self.path, isolation_level=None)) as raw:
                yield lambda sql: raw.execute(sql).fetchall()
            return
        other = self.connection.copy()
        try:

            def run(sql: str) -> list[Any]:
                with other.cursor() as cursor:
                    cursor.execute(sql)
                    return list(cursor.fetchall()) if cursor.description else []

            yield run
        finally:
            other.close()

    def sales(self) -> list[int]:
        """What has been sold, as everybody sees it."""
        with self.elsewhere() as run:
            return [number for (number,) in run("SELECT number FROM sale ORDER BY number")]

    def logged(self) -> int:
        return AuditedDispatch.objects.using(self.alias).count()

    def quoted(self, name: str) -> str:
        return self.connection.ops.quote_name(name)


@pytest.fixture
def shop(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shop]:
    """On the server of the tests, or in a SQLite file."""
    monkeypatch.setattr(after_transaction, "_PAUSE", 0.0)
    monkeypatch.setattr(writer, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(writer, "_LONGEST_PAUSE", 0.01)
    alias = "default"
    with ExitStack() as stack:
        if connection.vendor == "sqlite":
            alias, path = "file", tmp_path / "shop.sqlite3"
            path.write_bytes(request.getfixturevalue("migrated").read_bytes())
            database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}
            configured = connections.configure_settings({"default": database})["default"]
            monkeypatch.setitem(connections.settings, alias, configured)
            stack.enter_context(request.getfixturevalue("django_db_blocker").unblock())
        audit = {"DATABASE": alias, "SPOOL_DIR": str(tmp_path / "spool")}
        stack.enter_context(fixed(Audit, flush_seconds=0.01))
        stack.enter_context(override_settings(SIGNAL_INSPECTOR={"AUDIT": audit}))
        made = Shop(alias)
        made.execute("CREATE TABLE sale (number integer)")
        if alias == "file":
            made.execute("VACUUM")
        sold.connect(on_sale)
        forget_names()
        try:
            yield made
        finally:
            sold.disconnect(on_sale)
            forget_names()
            made.connection.close()
            made.execute("DROP TABLE sale")
            if alias == "file":
                made.connection.close()
                del connections[alias]


# Faults: each begins while a transaction of the application is open in this thread.


@contextmanager
def of_connections(shop: Shop, *sql: str) -> Iterator[None]:
    """Run this on the sender's connection, and on all that are made from now on."""

    def change(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        with closing(connection.connection.cursor()) as cursor:
            for each in sql:
                cursor.execute(each)

    own_connections.close_all(30)
    change(shop.connection)
    connection_created.connect(change)
    try:
        yield
    finally:
        connection_created.disconnect(change)
        own_connections.close_all(30)


@contextmanager
def refused(shop: Shop) -> Iterator[None]:
    """The server takes no more connections: that of the application is open."""
    real = own_connections._made

    def made(using: str) -> BaseDatabaseWrapper:
        wrapper = real(using)
        wrapper.settings_dict = {**wrapper.settings_dict, "HOST": "127.0.0.1", "PORT": "1"}
        return wrapper

    own_connections.close_all(30)
    own_connections._made = made
    forget_names()
    try:
        yield
    finally:
        own_connections._made = real


@contextmanager
def read_only(shop: Shop) -> Iterator[None]:
    """A standby after a failover, or a file system that is mounted read-only."""
    on, off = {
        "postgresql": (
            ["SET transaction_read_only = on", "SET default_transaction_read_only = on"],
            "SET default_transaction_read_only = off",
        ),
        "mysql": (
            ["SET SESSION transaction_read_only = 1"],
            "SET SESSION transaction_read_only = 0",
        ),
        "sqlite": (["PRAGMA query_only = 1"], "PRAGMA query_only = 0"),
    }[shop.vendor]
    if shop.vendor == "mysql" and connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        on, off = ["SET SESSION tx_read_only = 1"], "SET SESSION tx_read_only = 0"
    with of_connections(shop, *on):
        yield
    shop.execute(off)


@contextmanager
def locked(shop: Shop) -> Iterator[None]:
    """Another process holds the table, or the SQLite file, for long."""
    table = shop.quoted(DISPATCHES)
    take, patience = {
        "postgresql": (["BEGIN", f"LOCK TABLE {table}"], ["SET lock_timeout = 100"]),
        "mysql": ([f"LOCK TABLES {table} WRITE"], ["SET SESSION lock_wait_timeout = 1"]),
        "sqlite": (["BEGIN IMMEDIATE"], []),
    }[shop.vendor]
    with shop.elsewhere() as run, ExitStack() as stack:
        if shop.vendor == "sqlite":
            stack.enter_context(after_commit(shop, lambda: run(take[0])))
        else:
            for each in take:
                run(each)
        with of_connections(shop, *patience):
            yield
    if shop.vendor == "postgresql":
        shop.execute("RESET lock_timeout")


@contextmanager
def after_commit(shop: Shop, action: Callable[[], Any]) -> Iterator[None]:
    """Do this when the application has committed, and let go of the one lock of the file."""
    transaction.on_commit(action, using=shop.alias)
    yield


@contextmanager
def full(shop: Shop) -> Iterator[None]:
    """The disk is full: the file may not grow."""
    [(pages,)] = shop.connection.connection.execute("PRAGMA page_count").fetchall()
    with of_connections(shop, f"PRAGMA max_page_count = {pages}"):
        yield
    shop.execute("PRAGMA max_page_count = 1000000")


@contextmanager
def missing(shop: Shop) -> Iterator[None]:
    """The log was not migrated."""
    table, away = shop.quoted(DISPATCHES), shop.quoted("away")
    with shop.elsewhere() as run:
        if shop.vendor == "sqlite":  # whose writer the application is, until it has committed
            with after_commit(shop, lambda: run(f"ALTER TABLE {table} RENAME TO {away}")):
                yield
        else:
            run(f"ALTER TABLE {table} RENAME TO {away}")
            yield
        run(f"ALTER TABLE {away} RENAME TO {table}")


@contextmanager
def row_refused(shop: Shop) -> Iterator[None]:
    """The database does not take this one row."""
    real = base.render

    def rendered(*args: Any, **kwargs: Any) -> Rows:
        return with_column(render(*args, **kwargs), "receiver_count", 2**70)

    base.render = rendered
    try:
        yield
    finally:
        base.render = real


FAULTS = {
    "refused": (refused, ("postgresql", "mysql")),
    "read-only": (read_only, ("postgresql", "mysql", "sqlite")),
    "locked": (locked, ("postgresql", "mysql", "sqlite")),
    "disk full": (full, ("sqlite",)),
    "table missing": (missing, ("postgresql", "mysql", "sqlite")),
    "row refused": (row_refused, ("postgresql", "mysql", "sqlite")),
}


def settle(shop: Shop) -> None:
    """Let the log be written now that nothing is wrong."""
    if current.process.delivery is not None:
        eventually(lambda: current.flush(1) and not current.process.delivery.waiting)


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_application_goes_on(shop: Shop, fault: str, delivery: str) -> None:
    """What was sold is sold, the sender gets its answers, and nothing of the log is lost.

    A row that the database refuses is, and there is a gap for it.
    """
    begins, vendors = FAULTS[fault]
    needs(*vendors)
    with audited(delivery):
        shop.sell(1)
        settle(shop)
        with shop.sell(2, lambda: begins(shop)):
            assert shop.sales() == [1, 2]
            if delivery in ("buffered", "spooled") and fault != "locked":
                eventually(lambda: internal_errors.counts().get(NOT_NOW) or losses.total)
        shop.sell(3)
        settle(shop)
        assert shop.sales() == [1, 2, 3]
        lost = list(Gap.objects.using(shop.alias).values_list("reason", "missing"))
        if fault == "row refused":
            assert lost == [(GapReason.UNWRITABLE, 1)]
            assert shop.logged() == 2
        else:
            assert lost == []
            assert shop.logged() == 3
    assert set(internal_errors.counts()) <= {NOT_NOW}
    internal_errors.reset()


@pytest.fixture
def server(shop: Shop) -> Shop:
    needs("postgresql", "mysql")
    return shop


class Killer:
    """Waits until somebody's statement hangs, and kills the connection of that."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def victim(self, run: Callable[[str], list[Any]]) -> int | None:
        hangs = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock'"
            if self._shop.vendor == "postgresql"
            else "SELECT id FROM information_schema.processlist WHERE db = database()"
            " AND state LIKE 'Waiting for%'"
        )
        return next((number for (number,) in run(hangs)), None)

    def kill(self) -> None:
        with self._shop.elsewhere() as run:
            number = eventually(lambda: self.victim(run))
            if self._shop.vendor == "postgresql":
                run(f"SELECT pg_terminate_backend({number})")
            else:
                run(f"KILL {number}")
            eventually(lambda: self.victim(run) != number)


def in_a_thread(function: Callable[[], Any]) -> Callable[[], BaseException | None]:
    """Begin it in a thread; what is answered waits for its end and answers what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()

    def ended() -> BaseException | None:
        thread.join(60)
        assert not thread.is_alive()
        return raised[0] if raised else None

    return ended


@contextmanager
def hanging_statements(shop: Shop) -> Iterator[None]:
    """Whoever writes a dispatch waits for this."""
    table = shop.quoted(DISPATCHES)
    with shop.elsewhere() as run:
        if shop.vendor == "postgresql":
            run("BEGIN")
            run(f"LOCK TABLE {table}")
        else:
            run(f"LOCK TABLES {table} WRITE")
        yield


@contextmanager
def hanging_commits(shop: Shop) -> Iterator[None]:
    """Whoever has written a dispatch waits in its COMMIT for this."""
    with shop.elsewhere() as run, shop.elsewhere() as holder:
        if shop.vendor == "mysql":
            if not shop.connection.mysql_is_mariadb:  # type: ignore[attr-defined]
                pytest.skip("MySQL has no BACKUP STAGE")
            for stage in ("START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"):
                holder(f"BACKUP STAGE {stage}")
            try:
                yield
            finally:
                holder("BACKUP STAGE END")
            return
        table = shop.quoted(DISPATCHES)
        run(
            "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END'"
        )
        run(
            f"CREATE CONSTRAINT TRIGGER hang AFTER INSERT ON {table} DEFERRABLE"
            " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hang()"
        )
        try:
            holder("SELECT pg_advisory_lock(42)")
            yield
            holder("SELECT pg_advisory_unlock(42)")
        finally:
            run(f"DROP TRIGGER hang ON {table}")
            run("DROP FUNCTION hang()")


HANGING = {"in a statement": hanging_statements, "at COMMIT": hanging_commits}


@pytest.mark.parametrize("delivery", ["buffered", "spooled"])
@pytest.mark.parametrize("when", HANGING)
def test_the_writer_is_killed(server: Shop, when: str, delivery: str) -> None:
    """The thread's connection is killed: it writes on another one, once."""
    with audited(delivery):
        server.sell(1)
        settle(server)
        with HANGING[when](server):
            table = "INSERT INTO sale VALUES (2)"
            if when == "in a statement" or server.vendor == "postgresql":
                with transaction.atomic(server.alias):
                    server.execute(table)
                    sold.send(None, number=2)
            else:  # nobody can commit
                sold.send(None, number=2)
            Killer(server).kill()
        settle(server)
        assert server.logged() == 2
        assert not Gap.objects.exists()
    assert set(internal_errors.counts()) <= {NOT_NOW}
    internal_errors.reset()


@pytest.mark.parametrize("when", HANGING)
def test_a_caller_is_killed(server: Shop, when: str) -> None:
    """Killed while it writes after its transaction: that stays committed, and the row is kept."""

    def sell() -> None:
        with transaction.atomic(server.alias):
            server.execute("INSERT INTO sale VALUES (2)")
            assert sold.send(None, number=2) == [(on_sale, "done")]

    def tell() -> None:
        server.connection.ensure_connection()
        assert sold.send(None, number=2) == [(on_sale, "done")]

    is_free = when == "in a statement" or server.vendor == "postgresql"
    with audited("after_transaction"):
        server.sell(1)
        with HANGING[when](server):
            ended = in_a_thread(sell if is_free else tell)
            Killer(server).kill()
            assert ended() is None
        server.sell(3)
        settle(server)
        assert server.sales() == ([1, 2, 3] if is_free else [1, 3])
        assert server.logged() == 3
        assert not Gap.objects.exists()
    assert set(internal_errors.counts()) <= {NOT_NOW}
    internal_errors.reset()


@pytest.mark.parametrize("when", HANGING)
def test_a_transaction_with_an_inline_row_is_killed(server: Shop, when: str) -> None:
    """The server has rolled it back, so its commit fails: nothing says that all is well."""

    def sell(number: int = 2) -> None:
        with transaction.atomic(server.alias):
            server.execute(f"INSERT INTO sale VALUES ({number})")
            assert sold.send(None, number=number) == [(on_sale, "done")]

    with audited("inline"):
        sell(1)
        with HANGING[when](server):
            ended = in_a_thread(sell)
            Killer(server).kill()
        assert isinstance(ended(), (DatabaseError, InterfaceError))
        sell(3)
        settle(server)
        assert server.sales() == [1, 3]
        outcomes = AuditedDispatch.objects.values_list("transaction_outcome", flat=True)
        assert len(outcomes) in (2, 3)  # with the attempt, where that could not be written inside
    assert set(internal_errors.counts()) <= {NOT_NOW}
    internal_errors.reset()
