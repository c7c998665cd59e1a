"""Sees to it that the names in rows are in the database before the rows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.choices import NameKind
from signal_inspector.audit.models import Name
from signal_inspector.audit.statements import Table, insert, is_nested, select_in, transaction

Names = Mapping[int, tuple[NameKind, str]]

NAMES: Final = Table(Name._meta.db_table, ("id", "kind", "text"), ("id",))
_REMEMBERED: Final = 100_000  # names, per database alias

#: Names that were seen committed, by database alias. They are never deleted.
_committed: dict[str, set[int]] = {}


class NameClashError(ValueError):
    """Two different names have the same number: one in 10^8 logs with a million names."""


def add_names(connection: BaseDatabaseWrapper, cursor: Any, names: Names) -> None:
    """Insert those of the names that the database does not have yet.

    Inside somebody's transaction nothing is remembered: a name that is seen there may be one that
    this very transaction has added, and gone with it when it rolls back.
    """
    committed = _committed.setdefault(connection.alias, set())
    missing = sorted(names.keys() - committed)
    if not missing:
        return
    found = dict(select_in(connection, cursor, NAMES, ("id", "text"), missing))
    for number, text in found.items():
        if names[number][1] != text:
            raise NameClashError(f"{names[number][1]!r} has the number of {text!r}")
    # In order of their numbers, so that two writers wait for each other and never in a circle.
    rows = [(number, int(names[number][0]), names[number][1]) for number in missing]
    rows = [row for row in rows if row[0] not in found]
    if rows:
        with transaction(connection, cursor):
            insert(connection, cursor, NAMES, rows)
    if not is_nested(connection):
        if len(committed) > _REMEMBERED:
            committed.clear()
        committed.update(missing)


def forget_names(alias: str | None = None) -> None:
    """Ask the database anew: its tables were emptied, or it is another database now."""
    if alias is None:
        _committed.clear()
    else:
        _committed.pop(alias, None)
