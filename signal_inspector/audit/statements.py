"""Statements of the writer, past everything that watches the application's own.

The cursor is the driver's: what the audit writes is not counted by ``assertNumQueries``, stands
in no ``connection.queries``, and calls no execute wrapper. Transactions are begun and ended in
SQL for the same reason. Nothing here opens a second connection, or closes one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from django.db import NotSupportedError
from django.db.backends.base.base import BaseDatabaseWrapper

_SAVEPOINT: Final = "signal_inspector_audit"
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


def is_nested(connection: BaseDatabaseWrapper) -> bool:
    """Whether what is written now is committed by somebody else, later or never."""
    if connection.in_atomic_block:
        return True
    if connection.vendor == "sqlite":  # where a savepoint outside a transaction is one itself
        return connection.connection is not None and connection.connection.in_transaction
    return not connection.get_autocommit()


@contextlib.contextmanager
def transaction(connection: BaseDatabaseWrapper, cursor: Any) -> Iterator[None]:
    """All or nothing of what is done inside; a savepoint where a transaction is open."""
    if is_nested(connection):
        begin, commit = f"SAVEPOINT {_SAVEPOINT}", f"RELEASE SAVEPOINT {_SAVEPOINT}"
        rollback = [f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}", commit]
    else:
        # SQLite: the lock for writing at once, as waiting for it later may be refused at once.
        begin = "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN"
        commit, rollback = "COMMIT", ["ROLLBACK"]
    cursor.execute(begin)
    try:
        yield
        cursor.execute(commit)
    except BaseException:
        with contextlib.suppress(Exception):  # a connection that is lost has rolled back
            for statement in rollback:
                cursor.execute(statement)
        raise


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
    if connection.vendor in ("postgresql", "sqlite"):
        # Named, so that a violation of anything else is still told.
        return f"{into} ON CONFLICT ({', '.join(map(quoted, table.key))}) DO NOTHING"
    if connection.vendor == "mysql":
        # Not INSERT IGNORE, which would also cut what is too long and null what is wrong.
        key = quoted(table.key[0])
        return f"{into} ON DUPLICATE KEY UPDATE {key} = {key}"
    raise NotSupportedError(f"The audit does not write to {connection.display_name}.")
