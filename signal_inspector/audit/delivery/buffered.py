"""The delivery ``buffered``: a bounded queue, and a thread that writes it to the database."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple
from uuid import UUID

from signal_inspector.audit.delivery.base import (
    Delivery,
    is_transaction_open,
    outcome_of_marks,
    rendered,
)
from signal_inspector.audit.delivery.writer import BackgroundWriter
from signal_inspector.audit.models import GapReason, TransactionOutcome
from signal_inspector.audit.rows import Item, Rows
from signal_inspector.audit.settings import Audit
from signal_inspector.core.record.ids import monotonic
from signal_inspector.core.record.transactions import TransactionMark

#: A dispatch whose transaction is open for longer than this (s) is written with the outcome
#: "unknown".
TRANSACTION_SECONDS: Final = 10.0


class Buffered(Delivery):
    """The delivery for PostgreSQL, MySQL and MariaDB, where ``auto`` chooses it.

    Promises: the sender waits for nothing (``take`` needs a few microseconds). A dispatch is kept
    no matter how the sender's transaction ends, together with how it ended: it waits for that end
    for at most ten seconds, and is corrected if the end comes later. It is written within a
    second, or at once after an idle time. If the database is away, the thread tries again until
    it is back. A process that ends normally (``sys.exit``, the end of its main thread,
    ``multiprocessing``) writes what waits, for at most five seconds.

    Loses: what waits when the process is killed (SIGKILL, ``os._exit``, a SIGTERM that nobody
    handles; uvicorn ends itself with one). This is usually the last second, and at most
    ``QUEUE_SIZE`` dispatches: the next process that looks records a gap of "up to" so many. Also
    lost is what is sent while the queue is full: the newest dispatches, counted exactly.

    ``take`` uses no lock. ``deque.append`` and ``popleft`` are atomic under the GIL, and lock the
    deque themselves in free-threaded builds. Two senders that both find the last place free both
    take it, so the queue may exceed its size by as many items as there are threads.
    """

    name: ClassVar[str] = "buffered"

    def __init__(self, settings: Audit) -> None:
        super().__init__(settings)
        self._queue: deque[Item] = deque()
        self._source = Waiting(self._queue, settings.queue_size, self.label())
        self._writer = BackgroundWriter(self._source, settings, self.label())

    def take(self, item: Item) -> None:
        queue, writer = self._queue, self._writer
        count = len(queue)
        if count >= self._source.room:
            self._refuse()
            return
        queue.append(item)
        if count + 1 >= writer.wake_at:
            writer.wake()

    def _refuse(self) -> None:
        if self._source.is_closed:
            self.lose(GapReason.SHUTDOWN)
        else:
            self.lose(GapReason.DATABASE if self._writer.is_cut_off else GapReason.OVERFLOW)

    @property
    def waiting(self) -> int:
        return self._source.waiting

    def flush(self, timeout: float) -> bool:
        return self._writer.flush(timeout)

    def close(self, timeout: float) -> bool:
        self._source.is_closed = True
        return self._writer.close(timeout)

    def hold(self) -> None:
        self._writer.hold()

    def go_on(self) -> None:
        self._writer.go_on()

    def forked(self) -> None:
        self._source.is_closed = False
        self._source.give_up()
        self._writer.forked()


class Waiting:
    """What was taken and is not yet written: the queue, what waits for a transaction, the batch.

    Only the writer's thread changes anything here, except that senders append to the queue.
    """

    def __init__(self, queue: deque[Item], size: int, delivery: str) -> None:
        self._queue = queue
        self._size = size
        self._delivery = delivery
        self._held: deque[tuple[float, Item]] = deque()  # since when an item is held, the item
        self._due: deque[Item] = deque()  # was held, and can be written now
        self._rows: list[Rows] = []  # fetched, and not yet confirmed
        self._unknown: deque[_Unknown] = deque(maxlen=4 * size)
        self._known: list[tuple[UUID, TransactionOutcome]] = []
        self.is_closed = False
        #: How many items the queue itself may hold.
        self.room = size

    @property
    def waiting(self) -> int:
        return len(self._queue) + len(self._held) + len(self._due) + len(self._rows)

    def ready(self) -> int:
        self._release(everything=False)
        return len(self._queue) + len(self._due) + len(self._rows)

    def fetch(self, limit: int, *, is_last: bool) -> Sequence[Rows]:
        if self._rows:
            return self._rows
        self._release(everything=is_last)
        while (self._due or self._queue) and not self._rows:
            found = [rendered(item, self._delivery) for item in self._next(limit, is_last)]
            self._rows = [rows for rows in found if rows is not None]
            self._measure()
        return self._rows

    def confirm(self) -> None:
        self._rows = []
        self._measure()

    def corrections(self) -> list[tuple[UUID, TransactionOutcome]]:
        for _ in range(len(self._unknown)):
            unknown = self._unknown.popleft()
            if is_transaction_open(unknown.marks):
                self._unknown.append(unknown)
            else:
                self._known.append((unknown.id, outcome_of_marks(unknown.marks)))
        return self._known

    def corrected(self) -> None:
        self._known = []

    def oldest_ns(self) -> int | None:
        try:
            items = [*self._queue, *self._due, *[item for _, item in self._held]]
        except RuntimeError:  # the writer or a sender is still changing a deque
            return None
        starts = [item.dispatch.started_ns for item in items]
        starts += [rows.dispatch.started_at * 1_000 for rows in self._rows]
        return min(starts, default=None)

    def give_up(self) -> int:
        left = self.waiting
        self._queue.clear()
        self._held.clear()
        self._due.clear()
        self._unknown.clear()
        self._known = []
        self._rows = []
        self._measure()
        return left

    def _next(self, limit: int, is_last: bool) -> list[Item]:
        """Take what is to be written next, and set aside what waits for its transaction."""
        items: list[Item] = []
        while self._due and len(items) < limit:
            items.append(self._due.popleft())
        now = monotonic()
        for _ in range(min(len(self._queue), limit - len(items))):
            item = self._queue.popleft()
            if is_last or not is_transaction_open(item.dispatch.transactions):
                items.append(item)
            else:
                self._held.append((now, item))
        for item in items:
            marks = item.dispatch.transactions
            if is_transaction_open(marks):
                self._unknown.append(_Unknown(item.dispatch.id, marks))
        return items

    def _release(self, *, everything: bool) -> None:
        """Make items due whose transaction has ended, or has been open for too long.

        If the items that were set aside take more than half of the room, the oldest become due as
        well: a long transaction with many dispatches must not make the queue overflow.
        """
        if not self._held:
            return
        oldest = monotonic() - TRANSACTION_SECONDS
        crowd = len(self._held) - self._size // 2
        still: deque[tuple[float, Item]] = deque()
        for position, (since, item) in enumerate(self._held):
            is_late = everything or position < crowd or since < oldest
            if is_late or not is_transaction_open(item.dispatch.transactions):
                self._due.append(item)
            else:
                still.append((since, item))
        self._held = still
        self._measure()

    def _measure(self) -> None:
        taken = len(self._held) + len(self._due) + len(self._rows)
        self.room = 0 if self.is_closed else self._size - taken


class _Unknown(NamedTuple):
    """A dispatch that was written before its transaction had ended."""

    id: UUID
    marks: tuple[TransactionMark, ...]
