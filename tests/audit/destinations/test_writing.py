"""``signal_inspector.audit.destinations.database.writing``, on the database of the tests."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from signal_inspector.audit.destinations.database import adapters, writing
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.destinations.database.statements import Blame, blame
from signal_inspector.audit.destinations.database.writing import Unavailable, takes_rows, write
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, AuditedObject, Name, Tally
from signal_inspector.audit.payloads import read_payload
from signal_inspector.audit.rows import CALL_COLUMNS, DISPATCH_COLUMNS, Rows
from tests.audit.rows_made import (
    dispatched,
    many_rows,
    needs,
    on_order,
    rows_of,
    values,
    with_column,
)


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    forget_names()
    yield
    forget_names()


def connect_anew() -> None:
    """Let a server's connection follow settings that have changed."""
    if connection.vendor != "sqlite":  # whose database in memory would be gone
        connection.close()


@contextmanager
def refusing(table: str) -> Iterator[None]:
    """A table that has a column which nobody fills in, as one of a newer version may."""
    quoted = connection.ops.quote_name(table)
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {quoted} ADD COLUMN newer integer CHECK (newer IS NOT NULL)")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {quoted} DROP COLUMN newer")


def without(rows: Rows, column: str) -> Rows:
    """Rows that every database refuses: they lack what must not be null."""
    return with_column(rows, column, None)


@pytest.mark.django_db(transaction=True)
class TestWriting:
    def test_all_of_it_is_in_the_tables(self) -> None:
        """Every value of the rows is in the database as it was rendered."""
        batch = many_rows(3, order=User(pk=7), note="Zoë 🦊 \\ \t' %s \x00")
        before = datetime.now(UTC)
        assert write(batch, "default") == writing.Written(3, [])
        for rows in batch:
            found = AuditedDispatch.objects.select_related("signal", "sender", "caller").get(
                id=rows.id
            )
            for column, value in zip(DISPATCH_COLUMNS, rows.dispatch, strict=True):
                if column == "started_at":
                    since = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=value)
                    assert found.started_at == since
                elif column == "written_at":
                    assert before <= found.written_at <= datetime.now(UTC)
                elif column == "id":
                    assert found.id == uuid.UUID(value)
                elif column.endswith("_id") and hasattr(found, column[:-3]):
                    assert str(getattr(found, column[:-3])) == str(value)
                else:
                    assert getattr(found, column) == value
        calls = AuditedCall.objects.order_by("dispatch_id", "index")
        assert calls.count() == 6
        for call, row in zip(calls, [row for rows in batch for row in rows.calls], strict=True):
            for column, value in zip(CALL_COLUMNS, row, strict=True):
                if column.endswith("_id"):
                    assert str(getattr(call, column[:-3])) == str(value)
                else:
                    assert getattr(call, column) == value
        assert AuditedObject.objects.filter(object_pk="7").count() == 3

    def test_an_empty_batch(self) -> None:
        """Nothing to write is nothing written, without a query."""
        with CaptureQueriesContext(connection) as queries:
            assert write([], "default") == writing.Written(0, [])
        assert len(queries) == 0

    def test_writing_again_changes_nothing(self) -> None:
        """A batch that is written twice, in part or with others, is in the log once."""
        batch = many_rows(6, order=User(pk=7))
        assert write(batch[:4], "default").count == 4
        first = AuditedDispatch.objects.get(id=batch[0].id)
        assert write(batch, "default").count == 6
        assert write(batch, "default").count == 6
        assert AuditedDispatch.objects.count() == 6
        assert AuditedCall.objects.count() == 12
        assert AuditedObject.objects.count() == 6
        assert AuditedDispatch.objects.get(id=batch[0].id).written_at == first.written_at

    def test_twice_in_one_batch(self) -> None:
        """A dispatch that stands in a batch twice is written once."""
        rows = many_rows(1)
        assert write(rows * 2, "default").count == 1
        assert AuditedDispatch.objects.count() == 1

    def test_leftovers_of_a_dispatch(self) -> None:
        """Calls that are there without their dispatch do not keep it from being written."""
        batch = many_rows(3)
        write(batch[:1], "default")
        AuditedDispatch.objects.all().delete()
        assert AuditedCall.objects.count() == 2
        assert write(batch, "default").count == 3
        assert AuditedDispatch.objects.count() == 3
        assert AuditedCall.objects.count() == 6

    @pytest.mark.parametrize("position", [0, 37, 99])
    def test_one_bad_row_costs_no_other(self, position: int) -> None:
        """Of a hundred dispatches with a bad one the other 99 are written, and it is named."""
        batch = many_rows(100)
        batch[position] = without(batch[position], "sender_id")
        written = write(batch, "default")
        assert written.count == 99 == AuditedDispatch.objects.count()
        (refused,) = written.refused
        assert refused.id == batch[position].id
        assert refused.started_at == batch[position].dispatch.started_at
        assert "Error" in refused.reason
        assert AuditedCall.objects.count() == 198

    def test_a_bad_call_takes_its_whole_dispatch(self) -> None:
        """A dispatch is written with all its calls or not at all."""
        batch = many_rows(2)
        bad = list(batch[0].calls[1])
        bad[CALL_COLUMNS.index("is_async")] = None
        batch[0] = batch[0]._replace(calls=[batch[0].calls[0], tuple(bad)])
        written = write(batch, "default")
        assert [refused.id for refused in written.refused] == [batch[0].id]
        assert AuditedCall.objects.count() == 2

    def test_all_bad(self) -> None:
        """Where every dispatch is bad all are named, and nothing is raised."""
        batch = [without(rows, "delivery_id") for rows in many_rows(5)]
        written = write(batch, "default")
        assert written.count == 0
        assert {refused.id for refused in written.refused} == {rows.id for rows in batch}

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("duration_ns", 2**70),
            ("payload", "a\ud800"),
            ("actor", "x" * 300),
            ("payload", "a\0b"),
            ("client", "no address"),
            ("method", 10**6),
        ],
    )
    def test_what_one_database_refuses(self, column: str, value: Any) -> None:
        """What gets past all cleaning is written unchanged or refused, never cut or changed."""
        batch = many_rows(3)
        batch[1] = with_column(batch[1], column, value)
        written = write(batch, "default")
        assert written.count + len(written.refused) == 3
        assert [refused.id for refused in written.refused] in ([], [batch[1].id])
        for found in AuditedDispatch.objects.filter(id=batch[1].id):
            stored = getattr(found, column)
            assert stored == value or stored == "a\\ud800"

    def test_times_of_a_project_without_zones(self) -> None:
        """With USE_TZ off times are those of the project's zone, as Django stores its own."""
        rows = many_rows(1)
        with override_settings(USE_TZ=False, TIME_ZONE="America/Chicago"):
            connect_anew()
            write(rows, "default")
            stored = AuditedDispatch.objects.get().started_at
            expected = datetime.fromtimestamp(rows[0].dispatch.started_at / 1e6)
            assert abs(stored - expected) < timedelta(microseconds=2)
        connect_anew()


@pytest.mark.django_db(transaction=True)
class TestTransactions:
    def test_it_goes_with_the_transaction_around_it(self) -> None:
        """Inside an atomic block what was written is rolled back with it."""
        with transaction.atomic():
            assert write(many_rows(2), "default").count == 2
            assert AuditedDispatch.objects.count() == 2
            transaction.set_rollback(True)
        assert AuditedDispatch.objects.count() == 0

    def test_a_bad_row_leaves_the_transaction_alone(self) -> None:
        """A row that is refused inside an atomic block does not break that block."""
        batch = many_rows(4)
        batch[2] = without(batch[2], "signal_id")
        with transaction.atomic():
            user = User.objects.create(username="mira")
            assert write(batch, "default").count == 3
            User.objects.create(username="noah")
        assert User.objects.filter(pk=user.pk).exists()
        assert AuditedDispatch.objects.count() == 3

    def test_without_autocommit(self) -> None:
        """Where the project commits by hand a transaction that is open is its to end."""
        rows = many_rows(1)
        connection.ensure_connection()
        connection.set_autocommit(False)
        try:
            User.objects.create(username="mira")
            assert write(rows, "default").count == 1
            connection.rollback()
            assert not AuditedDispatch.objects.exists()
            assert write(rows, "default").count == 1
            connection.commit()
        finally:
            connection.set_autocommit(True)
        assert AuditedDispatch.objects.get().sender.text == "str"

    def test_a_broken_transaction_is_not_touched(self) -> None:
        """Inside a block that can only be rolled back nothing is tried."""
        rows = many_rows(1)
        with transaction.atomic():
            transaction.set_rollback(True)
            with pytest.raises(Unavailable, match="TransactionManagementError"):
                write(rows, "default")
        assert write(rows, "default").count == 1

    @pytest.mark.parametrize("nested", [False, True])
    def test_nobody_sees_its_queries(self, nested: bool) -> None:
        """Nothing of it is counted, logged, wrapped or called back."""
        seen: list[str] = []

        def wrapper(execute: Any, sql: str, *args: Any) -> Any:
            seen.append(sql)
            return execute(sql, *args)

        rows = many_rows(2)
        connection.ensure_connection()
        with CaptureQueriesContext(connection) as queries, connection.execute_wrapper(wrapper):
            if nested:
                with transaction.atomic():
                    before = len(queries)
                    write(rows, "default")
                    assert len(queries) == before
                    assert connection.run_on_commit == []
                    assert connection.savepoint_ids == []
            else:
                write(rows, "default")
                assert len(queries) == 0
        assert [sql for sql in seen if "signal_audit" in sql] == []

    def test_the_connection_is_left_as_it_was(self) -> None:
        """Afterwards the connection is open, outside any transaction, and in autocommit."""
        connection.ensure_connection()
        before = connection.connection
        batch = many_rows(2)
        write([without(batch[0], "method"), batch[1]], "default")
        assert connection.connection is before
        assert not connection.in_atomic_block
        assert connection.get_autocommit()
        with transaction.atomic():
            assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
class TestUnavailable:
    def test_a_missing_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without its tables the database is at fault, and no row is thrown away."""
        calls = writing.CALLS._replace(name="signal_audit_absent")
        monkeypatch.setattr(writing, "_TABLES", (writing.DISPATCHES, calls, writing.OBJECTS))
        batch = many_rows(20)
        with pytest.raises(Unavailable, match="signal_audit_absent"):
            write(batch, "default")
        monkeypatch.undo()
        assert adapters._committed == {}
        assert AuditedDispatch.objects.count() == 0
        assert write(batch, "default").count == 20

    def test_a_table_that_comes_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tables that are migrated right after a write has failed refuse nothing."""
        calls = writing.CALLS._replace(name="signal_audit_absent")
        monkeypatch.setattr(writing, "_TABLES", (writing.DISPATCHES, calls, writing.OBJECTS))
        monkeypatch.setattr(writing, "takes_rows", lambda *args: True)
        with pytest.raises(Unavailable, match="signal_audit_absent"):
            write(many_rows(1), "default")

    def test_a_table_that_is_mended_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor do those that a migration changes between a failed write and the look at them."""
        batch = many_rows(1)
        with ExitStack() as stack:
            stack.enter_context(refusing("signal_audit_call"))

            def mended(*args: Any) -> bool:
                stack.close()
                return takes_rows(*args)

            monkeypatch.setattr(writing, "takes_rows", mended)
            assert write(batch, "default") == writing.Written(1, [])
        assert AuditedDispatch.objects.count() == 1

    @pytest.mark.parametrize("size", [1, 20])
    @pytest.mark.parametrize("table", ["dispatch", "call", "object", "name", "tally"])
    def test_a_table_of_another_version(self, table: str, size: int) -> None:
        """Rows that are refused for what the table is, not for what they hold, wait for it."""
        batch = many_rows(size, order=User(pk=7))
        with refusing(f"signal_audit_{table}"):
            for _ in range(2):
                with pytest.raises(Unavailable, match="IntegrityError"):
                    write(batch, "default")
            assert AuditedDispatch.objects.count() == 0
        assert write(batch, "default") == writing.Written(size, [])

    def test_a_probe_leaves_nothing(self) -> None:
        """What finds out whether the tables are to blame is in none of them afterwards."""
        tables = AuditedDispatch, AuditedCall, AuditedObject, Name, Tally
        batch = [without(rows, "delivery_id") for rows in many_rows(2)]
        assert write(batch, "default").count == 0
        names = Name.objects.count()
        assert write(batch, "default").count == 0
        found = {model.__name__: model._default_manager.count() for model in tables}
        assert found == {**dict.fromkeys(found, 0), "Name": names}
        assert not Name.objects.filter(text="signal_inspector").exists()

    def test_a_connection_that_died(self) -> None:
        """A connection that the server has cut is told as such, and is not opened again here."""
        needs("postgresql", "mysql")
        batch = many_rows(4)
        write(batch[:1], "default")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_backend_pid()"
                if connection.vendor == "postgresql"
                else "SELECT CONNECTION_ID()"
            )
            (number,) = cursor.fetchone()
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute(
                    f"SELECT pg_terminate_backend({number})"
                    if connection.vendor == "postgresql"
                    else f"KILL {number}"
                )
        finally:
            other.close()
        with pytest.raises(Unavailable):
            write(batch, "default")
        connection.close()
        assert write(batch, "default").count == 4
        assert AuditedDispatch.objects.count() == 4

    def test_a_lock_that_is_not_given(self) -> None:
        """Where another transaction holds the table it is the database's fault: try again."""
        needs("postgresql", "mysql")
        batch = many_rows(3)
        write(batch[:1], "default")
        other = connection.copy()
        table = connection.ops.quote_name(writing.DISPATCHES.name)
        is_postgresql = connection.vendor == "postgresql"
        try:
            with other.cursor() as cursor:
                if is_postgresql:
                    cursor.execute("BEGIN")
                    cursor.execute(f"LOCK TABLE {table}")
                else:
                    cursor.execute(f"LOCK TABLES {table} WRITE")
            with connection.cursor() as cursor:
                cursor.execute(
                    "SET lock_timeout = 200" if is_postgresql else "SET lock_wait_timeout = 1"
                )
            with pytest.raises(Unavailable, match=r"[Ll]ock"):
                write(batch, "default")
        finally:
            other.close()
        assert write(batch, "default").count == 3
        connection.close()

    def test_a_narrow_character_set(self) -> None:
        """Where the database has no room for a character an escape of it is written."""
        needs("mysql")
        table = connection.ops.quote_name(writing.DISPATCHES.name)
        batch = [*many_rows(1), rows_of(dispatched(on_order, note="Zoë 🦊"))]
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb3")
        try:
            assert write(batch, "default") == writing.Written(2, [])
            stored = AuditedDispatch.objects.get(id=batch[1].id).payload
        finally:
            AuditedDispatch.objects.all().delete()
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4")
        assert stored.isascii()
        assert read_payload(stored) == read_payload(next(values(batch[1], "payload")))


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_the_same() -> None:
    """Two that write the same dispatches at once leave each of them there once."""
    needs("postgresql", "mysql")
    batch = many_rows(40, order=User(pk=7))
    barrier = threading.Barrier(2)
    failures: list[BaseException] = []

    def work(rows: list[Rows]) -> None:
        try:
            barrier.wait(60)
            for _ in range(20):
                try:
                    assert write(rows, "default") == writing.Written(40, [])
                    return
                except Unavailable:  # a deadlock, which one of the two has to lose
                    continue
            pytest.fail("it was never written")
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(rows,)) for rows in (batch, batch[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert AuditedDispatch.objects.count() == 40
    assert AuditedCall.objects.count() == 80


class TestCopy:
    @pytest.mark.django_db(transaction=True)
    def test_postgresql_copies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """On PostgreSQL rows come in by COPY, and only one with conflicts it cannot solve else."""
        needs("postgresql")
        inserted = []
        insert = writing.insert

        def noted(connection: Any, cursor: Any, table: Any, rows: Any) -> None:
            inserted.append(table.name)
            insert(connection, cursor, table, rows)

        monkeypatch.setattr(writing, "insert", noted)
        batch = many_rows(4)
        write(batch[:2], "default")
        assert write(batch, "default").count == 4
        assert set(inserted) == {"signal_audit_tally"}

    @pytest.mark.django_db(transaction=True)
    def test_without_copy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A driver that cannot copy (psycopg2) inserts, with the same result."""
        needs("postgresql")
        monkeypatch.setattr(writing, "can_copy", lambda *args: False)
        batch = many_rows(4)
        batch[3] = without(batch[3], "method")
        assert write(batch[:2], "default").count == 2
        assert write(batch, "default").count == 3
        assert AuditedCall.objects.count() == 6


class _Cause(Exception):
    def __init__(self, number: int = 0, **told: str) -> None:
        super().__init__(number, "told")
        self.__dict__.update(told)


class TestBlame:
    @pytest.mark.django_db
    @pytest.mark.parametrize(
        ("error", "cause", "expected"),
        [
            (DataError(), None, Blame.ROWS),
            (IntegrityError(), None, Blame.ROWS),
            (ValueError(), None, Blame.ROWS),
            (OverflowError(), None, Blame.ROWS),
            (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "x"), None, Blame.ROWS),
            (transaction.TransactionManagementError(), None, Blame.DATABASE),
            (OperationalError(), _Cause(sqlstate="57P01"), Blame.DATABASE),
            (OperationalError(), _Cause(sqlstate="53100"), Blame.DATABASE),
            (OperationalError(), _Cause(sqlstate="40P01"), Blame.DATABASE),
            (ProgrammingError(), _Cause(sqlstate="42501"), Blame.DATABASE),
            (OperationalError(), _Cause(sqlstate="54000"), Blame.ROWS),
            (DataError(), _Cause(sqlstate="22021"), Blame.ROWS),
            (ProgrammingError(), _Cause(sqlstate="42P01"), Blame.UNKNOWN),
            (OperationalError(), _Cause(pgcode="08006"), Blame.DATABASE),
            (OperationalError(), _Cause(1366), Blame.ROWS),
            (OperationalError(), _Cause(1205), Blame.DATABASE),
            (OperationalError(), _Cause(2006), Blame.DATABASE),
            (OperationalError(), _Cause(2013), Blame.DATABASE),
            (OperationalError(), _Cause(sqlite_errorname="SQLITE_BUSY"), Blame.DATABASE),
            (OperationalError(), _Cause(sqlite_errorname="SQLITE_FULL"), Blame.DATABASE),
            (DataError(), _Cause(sqlite_errorname="SQLITE_TOOBIG"), Blame.ROWS),
            (OperationalError(), _Cause(sqlite_errorname="SQLITE_ERROR"), Blame.UNKNOWN),
            (InterfaceError(), None, Blame.UNKNOWN),
        ],
        ids=repr,
    )
    def test_who_is_at_fault(
        self, error: Exception, cause: Exception | None, expected: Blame
    ) -> None:
        """Each failure is put down to the rows or the database, by the code the driver gives."""
        connection.ensure_connection()
        error.__cause__ = cause
        assert blame(error, connection) is expected

    @pytest.mark.django_db
    def test_a_dead_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no code tells, a connection that does not answer is the database's fault."""
        monkeypatch.setattr(connection, "is_usable", lambda: False)
        assert blame(InterfaceError(), connection) is Blame.DATABASE
