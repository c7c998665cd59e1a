"""Write rows to the database: a batch in one transaction, and one bad row does not lose others.

A row is refused for what it holds, or because the table is not the one that this code expects: a
newer version has added a column, a trigger rejects the row, there is no partition for today. The
error is the same. To tell these cases apart, a dispatch with nothing wrong in it is written and
rolled back (``takes_rows``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, NoReturn

from django.db import Error, IntegrityError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.destinations.database.adapters import (
    NAMES,
    Binder,
    Bound,
    add_names,
    forget_names,
)
from signal_inspector.audit.destinations.database.statements import (
    Blame,
    Table,
    Unavailable,
    blame,
    can_copy,
    copy,
    driver_cursor,
    insert,
    select_in,
    tells_of_conflicts,
    transaction,
)
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, AuditedObject
from signal_inspector.audit.rows import (
    CALL_COLUMNS,
    CALL_NAMES,
    DISPATCH_COLUMNS,
    DISPATCH_NAMES,
    OBJECT_COLUMNS,
    OBJECT_NAMES,
    CallRow,
    DispatchRow,
    ObjectRow,
    Row,
    Rows,
    in_ascii,
)
from signal_inspector.audit.sanitize import storable
from signal_inspector.audit.stats.rollup import TALLIES, added, count
from signal_inspector.core.record.ids import next_sequence, time_ns, utc_now, uuid7_text

DISPATCHES: Final = Table(AuditedDispatch._meta.db_table, DISPATCH_COLUMNS, ("id",))
CALLS: Final = Table(AuditedCall._meta.db_table, CALL_COLUMNS, ("dispatch_id", "index"))
OBJECTS: Final = Table(AuditedObject._meta.db_table, OBJECT_COLUMNS, OBJECT_COLUMNS)
_TABLES: Final = (DISPATCHES, CALLS, OBJECTS)

_REASON_LENGTH: Final = 500  # characters of why a row was refused
#: What is raised when a database, or its driver, does not take rows.
_REFUSALS: Final = (Error, ValueError, TypeError, OverflowError)

_NAME: Final = "signal_inspector"  # every name in a plain row: short, and plain text


class Unwritable(NamedTuple):
    """A dispatch whose rows the database refuses."""

    id: str
    started_at: int  # microseconds since 1970
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch: each of its dispatches is counted or refused."""

    count: int  # dispatches that are in the log now, including those that were there before
    refused: list[Unwritable]


def write(batch: Sequence[Rows], using: str) -> Written:
    """Write the rows of dispatches on ``connections[using]``, in one transaction if possible.

    Safe to repeat: what is in the log already stays as it is. Inside an atomic block, a savepoint
    is used. A batch that is refused is halved until the rows at fault are found; the others are
    written. Raises ``Unavailable`` if the database is at fault, or if its tables take nothing
    that this code writes; some dispatches may be written by then.
    """
    connection = connections[using]
    search = _Search()
    waiting = [list({rows.id: rows for rows in batch}.values())]
    while waiting:
        part = waiting.pop()
        if not part:
            continue
        try:
            _write_all(connection, part)
        except _REFUSALS as error:
            if blame(error, connection) is Blame.DATABASE:
                _give_up(error, using)
            if len(part) > 1:
                half = len(part) // 2
                waiting += [part[half:], part[:half]]
            else:
                search.failed(connection, part[0], error)
        else:
            search.count += len(part)
    return Written(search.count, search.refused)


@dataclass(slots=True)
class _Search:
    """What became of the dispatches so far."""

    count: int = 0
    refused: list[Unwritable] = field(default_factory=list)

    def failed(self, connection: BaseDatabaseWrapper, rows: Rows, error: Exception) -> None:
        """Handle a dispatch that was refused on its own; try it with ASCII text first."""
        plain = in_ascii(rows)
        if plain != rows and self._taken(connection, plain):
            return
        # If another dispatch was taken, or finally refused, the tables are known to work.
        if not (self.count or self.refused):
            if not takes_rows(connection, _TABLES):
                _give_up(error, connection.alias)
            # They work now. Perhaps they were migrated after this dispatch was refused.
            if self._taken(connection, rows):
                return
        self.refused.append(Unwritable(rows.id, rows.dispatch.started_at, _reason(error)))

    def _taken(self, connection: BaseDatabaseWrapper, rows: Rows) -> bool:
        """Write these rows, and count them if the database takes them; whether it does."""
        try:
            _write_all(connection, [rows])
        except _REFUSALS as error:
            if blame(error, connection) is Blame.DATABASE:
                _give_up(error, connection.alias)
            return False
        self.count += 1
        return True


def _write_all(connection: BaseDatabaseWrapper, batch: Sequence[Rows]) -> None:
    """Write the whole batch or nothing."""
    with driver_cursor(connection) as cursor:
        binder = Binder(connection)
        bound = binder.bind(batch, utc_now())
        # Before the transaction: names are committed at once, so that they can be remembered, and
        # no writer waits for the batch of another.
        add_names(connection, cursor, binder.names)
        if can_copy(connection, cursor) and _copied(connection, cursor, binder, batch, bound):
            return
        _insert(connection, cursor, binder, batch, bound)


class _Repeated(Exception):  # noqa: N818 - no error: it only has to be written another way
    """Some dispatches of a batch are in the log already."""


def _insert(
    connection: BaseDatabaseWrapper,
    cursor: Any,
    binder: Binder,
    batch: Sequence[Rows],
    bound: Bound,
) -> None:
    """Write a batch by INSERT. What is in the log already stays, and is not counted again."""
    if tells_of_conflicts(connection, cursor):
        with contextlib.suppress(_Repeated):
            _insert_all(connection, cursor, batch, bound, is_new=True)
            return
    found = _found(connection, cursor, binder, batch)
    if found:
        batch = [rows for rows in batch if rows.id not in found]
        bound = binder.bind(batch, utc_now())
    _insert_all(connection, cursor, batch, bound, is_new=False)


def _insert_all(
    connection: BaseDatabaseWrapper,
    cursor: Any,
    batch: Sequence[Rows],
    bound: Bound,
    *,
    is_new: bool,
) -> None:
    """Insert rows; raises ``_Repeated`` if ``is_new`` and some are in the log already."""
    counted = count(batch, bound)
    with transaction(connection, cursor):
        for table, rows in zip(_TABLES, bound, strict=True):
            insert(connection, cursor, table, rows)
            if is_new and table is DISPATCHES and cursor.rowcount < len(rows):
                raise _Repeated
        insert(connection, cursor, TALLIES, counted.rows)
    added(connection, counted.figures)


def _found(
    connection: BaseDatabaseWrapper, cursor: Any, binder: Binder, batch: Sequence[Rows]
) -> set[str]:
    """The ids, as in the rows, of the dispatches that are in the log."""
    ids = dict(zip(binder.ids(rows.id for rows in batch), batch, strict=True))
    found = select_in(connection, cursor, DISPATCHES, ("id",), list(ids))
    return {ids[str(row[0])].id for row in found}


def _copied(
    connection: BaseDatabaseWrapper,
    cursor: Any,
    binder: Binder,
    batch: Sequence[Rows],
    bound: Bound,
) -> bool:
    """Write a batch by COPY, without what is in the log already; False if that is not possible."""
    try:
        _copy(connection, cursor, batch, bound)
    except IntegrityError:
        found = _found(connection, cursor, binder, batch)
        missing = [rows for rows in batch if rows.id not in found]
        if len(missing) == len(batch):
            return False
        try:
            _copy(connection, cursor, missing, binder.bind(missing, utc_now()))
        except IntegrityError:  # another process writes the same rows
            return False
    return True


def _copy(
    connection: BaseDatabaseWrapper, cursor: Any, batch: Sequence[Rows], bound: Bound
) -> None:
    counted = count(batch, bound)
    with transaction(connection, cursor):
        for table, rows in zip(_TABLES, bound, strict=True):
            if rows:
                with connection.wrap_database_errors:
                    copy(connection, cursor, table, rows)
        insert(connection, cursor, TALLIES, counted.rows)
    added(connection, counted.figures)


def _give_up(error: Exception, using: str) -> NoReturn:
    # A server that comes back may be another one, to which not all commits were replicated.
    forget_names(using)
    raise Unavailable(_reason(error)) from error


def _reason(error: Exception) -> str:
    return storable(f"{type(error).__name__}: {error}")[:_REASON_LENGTH].strip()


class _Undone(Exception):  # noqa: N818 - no error: it only ends the transaction
    """Everything was taken, and is rolled back."""


def takes_rows(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> bool:
    """Whether the tables take the rows of a plain dispatch. Write them and roll back."""
    try:
        _write_and_undo(connection, tables)
    except _Undone:
        return True
    except (Error, ValueError, TypeError, OverflowError):
        return False


def _write_and_undo(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> NoReturn:
    batch = [_plain_rows()]
    binder = Binder(connection)
    bound = binder.bind(batch, utc_now())
    names = [(number, int(kind), text) for number, (kind, text) in sorted(binder.names.items())]
    with driver_cursor(connection) as cursor, transaction(connection, cursor):
        insert(connection, cursor, NAMES, names)
        for table, rows in zip(tables, bound, strict=True):
            insert(connection, cursor, table, rows)
        insert(connection, cursor, TALLIES, count(batch, bound).rows)
        raise _Undone


def _plain_rows() -> Rows:
    now = time_ns()
    id_ = uuid7_text(now, next_sequence())
    at = {"started_at": now // 1_000, "written_at": 0}
    dispatch = _plain_row(AuditedDispatch, DispatchRow, DISPATCH_NAMES, {"id": id_, **at})
    of_it = {"dispatch_id": id_}
    call = _plain_row(AuditedCall, CallRow, CALL_NAMES, of_it)
    object_ = _plain_row(AuditedObject, ObjectRow, OBJECT_NAMES, of_it)
    return Rows(dispatch, [call], [object_])


def _plain_row(
    model: type[models.Model],
    row: type[Row],
    names: Iterable[str],
    known: dict[str, Any],
) -> Row:
    """A row with the smallest value that each column allows."""
    named = dict.fromkeys(names, _NAME)
    fields = {field.attname: field for field in model._meta.concrete_fields}
    values = known | named
    return row._make([values.get(column, _least(fields[column])) for column in row._fields])


def _least(field: models.Field[Any, Any]) -> Any:
    if field.null:
        return None
    if isinstance(field, models.BooleanField):
        return False
    return "" if isinstance(field, (models.CharField, models.TextField)) else 0
