"""The writer's statements, hidden from what watches the application's queries; and their errors.

The cursor is the driver's: what the audit writes is not counted by ``assertNumQueries``, is not in
``connection.queries``, and calls no execute wrapper. Transactions are begun and ended in SQL for
the same reason. Nothing here opens a second connection. A transaction that the application has
begun is never ended, no matter how it was begun.

``blame`` says whether an error is the fault of the rows, or of the database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from django.db import DataError, IntegrityError, NotSupportedError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError

from signal_inspector.core import internal_errors

_SAVEPOINT: Final = "signal_inspector_audit"
_IDLE, _FAILED, _LOST = 0, 3, 4  # libpq's PQtransactionStatus
_IN_TRANSACTION, _AUTOCOMMIT = 1, 2  # flags of MySQL's server status
_NO_SUCH_SAVEPOINT: Final = 1305
_CHUNK: Final = 500  # values of one IN (...)

_inserts: dict[tuple[str, str], str] = {}  # by vendor and table: making one takes 5 us

# Classes of SQLSTATE: data, constraints, program limits (a value too large for an index) ...
_ROWS_STATES: Final = ("22", "23", "54")
# ... connections, transactions, serialization, privileges, resources, locks, operators, system.
_DATABASE_STATES: Final = ("08", "25", "28", "3D", "40", "42501", "53", "55", "57", "58")

# MySQL and MariaDB: wrong text for the character set, data too long, out of range, wrong value,
# packet or row too large ...
_ROWS_ERRORS: Final = frozenset((1118, 1153, 1264, 1265, 1292, 1366, 1406, 3988, 4025))
# ... disk full, out of memory, too many connections, shutdown, denied, table full, lock timeout,
# deadlock, read-only, killed; and all errors of the client itself (2000 and above).
_DATABASE_ERRORS: Final = {
    *(1020, 1021, 1037, 1040, 1041, 1044, 1045, 1049, 1053, 1114, 1142, 1158, 1159, 1160, 1161),
    *(1203, 1205, 1213, 1226, 1290, 1317, 1792, 1836, 1927, 1969, 3024, 3572),
}
_NO_SUCH_TABLE: Final = 1146
_CLIENT_ERRORS: Final = range(2000, 2100)

_ROWS_NAMES: Final = ("SQLITE_TOOBIG", "SQLITE_MISMATCH", "SQLITE_CONSTRAINT", "SQLITE_RANGE")
_DATABASE_NAMES: Final = (
    "SQLITE_BUSY",
    "SQLITE_LOCKED",
    "SQLITE_READONLY",
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_CANTOPEN",
    "SQLITE_CORRUPT",
    "SQLITE_NOTADB",
    "SQLITE_NOMEM",
    "SQLITE_PERM",
    "SQLITE_AUTH",
    "SQLITE_INTERRUPT",
    "SQLITE_PROTOCOL",
)


class Table(NamedTuple):
    """A table to insert into: a row that already exists under the same key stays."""

    name: str
    columns: Sequence[str]
    key: Sequence[str]


@contextlib.contextmanager
def driver_cursor(connection: BaseDatabaseWrapper) -> Iterator[Any]:
    """A cursor of the driver on this connection; raises Django's database errors.

    Django's own cursor is opened first: it raises if tests forbid this database, or if another
    thread owns the connection.
    """
    with connection.cursor():
        pass
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, contextlib.closing(connection.create_cursor()) as cursor:
        yield cursor


class Unavailable(Exception):  # noqa: N818 - a state of the database
    """The database takes nothing now. The rows are not at fault, so try all of them later."""


def is_nested(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open, so that other code decides whether it is committed."""
    if connection.in_atomic_block:
        return True
    if connection.vendor != "sqlite" and not connection.get_autocommit():
        return True
    return is_begun(connection)


def is_begun(connection: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open on this connection, even if Django does not know about it.

    An example is a transaction begun by ``cursor.execute("BEGIN")``. The driver knows of it from
    the server.
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
    except AttributeError:  # not a connection of the driver
        pass
    return False


def is_of_a_test(connection: BaseDatabaseWrapper) -> bool:
    """Whether ``TestCase`` has opened the transaction, and rolls it back after the test."""
    return any(getattr(block, "_from_testcase", False) for block in connection.atomic_blocks)


def is_failed(connection: BaseDatabaseWrapper) -> bool:
    """Whether the open transaction has failed, so that PostgreSQL takes only its rollback."""
    raw: Any = connection.connection
    if connection.vendor != "postgresql" or raw is None:
        return False
    return int(raw.info.transaction_status) == _FAILED


def _is_begun_on_mysql(raw: Any) -> bool:
    status = getattr(raw, "server_status", None)
    if status is not None:  # PyMySQL
        return bool(status & _IN_TRANSACTION) or not status & _AUTOCOMMIT
    # mysqlclient does not say. A savepoint outside of a transaction is gone at once.
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
    """Make what is done inside atomic; with a savepoint of this name if a transaction is open.

    Nested savepoints need different names: MySQL deletes an earlier savepoint of the same name.
    """
    is_inner = is_nested(connection)
    if is_inner:
        begin, commit = f"SAVEPOINT {name}", f"RELEASE SAVEPOINT {name}"
        rollback = [f"ROLLBACK TO SAVEPOINT {name}", commit]
    else:
        # SQLite: take the write lock now. If it is needed later, SQLite may fail without waiting.
        begin = "BEGIN IMMEDIATE" if connection.vendor == "sqlite" else "BEGIN"
        commit, rollback = "COMMIT", ["ROLLBACK"]
    has_begun = False
    try:
        cursor.execute(begin)
        has_begun = True
        yield
        cursor.execute(commit)
    except BaseException:
        try:
            # A time limit that interrupts "BEGIN" is raised when the transaction has begun.
            if has_begun or (not is_inner and is_begun(connection)):
                for statement in rollback:
                    cursor.execute(statement)
        except Exception as error:
            if is_inner:
                _let_commit_fail(connection)
            internal_errors.let_through(error)
        raise


def _let_commit_fail(connection: BaseDatabaseWrapper) -> None:
    """Make the commit of the application's transaction fail, because that transaction is gone.

    The connection is lost, or the database has ended the whole transaction: MySQL in a deadlock,
    SQLite when the disk is full. Otherwise the next statements would be in another transaction,
    and its commit would succeed.
    """
    in_memory = getattr(connection, "is_in_memory_db", None)
    if in_memory is not None and in_memory():
        connection.needs_rollback = connection.in_atomic_block
    elif connection.connection is not None:
        try:
            if connection.vendor == "mysql":  # its drivers raise if Django closes it again
                with contextlib.closing(connection.connection.cursor()) as cursor:
                    cursor.execute("KILL CONNECTION_ID()")
            else:
                connection.connection.close()
        except Exception as error:  # it is lost already
            internal_errors.let_through(error)


def insert(
    connection: BaseDatabaseWrapper, cursor: Any, table: Table, rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows, except those whose key is in the table already. Hides no other error."""
    if rows:
        known = connection.vendor, table.name
        sql = _inserts.get(known)
        if sql is None:
            sql = _inserts[known] = _insert_sql(connection, table)
        cursor.executemany(sql, rows)


def copy(
    connection: BaseDatabaseWrapper, cursor: Any, table: Table, rows: Iterable[Sequence[Any]]
) -> None:
    """Insert rows by COPY, the fastest way: PostgreSQL with psycopg 3 only.

    If a key is in the table already, IntegrityError is raised.
    """
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
    """Whether ``cursor.rowcount`` after ``insert`` excludes the rows that were there before.

    MySQL counts them too, as Django sets FOUND_ROWS; psycopg2 counts only the last row.
    """
    return connection.vendor == "sqlite" or can_copy(connection, cursor)


def select_in(
    connection: BaseDatabaseWrapper,
    cursor: Any,
    table: Table,
    columns: Sequence[str],
    keys: Sequence[Any],
) -> Iterator[tuple[Any, ...]]:
    """The rows of a table whose key, a single column, is one of ``keys``."""
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
    # The key is named, so that a violation of any other constraint is still an error.
    unless_there = f"ON CONFLICT ({', '.join(map(quoted, table.key))}) DO NOTHING"
    if connection.vendor == "sqlite":
        # From a SELECT: when the disk is full, SQLite undoes an INSERT of a single row by rolling
        # back the whole transaction, but an INSERT of possibly many rows by its statement journal.
        into = into.replace(f"VALUES ({marks})", f"SELECT {marks} WHERE true")
        return f"{into} {unless_there}"
    if connection.vendor == "postgresql":
        return f"{into} {unless_there}"
    if connection.vendor == "mysql":
        # Not INSERT IGNORE, which would also truncate long values and replace wrong ones.
        key = quoted(table.key[0])
        return f"{into} ON DUPLICATE KEY UPDATE {key} = {key}"
    raise NotSupportedError(f"The audit does not support {connection.display_name}.")


class Blame(Enum):
    """What is at fault when a batch cannot be written."""

    ROWS = "rows"
    DATABASE = "database"  # away, locked, full, read-only: the same rows may be written later
    UNKNOWN = "unknown"  # to be found out by writing the rows one by one, and by writing others


def blame(error: Exception, connection: BaseDatabaseWrapper) -> Blame:
    """What is at fault. If the error does not say, the connection is asked whether it works."""
    if isinstance(error, TransactionManagementError):
        return Blame.DATABASE
    if isinstance(error, (ValueError, TypeError, OverflowError)):  # the driver refuses a value
        return Blame.ROWS
    told = _by_code(error)
    if told is not Blame.UNKNOWN:
        return told
    if lacks_tables(error):  # read from the error, as the tables may exist a moment later
        return Blame.DATABASE
    if isinstance(error, (DataError, IntegrityError)):
        return Blame.ROWS
    return Blame.UNKNOWN if connection.is_usable() else Blame.DATABASE


def lacks_tables(error: BaseException) -> bool:
    """Whether the only problem is that the tables of the log have not been migrated."""
    cause: BaseException | None = error
    while cause is not None:
        state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        number = cause.args[0] if cause.args else None
        text = str(cause)
        is_missing = state == "42P01" or number == _NO_SUCH_TABLE or "no such table" in text
        if is_missing and "signal_audit_" in text:
            return True
        cause = cause.__cause__
    return False


def no_tables(using: str) -> str:
    """The message about missing tables."""
    return (
        f"The database {using} does not have the tables of the signal audit. Run: manage.py "
        f"migrate signal_audit --database {using}"
    )


def _by_code(error: Exception) -> Blame:
    """What is at fault according to the driver's error behind Django's."""
    cause = error.__cause__ or error
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    name = getattr(cause, "sqlite_errorname", None)
    number = cause.args[0] if cause.args and isinstance(cause.args[0], int) else None
    if state is not None:
        return _either(state.startswith(_ROWS_STATES), state.startswith(_DATABASE_STATES))
    if name is not None:
        return _either(name.startswith(_ROWS_NAMES), name.startswith(_DATABASE_NAMES))
    if number is not None:
        is_database = number in _DATABASE_ERRORS or number in _CLIENT_ERRORS
        return _either(number in _ROWS_ERRORS, is_database)
    return Blame.UNKNOWN


def _either(rows: bool, database: bool) -> Blame:
    if rows:
        return Blame.ROWS
    return Blame.DATABASE if database else Blame.UNKNOWN
