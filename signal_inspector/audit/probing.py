"""Whether the tables take anything at all, found out by a dispatch that nothing is wrong with.

A row is refused for what it holds, or because the table is another one than this code writes to:
of a newer version with a column more, behind a trigger that says no, partitioned without a place
for today. The error is the same. What cannot be refused for what it holds tells which it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NoReturn

from django.db import Error, models
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.binding import Binder
from signal_inspector.audit.counting import count
from signal_inspector.audit.folding import TALLIES
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, AuditedObject
from signal_inspector.audit.naming import NAMES
from signal_inspector.audit.rows import (
    CALL_COLUMNS,
    CALL_NAMES,
    DISPATCH_COLUMNS,
    DISPATCH_NAMES,
    OBJECT_COLUMNS,
    OBJECT_NAMES,
    Row,
    Rows,
)
from signal_inspector.audit.statements import Table, driver_cursor, insert, transaction
from signal_inspector.ids import next_sequence, time_ns, utc_now, uuid7_text

_NAME: Final = "signal_inspector"  # of whatever needs one: plain text, and short


class _Undone(Exception):  # noqa: N818 - no error: it only ends the transaction
    """All of it was taken, and none of it is to stay."""


def takes_rows(connection: BaseDatabaseWrapper, tables: Sequence[Table]) -> bool:
    """Whether the tables take the rows of a plain dispatch. Writes them, and rolls back."""
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
    dispatch = _plain_row(AuditedDispatch, DISPATCH_COLUMNS, DISPATCH_NAMES, {"id": id_, **at})
    of_it = {"dispatch_id": id_}
    call = _plain_row(AuditedCall, CALL_COLUMNS, CALL_NAMES, of_it)
    object_ = _plain_row(AuditedObject, OBJECT_COLUMNS, OBJECT_NAMES, of_it)
    return Rows(dispatch, [call], [object_])


def _plain_row(
    model: type[models.Model],
    columns: Sequence[str],
    names: Sequence[tuple[int, Any]],
    known: dict[str, Any],
) -> Row:
    """A row with as little in it as the columns allow."""
    named = dict.fromkeys([columns[position] for position, _ in names], _NAME)
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return tuple([(known | named).get(column, _least(fields[column])) for column in columns])


def _least(field: models.Field[Any, Any]) -> Any:
    if field.null:
        return None
    if isinstance(field, models.BooleanField):
        return False
    return "" if isinstance(field, (models.CharField, models.TextField)) else 0
