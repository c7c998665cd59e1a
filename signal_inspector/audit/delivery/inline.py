"""The delivery ``inline``: writes at once, on the sender's connection, in its transaction."""

from __future__ import annotations

from typing import ClassVar, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.delivery.after_transaction import (
    AfterTransaction,
    running_loop,
    unseen,
)
from signal_inspector.audit.delivery.base import is_transaction_open, written
from signal_inspector.audit.destinations.database.statements import (
    driver_cursor,
    is_begun,
    is_failed,
    is_nested,
    is_of_a_test,
    transaction,
)
from signal_inspector.audit.models import TransactionOutcome
from signal_inspector.audit.rows import Item
from signal_inspector.audit.stats.rollup import when_over
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import suppress
from signal_inspector.core.record import transactions
from signal_inspector.core.record.dispatch import Dispatch

_SAVEPOINT: Final = "signal_inspector_inline"


class Inline(AfterTransaction):
    """For projects that want a dispatch in the log if and only if its transaction commits.

    Promises: the row is there when ``send`` returns. If a transaction is open, the row is written
    in that transaction, inside its own savepoint: a row that fails leaves the transaction as it
    was. If nothing can be written (an error has broken the transaction, or an event loop runs),
    the row is written afterwards, as with ``after_transaction``.

    Costs: the sender waits for the database, about a millisecond, and its transaction contains
    these queries and holds their locks.

    Loses: what was sent in a transaction, or a savepoint, that rolls back. This is not counted as
    a gap. An audit that should show failed attempts needs another delivery.
    """

    name: ClassVar[str] = "inline"

    def take(self, item: Item) -> None:
        connection = connections[self.using]
        if not self._is_inside(connection) or not self._write_inside(connection, item):
            super().take(item)

    def _is_inside(self, connection: BaseDatabaseWrapper) -> bool:
        """Whether a transaction is open on this connection, and rows can be written in it."""
        if connection.connection is None or connection.closed_in_transaction:
            return False
        if connection.in_atomic_block and connection.needs_rollback:
            return False
        if not is_nested(connection) or is_failed(connection):
            return False
        return running_loop() is None

    def _write_inside(self, connection: BaseDatabaseWrapper, item: Item) -> bool:
        """Write the item in a savepoint; if that fails the transaction is as it was.

        Return whether the item is written.
        """
        try:
            rows = self._rows([item], self._outcome(item.dispatch, connection))
            with (
                suppress(),
                unseen(connection),
                driver_cursor(connection) as cursor,
                transaction(connection, cursor, _SAVEPOINT),
            ):
                written(rows, self.using)
        except BaseException as error:
            if internal_errors.interruption(error) is not None:
                self._ready.append(item)  # written at the next chance
            self._put_off(error)
            return False
        if connection.in_atomic_block and not is_of_a_test(connection):
            transactions.when_ended(connection, self._own_ended)
        return True

    def _own_ended(self) -> None:
        super()._own_ended()
        connection = connections[self.using]
        if connection.connection is None or running_loop() is not None:
            return
        with suppress(), unseen(connection):
            when_over(connection)

    def _outcome(
        self, dispatch: Dispatch, connection: BaseDatabaseWrapper
    ) -> TransactionOutcome | None:
        """Committed, as the row exists only if this transaction commits; None: ask the marks."""
        in_sql = not connection.in_atomic_block and connection.autocommit and is_begun(connection)
        if not in_sql and not is_transaction_open(dispatch.transactions):
            return None
        others = [
            each
            for each in transactions.opened_connections()
            if each is not connection and each.in_atomic_block
        ]
        return None if others else TransactionOutcome.COMMITTED
