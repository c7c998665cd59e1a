"""A selection as conditions: each a test of single dispatches, and where there is an index for it
a source that yields the ids of its dispatches in their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from signal_inspector.audit.lookups import (
    as_logged,
    calls,
    carriers_of,
    dispatches,
    first_id_at,
    number_of,
)
from signal_inspector.audit.models import Ending, NameKind, Origin, Unseen
from signal_inspector.audit.search.selection import ENDINGS, METHODS, NO_RETRY, ORIGINS, Selection

_FAILED: Final = ("failed", "swallowed", "raised", "skipped", "cancelled")
_OUTCOME_TESTS: Final = {
    "swallowed": Q(outcome=Ending.RETURNED),
    "raised": Q(outcome=Ending.RAISED),
    "skipped": Q(skipped_count__gt=0),
    "cancelled": Q(outcome=Ending.CANCELLED),
    "orphan": Q(receiver_count=0, unseen__isnull=True),
    "put-off": Q(unseen=Unseen.PUT_OFF),
    "returned": Q(is_failed__isnull=True),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Ids from ``first`` on, after ``after``, before ``before``."""

    first: UUID | None = None
    after: UUID | None = None
    before: UUID | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Rows of an index that holds the ids of dispatches in order."""

    rows: QuerySet[Any]
    field: str = "id"  # that holds the id of the dispatch

    def ids(self, bounds: Bounds, *, newest_first: bool = True) -> QuerySet[Any]:
        """The ids in these bounds, in order; of calls an id may come twice."""
        limits = {"gte": bounds.first, "gt": bounds.after, "lt": bounds.before}
        found = self.rows.filter(
            **{f"{self.field}__{key}": id_ for key, id_ in limits.items() if id_ is not None}
        )
        order = f"-{self.field}" if newest_first else self.field
        # Nothing but the id: then the index alone is read, and no plan is better than that.
        return found.order_by(order).values_list(self.field, flat=True)


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that is asked for."""

    test: Q | None = None  # of a dispatch; None: another condition tests it
    source: Source | None = None  # exactly the dispatches that pass the test


def bounds_of(selection: Selection) -> Bounds:
    """The ids of the time that is asked for."""
    start, end = selection.period.start, selection.period.end
    return Bounds(
        first=None if start is None else first_id_at(start),
        before=None if end is None else first_id_at(end),
    )


def conditions_of(selection: Selection) -> list[Condition]:
    """All that is asked for but the time."""
    parts = (_signal, _keys, _call, _outcome, _others)
    return [condition for part in parts for condition in part(selection)]


def everything() -> Source:
    """All dispatches."""
    return Source(dispatches())


def _signal(asked: Selection) -> Iterator[Condition]:
    """A signal, and whether something failed: one index holds both together."""
    wanted: dict[str, object] = {}
    if asked.signal:
        wanted["signal_id"] = number_of(NameKind.SIGNAL, asked.signal)
    if asked.outcome in _FAILED:
        wanted["is_failed"] = 1
    if wanted:
        yield Condition(Q(**wanted), Source(dispatches().filter(**wanted)))


def _keys(asked: Selection) -> Iterator[Condition]:
    """What stands in an indexed column of the dispatch, or in the table of objects."""
    columns: dict[str, object] = {
        "id": asked.id,
        "parent_id": asked.parent,
        "transaction_id": asked.in_transaction,
        "request_id": asked.request,
        "trace_id": asked.trace,
        "actor": asked.actor and as_logged(asked.actor),
    }
    for column, value in columns.items():
        if value not in (None, ""):
            test = Q(**{column: value})
            yield Condition(test, Source(dispatches().filter(test)))
    if asked.object:
        rows = carriers_of(asked.object).order_by()
        carried = Exists(rows.filter(dispatch_id=OuterRef("id")))
        yield Condition(Q(carried), Source(rows, "dispatch_id"))


def _call(asked: Selection) -> Iterator[Condition]:
    """A receiver and its exception are of one call."""
    wanted: dict[str, Any] = {}
    if asked.receiver:
        wanted["receiver_id"] = number_of(NameKind.RECEIVER, asked.receiver)
    if asked.exception:
        wanted["exception_id"] = number_of(NameKind.EXCEPTION, asked.exception)
    sources = [Source(calls().filter(**{key: wanted[key]}), "dispatch_id") for key in wanted]
    if asked.receiver and asked.outcome == "failed":
        wanted["outcome"] = Ending.RAISED
    if len(wanted) == 1:
        yield Condition(_in_a_call(wanted), sources[0])
        return
    yield from (Condition(source=source) for source in sources)
    if wanted:
        yield Condition(_in_a_call(wanted))


def _in_a_call(wanted: dict[str, Any]) -> Q:
    return Q(Exists(calls().filter(dispatch_id=OuterRef("id"), **wanted)))


def _outcome(asked: Selection) -> Iterator[Condition]:
    if asked.outcome in _OUTCOME_TESTS:
        yield Condition(_OUTCOME_TESTS[asked.outcome])


def _others(asked: Selection) -> Iterator[Condition]:
    """What has no index: only ever tested."""
    if asked.line:
        number = number_of(NameKind.CALLER, asked.line)
        yield Condition(Q(project_caller_id=number) | Q(caller_id=number))
    if asked.label:
        yield Condition(Q(actor_label=asked.label))
    if asked.method:
        yield Condition(Q(method=METHODS[asked.method]))
    if asked.transaction:
        yield Condition(Q(transaction_outcome=ENDINGS[asked.transaction]))
    if asked.origin == NO_RETRY:
        yield Condition(~Q(origin=Origin.RETRY))
    elif asked.origin:
        yield Condition(Q(origin=ORIGINS[asked.origin]))
