"""Rows that hang on no dispatch: of a partition that was dropped, or deleted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.destinations.database.adapters import Binder
from signal_inspector.audit.destinations.database.statements import (
    Table,
    driver_cursor,
    select_in,
    transaction,
)
from signal_inspector.audit.lookups import dispatches, first_id_at
from signal_inspector.audit.models import AuditedCall, AuditedObject
from signal_inspector.audit.pruning.deleting import DISPATCHES, delete_keys

_SIZE: Final = 2_000  # ids that are looked at in one transaction
_SETTLED: Final = timedelta(hours=1)  # younger rows are left alone: they may be on their way
_ALL: Final = Table(DISPATCHES, ("id",), ("id",))
TABLES: Final = tuple(model._meta.db_table for model in (AuditedCall, AuditedObject))


def sweep(connection: BaseDatabaseWrapper, now: datetime, *, thorough: bool) -> Iterator[int]:
    """Delete such rows, some ids at a time; yields how many rows after each.

    Looks at what is older than every dispatch, which costs nothing; ``thorough``: at all.
    """
    before = first_id_at(now - _SETTLED)
    if not thorough:
        oldest = dispatches().order_by("id").values_list("id", flat=True).first()
        before = before if oldest is None else min(before, oldest)
    for table in TABLES:
        after: Any
        after, limit = Binder(connection).ids([str(UUID(int=0)), str(before)])
        while after is not None:
            after, deleted = _step(connection, table, after, limit)
            yield deleted


def _step(
    connection: BaseDatabaseWrapper, table: str, after: Any, before: Any
) -> tuple[Any | None, int]:
    """Where to go on, if anywhere, and how many rows were deleted."""
    quoted = connection.ops.quote_name
    sql = (
        f"SELECT DISTINCT dispatch_id FROM {quoted(table)} "  # noqa: S608 - our own names
        f"WHERE dispatch_id > %s AND dispatch_id < %s ORDER BY dispatch_id LIMIT {_SIZE}"
    )
    with driver_cursor(connection) as cursor:
        cursor.execute(sql, [after, before])
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return None, 0
        # Rows of a dispatch are committed together with it: who sees them, sees it after them.
        known = {row[0] for row in select_in(connection, cursor, _ALL, ("id",), ids)}
        lost = [id_ for id_ in ids if id_ not in known]
        deleted = 0
        if lost:
            with transaction(connection, cursor):
                for start in range(0, len(lost), 500):
                    part = lost[start : start + 500]
                    deleted += delete_keys(connection, cursor, table, "dispatch_id", part)
    return (ids[-1] if len(ids) == _SIZE else None), deleted
