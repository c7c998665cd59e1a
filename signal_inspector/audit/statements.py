"""Statements of the writer, past everything that watches the application's own.

The cursor is the driver's: what the audit writes is not counted by ``assertNumQueries``, stands
in no ``connection.queries``, and calls no execute wrapper. Transactions are begun and ended in
SQL for the same reason. Nothing here opens a second connection, or closes one. A transaction
that the application has begun is never ended, whichever way it was begun.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from django.db import NotSupportedError
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector import trouble

_SAVEPOINT: Final = "signal_inspector_audit"
_IDLE, _FAILED, _LOST = 0, 3, 4  # of libpq: PQtransactionStatus
_IN_TRANSACTION, _AUTOCOMMIT = 1, 2  # of MySQL's server status
_NO_SUCH_SAVEPOINT: Final = 1305
_CHUNK: Final = 500  # values of one IN (...)

_inserts: dict[tuple[str, str], str] = {}  # by vendor and table: making one takes 5 us


class Table(NamedTuple):
    """A table to insert into: what is there already under the same key stays."""

    name: str
    columns: Sequence[str]
    key: Sequence[str]


@contextlib.contextmanager
def driver_cursor(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """A cursor of the driver on this connection; raises Django's database errors.

    Where tests forbid this database, or another thread owns the connection, Django's own cursor
    says so first.
    """
    with connection.cursor():
        pass
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, contextlib.closing(connection.create_cursor()) as cursor:
        yield cursor


class Unavailable(Exception):  # noqa: N818 - a state of the database
    """The database takes nothing now: not the rows' fault, so try all of them again later."""


def is_nested(connection: BaseDatabaseWrapper) -> bool:
    """Whether what is written now is committed by somebody else, later or never."""
    if connection.in_atomic_block:
        return True
    if connection.vendor != "sqlite" and not connection.get_autocommit():
        return True
    return is_begun(connection)


def is_begun(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open on this connection, also one that Django knows nothing of.

    Such as one that ``cursor.execute("BEGIN")`` has begun. The driver knows what the server told.
    """
    raw: Any = connection.connection
    if raw is None:
        return False
    try:
        if connection.vendor == "sqlite":
            return bool(raw.in_transaction)
        if connection.vendor == "postgresql":
            return int(raw.info.transaction_status) not in (_IDLE, _LOST)
        if connection.vendor == "mysql":
            return _is_begun_on_mysql(raw)
    except AttributeError:  # something else than the driver's connection
        pass
    return False


def is_of_a_test(connection: BaseDatabaseWrapper) -> bool:
    """Whether ``TestCase`` has opened the transaction, to roll it back after the test."""
    return any(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def is_failed(connection: BaseDatabaseWrapper) -> bool:
    """Whether PostgreSQL takes nothing but the rollback of the transaction that is open."""
    raw: Any = connection.connection
    if connection.vendor != "postgresql" or raw is None:
        return False
    return int(raw.info.transaction_status) == _FAILED


def _is_begun_on_mysql(raw: Any) -> bool:
    status = getattr(raw, "server_status", None)
    if status is not None:  # PyMySQL
        return bool(status & _IN_TRANSACTION) or not status & _AUTOCOMMIT
    # mysqlclient does not tell. A savepoint outside of any transaction is gone at once.
    with contextlib.closing(raw.cursor()) as cursor:
        try:
            cursor.execute(f"SAVEPOINT {_SAVEPOINT}_probe")
            cursor.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}_probe")
        except Exception as error:
            if error.args[:1] == (_NO_SUCH_SAVEPOINT,):
                return False
            raise
    return True


@contextlib.contextmanager
def transaction(
    connection: BaseDatabaseWrapper, cursor: Any, name: str = _SAVEPOINT
) -> Iterator[None]:
    """All or nothing of what is done inside; a savepoint of this name where one is open.

    One inside the other have to have different names: MySQL would forget the first.
    """
    is_inner = is_nested(connection)
    if is_inner:
        begin, commit = f"SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}"
        rollback = [f"ROLLBACK TO SAVEPOINT {name}", commit]
    else:
        # SQLite: the lock for writing at once, as waiting for it later may be refused at once.
        begin = "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN"
        commit, rollback = "COMMIT", ["ROLLBACK"]
    cursor.execute(begin)
    try:
        yield
        cursor.execute(commit)
    except BaseException:
        try:
            for statement in rollback:
                cursor.execute(statement)
        except Exception as error:
            if is_inner:
                _let_commit_fail(connection)
            trouble.let_through(error)
        raise


def _let_commit_fail(connection: BaseDatabaseWrapper) -> None:
    """See to it that who began the transaction around ours is told that it is gone.

    The connection is lost, or the database has ended the whole transaction: MySQL in a deadlock,
    SQLite where the disk is full. What comes next would begin another one, and its commit say
    that all is well.
    """
    in_memory = getattr(connection, "is_in_memory_db", None)
    if in_memory is not None and in_memory():
        connection.needs_rollback = connection.in_atomic_block
    elif connection.connection is not None:
        try:
            if connection.vendor == "mysql":  # whose drivers raise if Django closes it again
                with contextlib.closing(connection.connection.cursor()) as cursor:
                    cursor.execute("KILL CONNECTION_ID()")
            else:
                connection.connection.close()
        except Exception as error:  # it is lost already
            trouble.let_through(error)


def insert(
    connection: BaseDatabaseWrapper, cursor: Any, table: Table, rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows, those whose key is in the table already excepted. Hides no other error."""
    if rows:
        known = connection.vendor, table.name
        sql = _inserts.get(known)
        if sql is None:
            sql = _inserts[known] = _insert_sql(connection, table)
        cursor.executemany(sql, rows)


def copy(
    connection: BaseDatabaseWrapper, cursor: Any, table: Table, rows: Iterable[Sequence[Any]]
) -> None:
    """PostgreSQL with psycopg 3: the quickest way in. A key that is there is an IntegrityError."""
    quoted = connection.ops.quote_name
    columns = ", ".join(map(quoted, table.columns))
    with cursor.copy(f"COPY {quoted(table.name)} ({columns}) FROM STDIN") as copying:
        write_row = copying.write_row
        for row in rows:
            write_row(row)


def can_copy(connection: BaseDatabaseWrapper, cursor: Any) -> bool:
    """Whether ``copy`` works here."""
    return connection.vendor == "postgresql" and hasattr(cursor, "copy")


def tells_of_conflicts(connection: BaseDatabaseWrapper, cursor: Any) -> bool:
    """Whether ``cursor.rowcount`` after ``insert`` is without the rows that were there before.

    MySQL counts them too, by Django's choice (FOUND_ROWS); psycopg2 counts the last row alone.
    """
    return connection.vendor == "sqlite" or can_copy(connection, cursor)


def select_in(
    connection: BaseDatabaseWrapper,
    cursor: Any,
    table: Table,
    columns: Sequence[str],
    keys: Sequence[Any],
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table with a key of one column that is among these."""
    quoted = connection.ops.quote_name
    what = ", ".join(map(quoted, columns))
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        marks = ", ".join(["%s"] * len(chunk))
        cursor.execute(
            f"SELECT {what} FROM {quoted(table.name)} "  # noqa: S608 - our own names, quoted
            f"WHERE {quoted(table.key[0])} IN ({marks})",
            chunk,
        )
        yield from cursor.fetchall()


def _insert_sql(connection: BaseDatabaseWrapper, table: Table) -> str:
    quoted = connection.ops.quote_name
    columns = ", ".join(map(quoted, table.columns))
    marks = ", ".join(["%s"] * len(table.columns))
    into = f"INSERT INTO {quoted(table.name)} ({columns}) VALUES ({marks})"  # noqa: S608
    # Named, so that a violation of anything else is still told.
    unless_there = f"ON CONFLICT ({', '.join(map(quoted, table.key))}) DO NOTHING"
    if connection.vendor == "sqlite":
        # From a SELECT: where the disk is full SQLite undoes an INSERT of one row by rolling back
        # the whole transaction, and one that may be of many by what it has kept to undo it.
        into = into.replace(f"VALUES ({marks})", f"SELECT {marks} WHERE true")
        return f"{into} {unless_there}"
    if connection.vendor == "postgresql":
        return f"{into} {unless_there}"
    if connection.vendor == "mysql":
        # Not INSERT IGNORE, which would also cut what is too long and null what is wrong.
        key = quoted(table.key[0])
        return f"{into} ON DUPLICATE KEY UPDATE {key} = {key}"
    raise NotSupportedError(f"The audit does not write to {connection.display_name}.")
