"""Rows as a database takes them: numbers for names, its own form of ids and times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from signal_inspector.audit.choices import NameKind
from signal_inspector.audit.names import name_id
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
from signal_inspector.ids import utc_now

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DISPATCH_IDS: Final = tuple(map(DISPATCH_COLUMNS.index, ("id", "parent_id", "transaction_id")))
_CALL_IDS: Final = (CALL_COLUMNS.index("dispatch_id"),)
_OBJECT_IDS: Final = (OBJECT_COLUMNS.index("dispatch_id"),)
_STARTED_AT: Final = DISPATCH_COLUMNS.index("started_at")
_WRITTEN_AT: Final = DISPATCH_COLUMNS.index("written_at")

Bound = tuple[list[list[Any]], list[list[Any]], list[list[Any]]]


class Binder:
    """Binds rows for one connection, and collects the names that they need."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.names: dict[int, tuple[NameKind, str]] = {}
        self._time = _time_form(connection)
        self._id = _id_form(connection)

    def bind(self, batch: Iterable[Rows], now: datetime) -> Bound:
        """Rows of dispatches, calls and objects; ``now`` is when they are written."""
        dispatches, calls, objects = [], [], []
        written_at = self._time(now)
        for rows in batch:
            bound = self._bind(rows.dispatch, _DISPATCH_IDS, DISPATCH_NAMES)
            bound[_STARTED_AT] = self._time(moment(bound[_STARTED_AT]))
            bound[_WRITTEN_AT] = written_at
            dispatches.append(bound)
            calls += [self._bind(call, _CALL_IDS, CALL_NAMES) for call in rows.calls]
            objects += [self._bind(each, _OBJECT_IDS, OBJECT_NAMES) for each in rows.objects]
        return dispatches, calls, objects

    def ids(self, ids: Iterable[str]) -> list[str]:
        """Ids as this database takes them."""
        return [self._id(each) for each in ids]

    def _bind(
        self, row: Row, ids: Sequence[int], named: Sequence[tuple[int, NameKind]]
    ) -> list[Any]:
        bound = list(row)
        for column in ids:
            if bound[column] is not None:
                bound[column] = self._id(bound[column])
        names = self.names
        for column, kind in named:
            text = bound[column]
            if text is not None:
                bound[column] = number = name_id(kind, text)
                if number not in names:
                    names[number] = (kind, text)
        return bound


def moment(microseconds: int) -> datetime:
    """The time so many microseconds after 1970 began, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def stored(when: datetime) -> datetime:
    """An aware time as a field of a model takes it.

    Without USE_TZ that is one without a zone, in TIME_ZONE: whatever the zone of the process is,
    and that of whoever is looking.
    """
    return when if settings.USE_TZ else timezone.make_naive(when, _zone())


def stored_now() -> datetime:
    """Now, as a field of a model takes it: ``timezone.now()`` may be in the process's zone."""
    return stored(utc_now())


def utc_of(when: datetime) -> datetime:
    """A time of the database in UTC; the first of two where clocks were put back."""
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
