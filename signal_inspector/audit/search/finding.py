"""Find dispatches in a bounded time, for any combination of conditions and any length of the log.

No query here combines conditions, as a query planner may choose badly. The ids of one index are
read in order, in batches, and the other conditions are tested only on these ids. If several
indexes can be used, the one with the fewest ids is read: its first ids reach back furthest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Count, Q, QuerySet

from signal_inspector.audit.lookups import dispatches
from signal_inspector.audit.models import AuditedDispatch
from signal_inspector.audit.search.conditions import (
    Bounds,
    Condition,
    IdSource,
    bounds_of,
    conditions_of,
    everything,
)
from signal_inspector.audit.search.selection import Selection
from signal_inspector.audit.settings import get_settings
from signal_inspector.display.numbers import dispatch_count

_SIZES: Final = (250, 500, 1_000, 2_000)  # ids that are tested at once, step by step
_MOST: Final = 20_000  # ids that one page tests
_SECONDS: Final = 0.05  # after which a page stops testing ids
_STRETCH: Final = 0.02  # seconds that one step should take: rows far apart are slow to read
_SPARE: Final = 50  # query parameters that are kept free for values other than ids

CAP: Final = 10_000

# The server's own estimate, from when it last analyzed the table.
_ESTIMATES: Final[Mapping[str, str]] = {
    "postgresql": "SELECT reltuples FROM pg_class WHERE oid = to_regclass(%s)",
    "mysql": "SELECT table_rows FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = %s",
}


@dataclass(frozen=True, slots=True)
class Step:
    """What was found in one part of the log."""

    ids: list[UUID]  # of the dispatches found, in order
    looked_to: UUID | None  # the last id that was looked at; None: there was none
    looked_at: int  # ids of the index that were tested in this step
    is_last: bool  # whether nothing is left


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page of dispatches, the newest first."""

    ids: list[UUID]
    #: The id to continue from in the direction of the search; None: there is nothing more.
    go_on: UUID | None
    #: Dispatches that were tested before the search stopped early; 0 if the page is full, or if
    #: there are no more dispatches.
    stopped_after: int = 0


def find(
    selection: Selection,
    size: int,
    *,
    before: UUID | None = None,
    after: UUID | None = None,
) -> FoundPage:
    """The next ``size`` dispatches that are older than ``before``, or newer than ``after``.

    Only a bounded part of the log is searched. If that has too few dispatches, ``go_on`` says
    where to continue, and ``stopped_after`` is set.
    """
    deadline = time.monotonic() + _SECONDS
    found: list[UUID] = []
    looked_at = 0
    step = None
    for step in scan(selection, size + 1, before=before, after=after):
        found += step.ids
        looked_at += step.looked_at
        if len(found) > size or looked_at >= _MOST or time.monotonic() > deadline:
            break
    shown = found[:size]
    ordered = shown if after is None else shown[::-1]
    if len(found) > size:
        return FoundPage(ordered, shown[-1])
    if step is None or step.is_last:
        return FoundPage(ordered, None)
    return FoundPage(ordered, step.looked_to, looked_at)


def scan(
    selection: Selection,
    first_size: int = _SIZES[0],
    *,
    before: UUID | None = None,
    after: UUID | None = None,
) -> Iterator[Step]:
    """Yield the selection step by step: the newest first, or the oldest first from ``after`` on.

    This is also fit for an export: each step is short, and no query is open between two steps.
    """
    newest_first = after is None
    bounds = _narrowed(bounds_of(selection), before, after)
    conditions = conditions_of(selection)
    sources = [each for each in conditions if each.source is not None] or [
        Condition(Q(), everything())
    ]
    is_exact = len(sources) == 1 and not _tests(conditions, sources[0])
    sizes = _sizes(first_size if is_exact else 0)
    size = next(sizes)
    began = time.perf_counter()
    chosen, ids = _rarest(sources, bounds, newest_first, size)
    tests = _tests(conditions, chosen)
    while True:
        is_last = len(ids) < size
        unique = list(dict.fromkeys(ids))
        passing = _passing(unique, tests)
        pace = _STRETCH / max(time.perf_counter() - began, 1e-6)
        yield Step(passing, ids[-1] if ids else None, len(unique), is_last)
        if is_last:
            return
        bounds = replace(bounds, **{"before" if newest_first else "after": ids[-1]})
        size = max(min(next(sizes), int(len(ids) * pace)), min(size, _SIZES[0]))
        began = time.perf_counter()
        ids = _read(chosen.source, bounds, newest_first, size)


def _narrowed(bounds: Bounds, before: UUID | None, after: UUID | None) -> Bounds:
    if before is not None and (bounds.before is None or before < bounds.before):
        bounds = replace(bounds, before=before)
    return bounds if after is None else replace(bounds, after=after)


def _tests(conditions: Sequence[Condition], source: Condition) -> list[Q]:
    """The tests that the ids of this source still have to pass."""
    return [each.test for each in conditions if each is not source and each.test is not None]


def _sizes(first: int) -> Iterator[int]:
    """How many ids to read at once; ``first`` is the page's size if nothing has to be tested."""
    most = connections[get_settings().database].features.max_query_params
    cap = _SIZES[-1] if most is None else max(min(_SIZES[-1], most - _SPARE), 1)
    if first:
        yield min(first, cap)
    for size in _SIZES:
        yield min(size, cap)
    while True:
        yield cap


def _rarest(
    sources: Sequence[Condition], bounds: Bounds, newest_first: bool, size: int
) -> tuple[Condition, list[UUID]]:
    """The source with the fewest ids, judged by how far its first ids reach, and these ids."""
    read = [(each, _read(each.source, bounds, newest_first, size)) for each in sources]

    def reach(candidate: tuple[Condition, list[UUID]]) -> Any:
        ids = candidate[1]
        if len(ids) < size:
            return -1, len(ids)
        return 0, ids[-1].int if newest_first else -ids[-1].int

    return min(read, key=reach)


def _read(source: IdSource | None, bounds: Bounds, newest_first: bool, size: int) -> list[UUID]:
    if source is None:
        return []
    return list(source.ids(bounds, newest_first=newest_first)[:size])


def _passing(ids: list[UUID], tests: Sequence[Q]) -> list[UUID]:
    """The ids that pass every test, in the same order."""
    if not tests or not ids:
        return ids
    passed = set(dispatches().filter(*tests, id__in=ids).values_list("id", flat=True))
    return [id_ for id_ in ids if id_ in passed]


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
        return before + dispatch_count(self.number)


def count(selection: Selection) -> Counted | None:
    """How many dispatches a selection has; None if a single index cannot tell."""
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


def count_ids(source: IdSource, selection: Selection, cap: int = CAP) -> Counted:
    """Count the ids of an index in the period of a selection, up to the cap."""
    ids: QuerySet[Any] = source.ids(bounds_of(selection))[: cap + 1]
    # The slice becomes a subquery, so never more than the cap is counted.
    number = ids.aggregate(number=Count(source.field, distinct=source.field != "id"))["number"]
    return Counted(min(number, cap), is_capped=number > cap)


def _estimate(connection: BaseDatabaseWrapper) -> Counted | None:
    """The server's estimate; None if it has none, or if the table is small enough to count."""
    statement = _ESTIMATES.get(connection.vendor)
    if statement is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(statement, [AuditedDispatch._meta.db_table])
        row = cursor.fetchone()
    number = int(row[0] or 0) if row else 0
    return Counted(number, is_estimate=True) if number > CAP else None
