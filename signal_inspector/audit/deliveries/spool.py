"""A file per process, shipped to the database by a thread, or by another process later."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import ClassVar, Final
from uuid import UUID

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from signal_inspector import transactions, trouble
from signal_inspector.audit import outcomes
from signal_inspector.audit.deliveries.base import Delivery
from signal_inspector.audit.deliveries.courier import Courier
from signal_inspector.audit.deliveries.shipping import Shipment
from signal_inspector.audit.models import GapReason
from signal_inspector.audit.rows import Item
from signal_inspector.audit.scribe import rendered
from signal_inspector.audit.settings import Audit
from signal_inspector.ids import monotonic
from signal_inspector.transactions import TransactionMark

try:
    from signal_inspector.audit import spool_files
except ImportError:  # Windows has no flock
    spool_files = None  # type: ignore[assignment]

#: A file that has grown to this size (bytes) is followed by another: it can be removed then.
FILE_SIZE: Final = 4 << 20
_PAUSE: Final = 0.5  # seconds until a file is tried again after one could not be opened


class Spool(Delivery):
    """For those who must not lose a dispatch when a process is killed.

    Promises: when ``send`` has returned the dispatch is in a file under ``SPOOL_DIR``, and it is
    in the database within ``FLUSH_SECONDS``. If the process is killed (SIGKILL too), the next one
    that uses the directory, or ``signal_audit ship``, takes over its file; what is in the database
    by then is not written twice. If the database is away the files grow until it is back.

    Costs: the sender makes the rows, and writes a line to a file: some tens of microseconds. One
    directory per machine, on a local disk: locks are not to be relied on over a network.

    Loses: when the machine loses power, what its kernel has not written to the disk and the
    thread has not shipped. What comes while the disk is full, counted exactly. How a transaction
    ended that was open when the process was killed is unknown.
    """

    name: ClassVar[str] = "spool"

    def __init__(self, settings: Audit) -> None:
        super().__init__(settings)
        if spool_files is None:
            raise ImproperlyConfigured(
                '"spool" needs file locks, which this system does not have.'
            )
        if not settings.spool_dir:
            raise ImproperlyConfigured('"spool" needs SPOOL_DIR, a directory for its files.')
        self._directory = Path(settings.spool_dir)
        self._begin()

    @classmethod
    def check(cls, settings: Audit) -> list[CheckMessage]:
        if settings.spool_dir:
            return []
        message = 'SIGNAL_INSPECTOR["AUDIT"]["SPOOL_DIR"] is needed by the delivery "spool".'
        hint = "Name a directory on a local disk that survives a restart."
        return [Error(message, hint=hint, id="signal_audit.E003")]

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._file: spool_files.OwnFile | None = None
        self._not_before, self._problem = 0.0, ""
        #: What was written while its transaction was open; of more the end stays unknown.
        self._open: list[tuple[UUID, tuple[TransactionMark, ...]]] = []
        self._shipment = Shipment(self._directory, self.settings.queue_size)
        self._courier = Courier(self._shipment, self.settings, self.label(), 0)
        self._is_closed = False

    def take(self, item: Item) -> None:
        rows = rendered(item, self.label())
        if rows is None:
            return
        marks = item.dispatch.transactions
        is_open = outcomes.is_open(marks)
        if not self._append(["o" if is_open else "d", rows], 1):
            return
        if is_open and len(self._open) < self.settings.queue_size:
            self._open.append((item.dispatch.id, marks))
            for connection in transactions.opened_connections():
                if connection.in_atomic_block or not connection.autocommit:
                    transactions.when_ended(connection, self._ended)
        if self._shipment.waiting >= self._courier.wake_at:
            self._courier.wake()

    def _ended(self) -> None:
        """A transaction has ended: say so of what was sent in it."""
        with self._lock:
            ended = [entry for entry in self._open if not outcomes.is_open(entry[1])]
            self._open = [entry for entry in self._open if outcomes.is_open(entry[1])]
        known = [[str(id_), int(outcomes.outcome_of_marks(marks))] for id_, marks in ended]
        if known:
            self._append(["e", known], 0)
            if self._shipment.waiting >= self._courier.wake_at:
                self._courier.wake()

    def _append(self, record: list[object], dispatches: int) -> bool:
        """Whether it is in the file; if not it is counted as lost."""
        line = spool_files.encoded(record)
        try:
            with self._lock:
                self._write(line)
                self._shipment.appended += dispatches
            return True
        except OSError as error:
            trouble.report("writing a spool file of the audit", error)
            reason = os.strerror(error.errno) if error.errno else str(error)
            self.lose(GapReason.SPOOL, dispatches, f"{reason}: {self._directory}")
            return False

    def _write(self, line: bytes) -> None:
        if self._is_closed:
            raise OSError("the process ends")
        file = self._file
        if file is not None and file.size < FILE_SIZE:
            try:
                file.append(line)
                return
            except OSError as error:  # perhaps this file alone may not grow
                trouble.let_through(error)
                self._file = None
        self._next_file().append(line)

    def _next_file(self) -> spool_files.OwnFile:
        now = monotonic()
        if now < self._not_before:
            raise OSError(self._problem)
        try:
            file = spool_files.OwnFile(self._directory)
            self._shipment.follow(file)
        except OSError as error:
            trouble.let_through(error)
            self._not_before, self._problem = now + _PAUSE, str(error)
            raise
        self._file = file
        return file

    @property
    def waiting(self) -> int:
        return self._shipment.waiting

    def flush(self, timeout: float) -> bool:
        return self._courier.flush(timeout)

    def close(self, timeout: float) -> bool:
        """Ship what there is; what the database does not take in time stays in the file."""
        with self._lock:
            if self._is_closed:
                return True
            self._is_closed = True
        done = self._courier.close(timeout)
        self._shipment.close()
        return done

    def hold(self) -> None:
        self._courier.hold()

    def go_on(self) -> None:
        self._courier.go_on()

    def forked(self) -> None:
        self._shipment.abandon()
        self._begin()
