"""How large the tables are, as far as a database tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.apps import apps
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.settings import get_settings

_SERVER: Final[Mapping[str, str]] = {
    "postgresql": "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
    "WHERE oid = ANY(SELECT to_regclass(name)::oid FROM unnest(%s::text[]) AS name)",
    "mysql": "SELECT table_name, data_length + index_length FROM information_schema.tables "
    "WHERE table_schema = DATABASE()",
}
# Of a table and its indexes; a part of SQLite that not every build has.
_SQLITE: Final = (
    "SELECT m.tbl_name, SUM(s.pgsize) FROM dbstat s JOIN sqlite_master m ON m.name = s.name "
    "WHERE s.aggregate = TRUE AND m.tbl_name LIKE 'signal\\_audit\\_%%' ESCAPE '\\' "
    "GROUP BY m.tbl_name"
)
_LARGE: Final = 2 * 1024**3  # a SQLite file of which every page would have to be read


def table_sizes() -> dict[str, int | None]:
    """Bytes on disk by table, with its indexes; None where they cannot be told."""
    connection = connections[get_settings().database]
    tables = [model._meta.db_table for model in apps.get_app_config("signal_audit").get_models()]
    told = {str(name): int(size) for name, size in _told(connection, tables) if size is not None}
    return {table: told.get(table) for table in sorted(tables)}


def database_size() -> int | None:
    """Bytes of a SQLite file, all tables together; None for a server."""
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
    except DatabaseError:  # no dbstat, or no right to look
        return []
