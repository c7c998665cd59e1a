"""The delivery ``after_transaction``: writes on the sender's connection, outside transactions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress as suppress_error
from itertools import repeat, starmap
from typing import Any, ClassVar, Final

from asgiref.sync import sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.delivery.base import (
    NOT_NOW,
    Delivery,
    is_transaction_open,
    put_off,
    rendered,
    written,
)
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.own_connections import OwnConnection
from signal_inspector.audit.destinations.database.statements import is_begun
from signal_inspector.audit.models import GapReason, TransactionOutcome
from signal_inspector.audit.rows import Item
from signal_inspector.audit.settings import Audit
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import suppress
from signal_inspector.core.record import transactions
from signal_inspector.core.record.ids import monotonic

#: How long a sender waits for another process that writes to the same SQLite file (ms).
BUSY_MS: Final = 50
_PAUSE: Final = 0.5  # seconds after a failed attempt in which no other is made
_TRIES: Final = 3


class AfterTransaction(Delivery):
    """The delivery for SQLite, where ``auto`` chooses it: a file has one writer, the caller.

    Promises: a dispatch is written on the sender's own connection when the outermost transaction
    of that connection has ended, together with how it ended; if none is open, it is written at
    once. The thread has no second connection to the file, so the log blocks nobody, and only a
    transaction of another thread or process can block the log. Nothing is added to the sender's
    transaction, and no transaction of the sender is ended, not even one that was begun in SQL: on
    a server the dispatch is then written on another connection, on SQLite at the next chance.
    Senders without an open connection share one of ours. Under an event loop the dispatch is
    written in the thread that Django's own async queries use.

    Costs: the sender waits for the write, a few tenths of a millisecond. If another connection
    holds the file, the sender waits 50 ms, and the rows wait for the next dispatch or the next end
    of a transaction or request. At most ``QUEUE_SIZE`` dispatches wait; what is sent while so many
    are waiting is lost, and counted.

    Loses: what is waiting when the process is killed. This is usually what was sent in
    transactions that are still open, which the kill rolls back as well.
    """

    name: ClassVar[str] = "after_transaction"
    has_own_connection: ClassVar[bool] = False

    def __init__(self, settings: Audit) -> None:
        super().__init__(settings)
        self._begin()

    def _begin(self) -> None:
        self._ready: deque[Item] = deque()
        self._held: deque[Item] = deque()  # sent in a transaction that is still open
        self._lock = threading.Lock()  # for moving items from _held to _ready
        self._in_hand: dict[int, list[Item]] = {}  # items that a thread is writing now
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: set[int] = set()  # ids of the event loops that have such a task
        self._own = OwnConnection(self.using)  # for threads without a connection that can be used
        self._is_closing = False
        self._not_before = 0.0
        self._failures = 0

    def take(self, item: Item) -> None:
        if self.waiting >= self.settings.queue_size:
            self.lose(GapReason.DATABASE if self._failures else GapReason.OVERFLOW)
            return
        if is_transaction_open(item.dispatch.transactions):
            self._held.append(item)
            self._expect_ends()
            if not self._ready:
                return
        else:
            self._ready.append(item)
        self._chance()

    @property
    def waiting(self) -> int:
        in_hand = sum(map(len, list(self._in_hand.values())))
        return len(self._ready) + len(self._held) + in_hand

    def flush(self, timeout: float) -> bool:  # noqa: ARG002 - it waits for nobody
        self._not_before = 0.0
        self._release()
        if self._ready or losses.has_news:
            self._chance()
        return not self._ready

    def close(self, timeout: float) -> bool:
        """Write what waits, also for open transactions, as far as this thread can."""
        deadline = monotonic() + timeout
        self._is_closing = True
        self._release(everything=True)
        while not self.flush(timeout) and monotonic() < deadline and self._failures:
            time.sleep(0.1)
        self._own.close(BUSY_MS / 1_000)
        if left := self.waiting:
            starts = [item.dispatch.started_ns for item in (*self._ready, *self._held)]
            detail = "The database did not accept them in time."
            losses.lose(GapReason.SHUTDOWN, left, detail, since_ns=min(starts, default=None))
            self._begin()
        return not left

    def hold(self) -> None:
        """Close our connection so that the child gets no copy, unless a thread keeps using it."""
        self._own.close(_PAUSE)

    def forked(self) -> None:
        self._own.forget()
        self._begin()

    def look(self) -> None:
        """Write what waits, if it can be written now. Never raises."""
        self._own.close_if_idle()
        if self._held or self._ready:
            self._release()
            if self._ready:
                self._chance()

    # The methods below run in any thread in which a dispatch or a transaction ends.

    def _expect_ends(self) -> None:
        """Ask to be called when the transactions that are open in this thread end."""
        for connection in transactions.opened_connections():
            if connection.in_atomic_block or not connection.autocommit:
                is_own = connection.alias == self.using
                transactions.when_ended(connection, self._own_ended if is_own else self.look)

    def _own_ended(self) -> None:
        self._release()
        if self._ready:
            self._chance(just_ended=True)

    def _release(self, *, everything: bool = False) -> None:
        with self._lock:
            for _ in range(len(self._held)):
                item = self._held[0]
                is_over = everything or not is_transaction_open(item.dispatch.transactions)
                # The item is in both for an instant: if a time limit interrupts here, the item
                # may be written twice, but is not lost.
                (self._ready if is_over else self._held).append(item)
                self._held.popleft()

    def _chance(self, *, just_ended: bool = False) -> None:
        loop = running_loop()
        if loop is None:
            self._write(just_ended)
        else:
            self._write_soon(loop)

    def _write_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write from an event loop: in the thread of Django's async queries, without waiting."""
        if id(loop) in self._loops or loop.is_closed():
            return
        task = loop.create_task(self._write_in_thread())
        self._loops.add(id(loop))
        self._tasks.add(task)

        def done(_: asyncio.Task[None]) -> None:
            self._loops.discard(id(loop))
            self._tasks.discard(task)

        task.add_done_callback(done)

    async def _write_in_thread(self) -> None:
        try:
            await sync_to_async(self._write, thread_sensitive=True)(False)
        except Exception as error:  # the executor has been shut down
            internal_errors.report("writing the audit log from an event loop", error)

    def _write(self, just_ended: bool) -> None:
        """Write what is ready, on this thread's connection if it has one that is free."""
        if monotonic() < self._not_before:
            return
        connection = connections[self.using]
        by_hand = connection.connection is not None and not connection.autocommit
        if connection.in_atomic_block and connection.closed_in_transaction:
            return
        if connection.in_atomic_block or (by_hand and not just_ended):
            transactions.when_ended(connection, self._own_ended)
        elif not by_hand and is_begun(connection):
            # It was begun in SQL, so nothing reports its end. A SQLite file has one writer, and
            # this transaction may be that writer.
            if connection.vendor != "sqlite" or self._is_closing:
                self._write_on_own()
        elif connection.connection is None and own_connections.may_be_opened(connection):
            self._write_on_own()
        else:
            self._write_on(connection, by_hand=by_hand)

    def _write_on_own(self) -> None:
        """Write what is ready on our own connection, or leave it to the thread that uses that."""
        while self._ready or losses.has_news:
            with self._own.used(BUSY_MS / 1_000) as is_ours:
                if not is_ours:  # the thread that uses it looks again after releasing it
                    return
                is_done = self._write_on(connections[self.using])
            if not is_done:
                self._own.close()
                return

    def _write_on(self, connection: BaseDatabaseWrapper, *, by_hand: bool = False) -> bool:
        """Write what is ready on this connection; whether all of it was written."""
        is_open = connection.connection is not None or own_connections.may_be_opened(connection)
        try:
            with suppress(), unseen(connection):
                while self._write_batch():
                    pass
                if losses.has_news:
                    losses.write(self.using)
                if by_hand:
                    connection.commit()
            self._failures = 0
            return True
        except NOT_NOW as error:
            self._put_off(error)
        except Exception as error:  # also what a test runner raises: AssertionError
            self._put_off(error)
            if self._failures % _TRIES == 0:
                self._give_up(error)
        finally:
            if not is_open:
                connection.close()
        return False

    def _write_batch(self) -> bool:
        """Write one batch; whether there was one. If writing fails, its items are ready again."""
        items: list[Item] = []
        hand = id(items)
        try:
            self._in_hand[hand] = items
            with suppress_error(IndexError):
                # One call into C, so no time limit can interrupt while an item is in neither.
                items.extend(starmap(self._ready.popleft, repeat((), self.settings.batch_size)))
            written(self._rows(items), self.using)
        except BaseException:
            self._ready.extendleft(reversed(items))
            raise
        finally:
            self._in_hand.pop(hand, None)
        return bool(items)

    def _rows(self, items: list[Item], outcome: TransactionOutcome | None = None) -> list[Any]:
        made = [rendered(item, self.label(), outcome) for item in items]
        return [rows for rows in made if rows is not None]

    def _put_off(self, error: BaseException) -> None:
        put_off(error, self.using)
        self._failures += 1
        self._not_before = monotonic() + _PAUSE

    def _give_up(self, error: Exception) -> None:
        given_up = [self._ready.popleft() for _ in range(len(self._ready))]
        since = min([item.dispatch.started_ns for item in given_up], default=None)
        detail = f"{type(error).__name__} while writing"
        losses.lose(GapReason.FAILURE, len(given_up), detail, since_ns=since)


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The event loop that runs in this thread, if there is one."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@contextmanager
def unseen(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Hide what is written inside from everything that watches, forbids or counts queries.

    On SQLite the write waits only ``BUSY_MS`` if another connection holds the file.
    """
    connection.ensure_connection()
    kept = connection.force_debug_cursor, connection.queries_log, connection.execute_wrappers
    try:
        connection.force_debug_cursor = False
        connection.queries_log = deque(maxlen=1)
        connection.execute_wrappers = []
        with internal_errors.suppress_instrumentation(), _short_wait(connection):
            yield
    finally:
        connection.force_debug_cursor, connection.queries_log, connection.execute_wrappers = kept


@contextmanager
def _short_wait(connection: BaseDatabaseWrapper) -> Iterator[None]:
    raw: Any = connection.connection
    if connection.vendor != "sqlite" or raw is None:
        yield
        return
    [usual] = raw.execute("PRAGMA busy_timeout").fetchone()
    try:
        raw.execute(f"PRAGMA busy_timeout = {BUSY_MS}").close()
        yield
    finally:
        try:
            raw.execute(f"PRAGMA busy_timeout = {usual}").close()
        except Exception as error:  # the connection was closed
            internal_errors.let_through(error)
