"""Whether a failed write is the fault of the rows, or of the database."""

from __future__ import annotations

from enum import Enum
from typing import Final

from django.db import DataError, IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


class Blame(Enum):
    """At fault when a batch could not be written."""

    ROWS = "rows"
    DATABASE = "database"  # away, locked, full, read-only: the same rows may do later
    UNKNOWN = "unknown"  # to be found out by writing the rows one by one, and others


# Classes of SQLSTATE: data, constraints, program limits (a value too large for an index) ...
_ROWS_STATES: Final = ("22", "23", "54")
# ... connections, transactions, serialisation, privileges, resources, locks, operators, system.
_DATABASE_STATES: Final = ("08", "25", "28", "3D", "40", "42501", "53", "55", "57", "58")

# MySQL and MariaDB: wrong text for the character set, data too long, out of range, wrong value,
# packet or row too large ...
_ROWS_ERRORS: Final = frozenset((1118, 1153, 1264, 1265, 1292, 1366, 1406, 3988, 4025))
# ... disk full, out of memory, too many connections, shutdown, denied, table full, lock timeout,
# deadlock, read-only, killed; and all that the client itself tells (2000 and above).
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


def blame(error: Exception, connection: BaseDatabaseWrapper) -> Blame:
    """Who is at fault. The connection is asked whether it works only where nothing else tells."""
    if isinstance(error, transaction.TransactionManagementError):
        return Blame.DATABASE
    if isinstance(error, (ValueError, TypeError, OverflowError)):  # the driver's, of one value
        return Blame.ROWS
    told = _by_code(error)
    if told is not Blame.UNKNOWN:
        return told
    if lacks_tables(error):  # told by the error, as the tables may be there the next moment
        return Blame.DATABASE
    if isinstance(error, (DataError, IntegrityError)):
        return Blame.ROWS
    return Blame.UNKNOWN if connection.is_usable() else Blame.DATABASE


def lacks_tables(error: BaseException) -> bool:
    """Whether all that is wrong is that the log has not been migrated."""
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
    """What to say of that."""
    return (
        f"The database {using!r} has no tables of the signal audit. "
        f"Run: manage.py migrate signal_audit --database {using}"
    )


def _by_code(error: Exception) -> Blame:
    """What the error of the driver says that Django's error was made of."""
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
