"""The health of the log: its writers, its last write, what waits or is missing, and its size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Max, Sum

from signal_inspector.audit.delivery.current import process
from signal_inspector.audit.destinations.database.adapters import stored_now
from signal_inspector.audit.models import AuditedDispatch, Gap, Writer
from signal_inspector.audit.settings import get_settings

_SERVER: Final[Mapping[str, str]] = {
    "postgresql": "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
    "WHERE oid = ANY(SELECT to_regclass(name)::oid FROM unnest(%s::text[]) AS name)",
    "mysql": "SELECT table_name, data_length + index_length FROM information_schema.tables "
    "WHERE table_schema = DATABASE()",
}
# Sizes of tables including their indexes, from dbstat, which not every build of SQLite has.
_SQLITE: Final = (
    "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
    "WHERE s.aggregate = TRUE AND m.tbl_name LIKE 'signal\\_audit\\_%%' ESCAPE '\\' "
    "GROUP BY m.tbl_name"
)
_LARGE: Final = 2 * 1024**3  # bytes; dbstat reads every page, so larger SQLite files are not asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of the log, for a page or a command."""

    last_write_at: datetime | None  # the latest of any process; None: nothing was ever written
    waiting: int  # dispatches waiting in this process, and in others as they reported last
    writers: int  # processes that write in the background and have not ended
    late: int  # writers that have something to write, but wrote nothing for too long
    open_gaps: int  # gaps that nobody has marked as resolved
    missing: int  # dispatches missing in the open gaps; upper bounds count in full
    is_missing_exact: bool  # whether no open gap is an upper bound


def status(using: str | None = None) -> Status:
    """The state of the log, by a few quick queries; raises what the database raises."""
    using = using or get_settings().database
    writers = Writer.objects.using(using).filter(stopped_at=None)
    gaps = Gap.objects.using(using).filter(closed_at=None)
    counted = gaps.aggregate(missing=Sum("missing"))
    own = process.delivery
    return Status(
        last_write_at=last_write_at(using),
        waiting=(writers.aggregate(waiting=Sum("waiting"))["waiting"] or 0)
        + (0 if own is None or own.has_own_connection else own.waiting),
        writers=writers.count(),
        late=len(late_writers(using)),
        open_gaps=gaps.count(),
        missing=counted["missing"] or 0,
        is_missing_exact=not gaps.filter(is_upper_bound=True).exists(),
    )


def last_write_at(using: str) -> datetime | None:
    """The time of the last write to the log by any process."""
    said = Writer.objects.using(using).aggregate(last=Max("last_write_at"))["last"]
    newest = AuditedDispatch.objects.using(using).order_by("-id").values_list("written_at")[:1]
    moments = [moment for moment in (said, *(row[0] for row in newest)) if moment is not None]
    return max(moments, default=None)


def late_writers(using: str) -> list[Writer]:
    """Processes that have something to write, but have written nothing for too long."""
    limit = stored_now() - timedelta(seconds=get_settings().late_after_seconds)
    return [
        writer
        for writer in Writer.objects.using(using).filter(stopped_at=None, waiting__gt=0)
        if (writer.last_write_at or writer.started_at) < limit
    ]


def table_sizes() -> dict[str, int | None]:
    """Bytes on disk by table, including its indexes; None if the size is not known."""
    connection = connections[get_settings().database]
    tables = [model._meta.db_table for model in apps.get_app_config("signal_audit").get_models()]
    told = {str(name): int(size) for name, size in _told(connection, tables) if size is not None}
    return {table: told.get(table) for table in sorted(tables)}


def database_size() -> int | None:
    """The size of a SQLite file in bytes, for all tables together; None for a server."""
    connection = connections[get_settings().database]
    if connection.vendor != "sqlite":
        return None
    with connection.cursor() as cursor:
        numbers = []
        for pragma in ("page_count", "page_size"):
            cursor.execute(f"PRAGMA {pragma}")
            numbers.append(int(cursor.fetchone()[0]))
    return numbers[0] * numbers[1]


def _told(connection: BaseDatabaseWrapper, tables: list[str]) -> list[tuple[Any, Any]]:
    statement = _SERVER.get(connection.vendor)
    if statement is None:
        if connection.vendor != "sqlite" or (database_size() or 0) > _LARGE:
            return []
        statement = _SQLITE
    params = [tables] if connection.vendor == "postgresql" else []
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())
    except DatabaseError:  # no dbstat, or no permission
        return []
