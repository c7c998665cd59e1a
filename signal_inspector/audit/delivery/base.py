"""The contract of a delivery, and what all deliveries share: from what was taken to the log.

``rendered`` makes rows, ``written`` has them in the database or counts them as lost. How a
transaction ended that a dispatch was sent in is told as far as is known when it is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final
from uuid import UUID

from django.core.checks import CheckMessage
from django.db import DatabaseError, InterfaceError

from signal_inspector.audit.attribution import processes
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.destinations.database import writing
from signal_inspector.audit.destinations.database.statements import (
    Unavailable,
    lacks_tables,
    no_tables,
)
from signal_inspector.audit.models import AuditedDispatch, GapReason, TransactionOutcome
from signal_inspector.audit.rows import Item, Rows, render
from signal_inspector.audit.settings import Audit, get_settings
from signal_inspector.core import internal_errors, suppression
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.transactions import TransactionMark

__all__ = [
    "NOT_NOW",
    "Delivery",
    "Unavailable",
    "correct",
    "is_transaction_open",
    "outcome_of",
    "outcome_of_marks",
    "put_off",
    "rendered",
    "transaction_id_of",
    "with_outcome",
    "written",
]


#: What a database raises that is away, or that is not ours to ask: a test forbids it with an
#: AssertionError, an event loop with SynchronousOnlyOperation, which is no DatabaseError.
NOT_NOW: Final = (Unavailable, DatabaseError, InterfaceError)


def is_transaction_open(marks: Sequence[TransactionMark]) -> bool:
    """Whether it is still to be seen how the transactions of these marks end."""
    if not marks:
        return False
    return any(mark.is_open for mark in marks) and not any(mark.rolled_back for mark in marks)


def outcome_of(dispatch: Dispatch) -> TransactionOutcome:
    """How the transaction of a dispatch ended."""
    return outcome_of_marks(dispatch.transactions, dispatch.in_transaction)


def outcome_of_marks(
    marks: Sequence[TransactionMark], in_transaction: bool | None = True
) -> TransactionOutcome:
    """The same of the marks of its transactions."""
    if not marks:
        is_none = in_transaction is False
        return TransactionOutcome.NONE if is_none else TransactionOutcome.UNKNOWN
    if any(mark.rolled_back for mark in marks):
        return TransactionOutcome.ROLLED_BACK
    if any(mark.is_open or mark.is_unknown for mark in marks):
        return TransactionOutcome.UNKNOWN
    return TransactionOutcome.COMMITTED


def transaction_id_of(dispatch: Dispatch) -> UUID | None:
    """The id of the transaction; of the first where several databases have one open."""
    marks = dispatch.transactions
    return marks[0].transaction_id if marks else None


def with_outcome(rows: Rows, outcome: TransactionOutcome, transaction: UUID | None) -> Rows:
    """The same rows with this ending of the transaction."""
    dispatch = rows.dispatch._replace(
        transaction_outcome=int(outcome),
        transaction_id=None if transaction is None else str(transaction),
    )
    return rows._replace(dispatch=dispatch)


def rendered(item: Item, delivery: str, outcome: TransactionOutcome | None = None) -> Rows | None:
    """The rows of an item; None if that failed, which is counted as a loss."""
    try:
        dispatch = item.dispatch
        return render(
            item,
            process=processes.label(),
            delivery=delivery,
            outcome=outcome_of(dispatch) if outcome is None else outcome,
            transaction=transaction_id_of(dispatch),
        )
    except Exception as error:
        internal_errors.report("putting a dispatch into rows for the audit", error)
        losses.lose(GapReason.FAILURE, 1, f"{type(error).__name__} while rows were made")
        return None


def written(batch: Sequence[Rows], using: str) -> int:
    """Write rows, count those that the database refuses as lost; how many are in the log.

    Raises what ``NOT_NOW`` names when all of them are to be tried again later.
    """
    if not batch:
        return 0
    with suppression.suppress_instrumentation():
        result = writing.write(batch, using)
    for refused in result.refused:
        losses.refuse(UUID(refused.id), refused.started_at * 1_000, refused.reason)
    return result.count


def put_off(error: BaseException, using: str) -> None:
    """Report that the database takes nothing now: in a line if only its tables are missing."""
    kind = "writing the audit log, which the database does not take now"
    if lacks_tables(error):
        internal_errors.tell(kind, f"{no_tables(using)} (What is sent until then waits for it.)")
    else:
        internal_errors.report(kind, error)


def correct(outcomes: Iterable[tuple[UUID, TransactionOutcome]], using: str) -> None:
    """Write how transactions ended whose dispatches are in the log as of an unknown end."""
    by_outcome: dict[TransactionOutcome, list[UUID]] = {}
    for id_, outcome in outcomes:
        by_outcome.setdefault(outcome, []).append(id_)
    for outcome, ids in by_outcome.items():
        for start in range(0, len(ids), 500):
            found = AuditedDispatch.objects.using(using).filter(id__in=ids[start : start + 500])
            found.update(transaction_outcome=outcome)


class Delivery:
    """Takes each audited dispatch from the code that sent it, and sees to it that it is kept.

    ``AUDIT["DELIVERY"]`` names one of those that are built in, or the dotted path of a subclass.
    One instance is made per process when the first dispatch is to be kept, with the settings of
    the audit, and made anew when these change. Subclasses override ``take``, and what they need
    of the rest.

    The rules:

    - ``take`` runs in the thread of the sender, perhaps inside its transaction or its event loop.
      It must not wait, must not send queries into a transaction that is not its own to use, must
      not raise, and must keep a bounded number of items.
    - An item may be read later and in another thread. ``rendered`` of
      ``signal_inspector.audit.delivery.base`` makes plain rows of it, which may travel as JSON,
      and ``self.write`` writes such rows, here or in another process; they carry the id of their
      dispatch, and writing them twice leaves them there once.
    - What was taken and will not be kept is counted: ``self.lose``. Nothing is lost silently.
    - A forked child starts with nothing: ``forked`` forgets what the parent has taken.
    """

    #: What the log says a dispatch was delivered by; the dotted path if a subclass sets none.
    name: ClassVar[str] = ""
    #: Whether it writes from a thread of its own: not to a SQLite file that others write to.
    has_own_connection: ClassVar[bool] = True

    def __init__(self, settings: Audit) -> None:
        self.settings = settings
        self.using = settings.database

    @classmethod
    def label(cls) -> str:
        """The name of this way to deliver."""
        return cls.name or f"{cls.__module__}.{cls.__qualname__}"

    @classmethod
    def check(cls, settings: Audit) -> list[CheckMessage]:  # noqa: ARG003
        """What a system check should say about these settings for this way to deliver."""
        return []

    def take(self, item: Item) -> None:
        """Keep this dispatch, or see to it that it will be kept; called when it has ended."""
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """How many were taken and are neither kept nor counted as lost."""
        return 0

    def flush(self, timeout: float) -> bool:  # noqa: ARG002
        """Keep all that was taken before this call; False if ``timeout`` seconds did not do.

        What was sent in a transaction that is still open may go on waiting.
        """
        return True

    def close(self, timeout: float) -> bool:
        """The same at the end of the process, for open transactions too. Nothing is taken after.

        What is left then is counted as lost.
        """
        return self.flush(timeout)

    def hold(self) -> None:
        """Called before a fork. What a thread has locked then stays locked in the child."""

    def go_on(self) -> None:
        """Called in the parent after a fork."""

    def forked(self) -> None:
        """Start anew in a forked child."""

    @staticmethod
    def lose(reason: GapReason, count: int = 1, detail: str = "") -> None:
        """Count what was taken and will not be kept; it becomes a ``Gap`` in the log.

        That is written with the next ``write``, and else when the process ends.
        """
        losses.lose(reason, count, detail)

    @classmethod
    def write(cls, batch: Iterable[Sequence[Any]]) -> int:
        """Write the rows of dispatches into the log; how many of them are there now.

        In any process: each of ``batch`` is what ``rendered`` made, perhaps after a way
        through JSON. Those that the database refuses are counted as lost. Raises what
        ``NOT_NOW`` names where the database takes nothing now: try all of them again later.
        """
        using = get_settings().database
        count = written([Rows.read(each) for each in batch], using)
        if losses.has_news:
            losses.write(using)
        return count
