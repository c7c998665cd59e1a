"""How the transaction ended that a dispatch was sent in, as far as is known when it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from signal_inspector.audit.models import TransactionOutcome
from signal_inspector.audit.rows import DISPATCH_COLUMNS, Rows
from signal_inspector.dispatches import Dispatch
from signal_inspector.scopes import NOBODY
from signal_inspector.transactions import TransactionMark

_OUTCOME: Final = DISPATCH_COLUMNS.index("transaction_outcome")
_TRANSACTION: Final = DISPATCH_COLUMNS.index("transaction_id")


def is_open(marks: Sequence[TransactionMark]) -> bool:
    """Whether that is still to be seen."""
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
    row = list(rows.dispatch)
    row[_OUTCOME] = int(outcome)
    row[_TRANSACTION] = None if transaction is None else str(transaction)
    return rows._replace(dispatch=tuple(row))


def detached(dispatch: Dispatch) -> Dispatch:
    """The dispatch, or a copy of it, that keeps no ``capture()`` and no request alive.

    Its own audience stays where it is: the code that it is the scope of may still run.
    """
    if not dispatch.audience.collectors:
        return dispatch
    copy = dispatch.copied()
    copy.audience = NOBODY
    return copy
