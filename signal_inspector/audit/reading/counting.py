"""How many there are, as far as that can be told quickly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, QuerySet

from signal_inspector.audit.models import AuditedDispatch
from signal_inspector.audit.reading.conditions import (
    Source,
    bounds_of,
    conditions_of,
    everything,
)
from signal_inspector.audit.reading.selection import Selection
from signal_inspector.audit.settings import get_settings

CAP: Final = 10_000

# What the server itself believes, since it last looked at the table.
_ESTIMATES: Final[Mapping[str, str]] = {
    "postgresql": "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)",
    "mysql": "SELECT table_rows FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = %s",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """A number of dispatches."""

    number: int
    is_capped: bool = False  # there are more
    is_estimate: bool = False

    @property
    def words(self) -> str:
        """ "1 dispatch", "more than 10,000 dispatches", "about 9,998,000 dispatches"."""
        before = "more than " if self.is_capped else "about " if self.is_estimate else ""
        noun = "dispatch" if self.number == 1 else "dispatches"
        return f"{before}{self.number:,} {noun}"


def count(selection: Selection) -> Counted | None:
    """How many a selection holds; None where one index alone does not tell."""
    conditions = conditions_of(selection)
    sources = [each.source for each in conditions if each.source is not None]
    if not conditions:
        if not selection.period.is_bounded:
            estimate = _estimate(connections[get_settings().database])
            if estimate is not None:
                return estimate
        sources = [everything()]
    elif len(conditions) > 1 or not sources:
        return None
    return count_ids(sources[0], selection)


def count_ids(source: Source, selection: Selection, cap: int = CAP) -> Counted:
    """The ids of an index in the time that is asked for, as far as the cap."""
    ids: QuerySet[Any] = source.ids(bounds_of(selection))[: cap + 1]
    # The slice is a subquery of its own: what is counted is never more than the cap.
    number = ids.aggregate(number=Count(source.field, distinct=source.field != "id"))["number"]
    return Counted(min(number, cap), is_capped=number > cap)


def _estimate(connection: BaseDatabaseWrapper) -> Counted | None:
    """None where the server has none, or the table is small enough to count."""
    statement = _ESTIMATES.get(connection.vendor)
    if statement is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(statement, [AuditedDispatch._meta.db_table])
        row = cursor.fetchone()
    number = int(row[0] or 0) if row else 0
    return Counted(number, is_estimate=True) if number > CAP else None
