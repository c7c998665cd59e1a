"""Sees to it that the names in rows are in the database before the rows are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit import own_connections
from signal_inspector.audit.blame import Blame, blame
from signal_inspector.audit.choices import NameKind
from signal_inspector.audit.models import Name
from signal_inspector.audit.statements import (
    Table,
    Unavailable,
    driver_cursor,
    insert,
    is_nested,
    is_of_a_test,
    select_in,
    transaction,
)

Names = Mapping[int, tuple[NameKind, str]]

NAMES: Final = Table(Name._meta.db_table, ("id", "kind", "text"), ("id",))
_REMEMBERED: Final = 100_000  # names, per database alias

#: Names that were seen committed, by database alias. They are never deleted.
_committed: dict[str, set[int]] = {}


class NameClashError(ValueError):
    """Two different names have the same number: one in 10^8 logs with a million names."""


def add_names(connection: BaseDatabaseWrapper, cursor: Any, names: Names) -> None:
    """Insert those of the names that the database does not have yet.

    A name that somebody's transaction inserts makes all others who need it wait for the end of
    that, and perhaps in a circle. So on a server names are committed on another connection
    before; a transaction of a test, whose rows nobody else is to see, excepted.
    """
    committed = _committed.setdefault(connection.alias, set())
    missing = sorted(names.keys() - committed)
    if not missing:
        return
    is_inside = is_nested(connection)
    if is_inside and connection.vendor != "sqlite" and not is_of_a_test(connection):
        _add_on_another(connection.alias, missing, names)
        is_inside = False
    else:
        _add(connection, cursor, missing, names)
    # What is seen inside a transaction may be what that has added, and go with it.
    if not is_inside:
        if len(committed) > _REMEMBERED:
            committed.clear()
        committed.update(missing)


def _add_on_another(alias: str, missing: Sequence[int], names: Names) -> None:
    """Add them on a connection of ours; raises ``Unavailable`` where there can be none."""
    with own_connections.opened(alias) as other:
        try:
            with driver_cursor(other) as cursor:
                _add(other, cursor, missing, names)
        except Error as error:
            if other.connection is None or blame(error, other) is Blame.DATABASE:
                raise Unavailable(f"{type(error).__name__}: {error}") from error
            raise


def _add(
    connection: BaseDatabaseWrapper, cursor: Any, missing: Sequence[int], names: Names
) -> None:
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


def forget_names(alias: str | None = None) -> None:
    """Ask the database anew: its tables were emptied, or it is another database now."""
    if alias is None:
        _committed.clear()
    else:
        _committed.pop(alias, None)
