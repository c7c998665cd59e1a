"""The contract of a delivery, and what all deliveries share: the way from an item to the log.

``rendered`` makes rows, ``written`` writes them to the database or counts them as lost. How the
transaction of a dispatch ended is given as far as it is known at that moment.
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
from signal_inspector.core import internal_errors
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


#: What is raised while the database cannot be written. Where queries are forbidden, other errors
#: are raised, which are not in here: AssertionError in a test, SynchronousOnlyOperation under an
#: event loop.
NOT_NOW: Final = (Unavailable, DatabaseError, InterfaceError)


def is_transaction_open(marks: Sequence[TransactionMark]) -> bool:
    """Whether the outcome of the transactions of these marks is still undecided."""
    if not marks:
        return False
    return any(mark.is_open for mark in marks) and not any(mark.rolled_back for mark in marks)


def outcome_of(dispatch: Dispatch) -> TransactionOutcome:
    """How the transaction of a dispatch ended."""
    return outcome_of_marks(dispatch.transactions, dispatch.in_transaction)


def outcome_of_marks(
    marks: Sequence[TransactionMark], in_transaction: bool | None = True
) -> TransactionOutcome:
    """How the transactions of these marks ended, taken together."""
    if not marks:
        is_none = in_transaction is False
        return TransactionOutcome.NONE if is_none else TransactionOutcome.UNKNOWN
    if any(mark.rolled_back for mark in marks):
        return TransactionOutcome.ROLLED_BACK
    if any(mark.is_open or mark.is_unknown for mark in marks):
        return TransactionOutcome.UNKNOWN
    return TransactionOutcome.COMMITTED


def transaction_id_of(dispatch: Dispatch) -> UUID | None:
    """The id of its transaction; the first one's if several databases have a transaction open."""
    marks = dispatch.transactions
    return marks[0].transaction_id if marks else None


def with_outcome(rows: Rows, outcome: TransactionOutcome, transaction: UUID | None) -> Rows:
    """The same rows with this outcome of the transaction."""
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
    """Write rows and return how many are in the log; those the database refuses count as lost.

    Raises one of ``NOT_NOW`` if the whole batch should be tried again later.
    """
    if not batch:
        return 0
    with internal_errors.suppress_instrumentation():
        result = writing.write(batch, using)
    for refused in result.refused:
        losses.refuse(UUID(refused.id), refused.started_at * 1_000, refused.reason)
    return result.count


def put_off(error: BaseException, using: str) -> None:
    """Report that the database takes nothing now; in one line if only the tables are missing."""
    kind = "writing the audit log (the database is unavailable)"
    if lacks_tables(error):
        internal_errors.tell(
            kind, f"{no_tables(using)} (Dispatches that are sent until then wait for it.)"
        )
    else:
        internal_errors.report(kind, error)


def correct(outcomes: Iterable[tuple[UUID, TransactionOutcome]], using: str) -> None:
    """Write the outcomes of transactions whose dispatches were logged before they ended."""
    by_outcome: dict[TransactionOutcome, list[UUID]] = {}
    for id_, outcome in outcomes:
        by_outcome.setdefault(outcome, []).append(id_)
    for outcome, ids in by_outcome.items():
        for start in range(0, len(ids), 500):
            found = AuditedDispatch.objects.using(using).filter(id__in=ids[start : start + 500])
            found.update(transaction_outcome=outcome)


class Delivery:
    """Takes each audited dispatch from the code that sent it, and brings it into the log.

    ``AUDIT["DELIVERY"]`` is the name of a built-in delivery, or the dotted path of a subclass.
    Each process makes one instance, with the settings of the audit, when the first dispatch is to
    be kept, and makes a new one when the settings change. Subclasses override ``take``, and other
    methods as needed.

    The rules:

    - ``take`` runs in the thread of the sender, perhaps inside its transaction or its event loop.
      It must not wait, must not raise, must keep a bounded number of items, and must not run
      queries in the sender's transaction, unless it is made for that, as ``inline`` is.
    - An item may be read later and in another thread. ``rendered`` of
      ``signal_inspector.audit.delivery.base`` turns it into plain rows, which may travel as JSON.
      ``self.write`` writes such rows, in this process or another. Rows carry the id of their
      dispatch, so writing them twice stores them once.
    - What was taken and will not be kept is counted with ``self.lose``. Nothing is lost silently.
    - A forked child starts with nothing: ``forked`` forgets what the parent has taken.
    """

    #: The name of the delivery in the log; the dotted path of the class if this is empty.
    name: ClassVar[str] = ""
    #: Whether it writes from its own thread. If so, it is not used for a SQLite file that other
    #: code writes to.
    has_own_connection: ClassVar[bool] = True

    def __init__(self, settings: Audit) -> None:
        self.settings = settings
        self.using = settings.database

    @classmethod
    def label(cls) -> str:
        """The name of this delivery."""
        return cls.name or f"{cls.__module__}.{cls.__qualname__}"

    @classmethod
    def check(cls, settings: Audit) -> list[CheckMessage]:  # noqa: ARG003
        """What a system check should report about these settings for this delivery."""
        return []

    def take(self, item: Item) -> None:
        """Write this dispatch, or keep it to be written later; called when it has ended."""
        raise NotImplementedError

    @property
    def waiting(self) -> int:
        """How many dispatches were taken and are neither in the log nor counted as lost."""
        return 0

    def flush(self, timeout: float) -> bool:  # noqa: ARG002
        """Write all that was taken before this call; False if ``timeout`` seconds are not enough.

        What was sent in a transaction that is still open may keep waiting.
        """
        return True

    def close(self, timeout: float) -> bool:
        """Flush at the end of the process, including what was sent in open transactions.

        What cannot be written in time is counted as lost. Nothing is taken after this.
        """
        return self.flush(timeout)

    def hold(self) -> None:
        """Called before a fork. What a thread has locked by then stays locked in the child."""

    def go_on(self) -> None:
        """Called in the parent after a fork."""

    def forked(self) -> None:
        """Start with nothing in a forked child."""

    @staticmethod
    def lose(reason: GapReason, count: int = 1, detail: str = "") -> None:
        """Count what was taken and will not be kept; it becomes a ``Gap`` in the log.

        The gap is written with the next ``write``, or when the process ends.
        """
        losses.lose(reason, count, detail)

    @classmethod
    def write(cls, batch: Iterable[Sequence[Any]]) -> int:
        """Write the rows of dispatches to the log; how many of these are in the log now.

        It works in any process: each item of ``batch`` is what ``rendered`` made, perhaps after
        a round trip through JSON. Rows that the database refuses are counted as lost. Raises one
        of ``NOT_NOW`` if the database takes nothing now: try the whole batch again later.
        """
        using = get_settings().database
        count = written([Rows.read(each) for each in batch], using)
        if losses.has_news:
            losses.write(using)
        return count
