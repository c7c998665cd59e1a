"""From what was taken to what is in the log: the part that all deliveries share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from signal_inspector import quiet, trouble
from signal_inspector.audit.attribution import processes
from signal_inspector.audit.destinations.database import writing
from signal_inspector.audit.destinations.database.statements import (
    Unavailable,
    lacks_tables,
    no_tables,
)
from signal_inspector.audit.gaps import losses
from signal_inspector.audit.models import AuditedDispatch, GapReason, TransactionOutcome
from signal_inspector.audit.outcomes import outcome_of, transaction_id_of, with_outcome
from signal_inspector.audit.rows import Item, Rows, render

__all__ = ["NOT_NOW", "Unavailable", "correct", "put_off", "rendered", "written"]

#: What a database raises that is away, or that is not ours to ask: a test forbids it with an
#: AssertionError, an event loop with SynchronousOnlyOperation, which is no DatabaseError.
NOT_NOW: Final = (Unavailable, DatabaseError, InterfaceError)


def rendered(item: Item, delivery: str, outcome: TransactionOutcome | None = None) -> Rows | None:
    """The rows of an item; None if that failed, which is counted as a loss."""
    try:
        dispatch = item.dispatch
        rows = render(item, process=processes.label(), delivery=delivery)
        known = outcome_of(dispatch) if outcome is None else outcome
        return with_outcome(rows, known, transaction_id_of(dispatch))
    except Exception as error:
        trouble.report("putting a dispatch into rows for the audit", error)
        losses.lose(GapReason.FAILURE, 1, f"{type(error).__name__} while rows were made")
        return None


def written(batch: Sequence[Rows], using: str) -> int:
    """Write rows, count those that the database refuses as lost; how many are in the log.

    Raises what ``NOT_NOW`` names when all of them are to be tried again later.
    """
    if not batch:
        return 0
    with quiet.own_work():
        result = writing.write(batch, using)
    for refused in result.refused:
        losses.refuse(UUID(refused.id), refused.started_at * 1_000, refused.reason)
    return result.count


def put_off(error: BaseException, using: str) -> None:
    """Report that the database takes nothing now: in a line if only its tables are missing."""
    kind = "writing the audit log, which the database does not take now"
    if lacks_tables(error):
        trouble.tell(kind, f"{no_tables(using)} (What is sent until then waits for it.)")
    else:
        trouble.report(kind, error)


def correct(outcomes: Iterable[tuple[UUID, TransactionOutcome]], using: str) -> None:
    """Write how transactions ended whose dispatches are in the log as of an unknown end."""
    by_outcome: dict[TransactionOutcome, list[UUID]] = {}
    for id_, outcome in outcomes:
        by_outcome.setdefault(outcome, []).append(id_)
    for outcome, ids in by_outcome.items():
        for start in range(0, len(ids), 500):
            found = AuditedDispatch.objects.using(using).filter(id__in=ids[start : start + 500])
            found.update(transaction_outcome=outcome)
