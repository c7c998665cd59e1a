"""Rows as a database takes them: numbers for names, and ids and times in its own format.

``add_names`` makes sure that names are in the database before the rows that refer to them. A
process remembers only which names it has seen committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from django.conf import settings
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.statements import (
    Blame,
    Table,
    Unavailable,
    blame,
    driver_cursor,
    insert,
    is_nested,
    is_of_a_test,
    select_in,
    transaction,
)
from signal_inspector.audit.models import Name, NameKind
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
    Rows,
)
from signal_inspector.audit.sanitize import name_id
from signal_inspector.core import process_state
from signal_inspector.core.record.ids import utc_now

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: Rows of dispatches, calls and objects, as ``Binder.bind`` has bound them.
Bound = tuple[Sequence[DispatchRow], Sequence[CallRow], Sequence[ObjectRow]]

Names = Mapping[int, tuple[NameKind, str]]

# Positions of the values to bind: changing a list by position takes a third of the time of
# _replace.
_STARTED_AT: Final = DISPATCH_COLUMNS.index("started_at")
_WRITTEN_AT: Final = DISPATCH_COLUMNS.index("written_at")
_DISPATCH_IDS: Final = tuple(map(DISPATCH_COLUMNS.index, ("id", "parent_id", "transaction_id")))
_CALL_IDS: Final = (CALL_COLUMNS.index("dispatch_id"),)
_OBJECT_IDS: Final = (OBJECT_COLUMNS.index("dispatch_id"),)
_DISPATCH_NAMES: Final = [(DISPATCH_COLUMNS.index(key), it) for key, it in DISPATCH_NAMES.items()]
_CALL_NAMES: Final = [(CALL_COLUMNS.index(key), it) for key, it in CALL_NAMES.items()]
_OBJECT_NAMES: Final = [(OBJECT_COLUMNS.index(key), it) for key, it in OBJECT_NAMES.items()]

NAMES: Final = Table(Name._meta.db_table, ("id", "kind", "text"), ("id",))
_REMEMBERED: Final = 100_000  # names, per database alias

#: Names that were seen committed, by database alias. Names are never deleted.
_committed: dict[str, set[int]] = {}


class Binder:
    """Binds rows for one connection, and collects the names that they need."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.names: dict[int, tuple[NameKind, str]] = {}
        self._numbers: dict[NameKind, dict[str, int]] = {kind: {} for kind in NameKind}
        self._time = _time_form(connection)
        self._id = _id_form(connection)

    def bind(self, batch: Iterable[Rows], now: datetime) -> Bound:
        """Bound rows of dispatches, calls and objects; ``now`` is when they are written."""
        dispatches, calls, objects = [], [], []
        written_at = self._time(now)
        for rows in batch:
            row = self._bind(rows.dispatch, _DISPATCH_IDS, _DISPATCH_NAMES)
            row[_STARTED_AT] = self._time(moment(row[_STARTED_AT]))
            row[_WRITTEN_AT] = written_at
            dispatches.append(DispatchRow._make(row))
            calls += [
                CallRow._make(self._bind(call, _CALL_IDS, _CALL_NAMES)) for call in rows.calls
            ]
            objects += [
                ObjectRow._make(self._bind(key, _OBJECT_IDS, _OBJECT_NAMES))
                for key in rows.objects
            ]
        return dispatches, calls, objects

    def ids(self, ids: Iterable[str]) -> list[str]:
        """Ids as this database takes them."""
        return [self._id(each) for each in ids]

    def _bind(
        self, row: Iterable[Any], ids: Sequence[int], named: Sequence[tuple[int, NameKind]]
    ) -> list[Any]:
        bound = list(row)
        for column in ids:
            if bound[column] is not None:
                bound[column] = self._id(bound[column])
        numbers = self._numbers
        for column, kind in named:
            text = bound[column]
            if text is not None:
                number = numbers[kind].get(text)
                bound[column] = self._number(kind, text) if number is None else number
        return bound

    def _number(self, kind: NameKind, text: str) -> int:
        number = self._numbers[kind][text] = name_id(kind, text)
        self.names[number] = (kind, text)
        return number


def moment(microseconds: int) -> datetime:
    """The time in UTC, given in microseconds since the beginning of 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def stored(when: datetime) -> datetime:
    """An aware time, converted to what a model field takes.

    Without USE_TZ this is a naive time in TIME_ZONE, regardless of the time zone of the process
    and of the current time zone.
    """
    return when if settings.USE_TZ else timezone.make_naive(when, _zone())


def stored_now() -> datetime:
    """Now, as a model field takes it: ``timezone.now()`` may be in the process's time zone."""
    return stored(utc_now())


def utc_of(when: datetime) -> datetime:
    """A time from the database in UTC; the first of two when clocks were put back."""
    aware = timezone.make_aware(when, _zone()) if timezone.is_naive(when) else when
    return aware.astimezone(UTC)


def _zone() -> tzinfo:
    return timezone.get_default_timezone()


def _id_form(connection: BaseDatabaseWrapper) -> Callable[[str], str]:
    if connection.features.has_native_uuid_field:
        return str
    return lambda text: text.replace("-", "")


def _time_form(connection: BaseDatabaseWrapper) -> Callable[[datetime], Any]:
    if connection.vendor == "postgresql":
        return datetime.isoformat
    adapt = connection.ops.adapt_datetimefield_value
    return lambda time: adapt(stored(time))


class NameClashError(ValueError):
    """Two different names have the same number: in one of 10^8 logs with a million names."""


def add_names(connection: BaseDatabaseWrapper, cursor: Any, names: Names) -> None:
    """Insert the names that the database does not have yet.

    While a transaction that inserted a name is open, all other transactions that need that name
    have to wait, perhaps in a deadlock. So on a server, names are committed on another connection
    first. The exception is the transaction of a test, whose rows must not be seen outside.
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
    # Names that are seen inside a transaction may have been added by it, and be rolled back.
    if not is_inside:
        if len(committed) > _REMEMBERED:
            committed.clear()
        committed.update(missing)


def _add_on_another(alias: str, missing: Sequence[int], names: Names) -> None:
    """Add names on our own connection; raises ``Unavailable`` if the database takes nothing."""
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
    # In the order of their numbers, so that two writers may wait for each other without deadlock.
    rows = [(number, int(names[number][0]), names[number][1]) for number in missing]
    rows = [row for row in rows if row[0] not in found]
    if rows:
        with transaction(connection, cursor):
            insert(connection, cursor, NAMES, rows)


@process_state.at_reset
def forget_names(alias: str | None = None) -> None:
    """Forget which names are committed: tables were emptied, or it is another database now."""
    if alias is None:
        _committed.clear()
    else:
        _committed.pop(alias, None)
