"""The delivery ``spooled``: a file per process, which a thread ships to the database.

If the process is killed, another process ships its file later.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID

from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from signal_inspector.audit.delivery.base import (
    Delivery,
    correct,
    is_transaction_open,
    outcome_of_marks,
    rendered,
    with_outcome,
    written,
)
from signal_inspector.audit.delivery.buffered import TRANSACTION_SECONDS
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.delivery.writer import BackgroundWriter
from signal_inspector.audit.models import GapReason, TransactionOutcome
from signal_inspector.audit.rows import Item, Rows
from signal_inspector.audit.settings import Audit
from signal_inspector.core import internal_errors
from signal_inspector.core.record import transactions
from signal_inspector.core.record.ids import monotonic
from signal_inspector.core.record.transactions import TransactionMark

_LOOK_SECONDS: Final = 15.0  # between searches for files of dead processes

#: When a file has grown to this size (bytes), another is begun, so that it can be removed.
FILE_SIZE: Final = 4 << 20
_PAUSE: Final = 0.5  # seconds until the next try after a file could not be opened


with suppress(ImportError):  # Windows has no flock; Spooled says so
    from signal_inspector.audit.delivery.spool_files import (
        OwnFile,
        Segment,
        is_header,
        is_known_format,
        orphans,
    )


class _Held(NamedTuple):
    """A dispatch whose transaction was open when it was written to the file."""

    rows: Rows
    since: float
    segment: Segment


class Shipment:
    """What is in the files of this process and of dead processes: the source of the writer.

    Other threads than the one that ships use only ``appended`` and ``follow``.
    """

    def __init__(self, directory: Path, most_held: int) -> None:
        self._directory = directory
        self._most_held = most_held
        self._segments: list[Segment] = []
        self._lock = threading.Lock()  # for self._segments
        self._held: dict[str, _Held] = {}
        self._rows: list[Rows] = []  # fetched, and not yet confirmed
        self._own_rows = 0  # how many of these are from files of this process
        self._known: list[tuple[UUID, TransactionOutcome]] = []
        self._reached: list[tuple[Segment, int]] = []  # where to continue after confirm()
        self._looked = -_LOOK_SECONDS
        self.appended = 0  # dispatches that this process wrote to its files
        self._shipped = 0  # how many of these are in the database

    def follow(self, file: OwnFile) -> None:
        """Ship this new file of the process as well; nothing is added to the files before it."""
        followed = Segment(file.path, own=file)
        with self._lock:
            for segment in self._segments:
                segment.is_growing = False
            self._segments.append(followed)

    @property
    def waiting(self) -> int:
        return max(self.appended - self._shipped, 0)

    def ready(self) -> int:
        return max(self.waiting - len(self._held), 0) or len(self._known)

    def fetch(self, limit: int, *, is_last: bool) -> Sequence[Rows]:
        if self._rows:
            return self._rows
        now = monotonic()
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self.adopt()
        self._release(now, limit, everything=is_last)
        for segment in self._all():
            if len(self._rows) < limit:
                self._read(segment, limit, is_last)
        if not self._rows:
            self.confirm()
        return self._rows

    def adopt(self) -> int:
        """Take over the files of dead processes; return how many there were."""
        found = 0
        try:
            for segment in orphans(self._directory):
                with self._lock:
                    self._segments.append(segment)
                found += 1
        except OSError as error:
            internal_errors.report("looking for spool files of the audit", error)
        return found

    def confirm(self) -> None:
        for segment, offset in self._reached:
            segment.offset = offset
        self._reached = []
        self._shipped += self._own_rows
        self._rows, self._own_rows = [], 0
        for segment in self._all():
            if segment.is_done:
                with self._lock:
                    self._segments.remove(segment)
                segment.remove()

    def corrections(self) -> list[tuple[UUID, TransactionOutcome]]:
        return self._known

    def corrected(self) -> None:
        self._known = []

    def oldest_ns(self) -> int | None:
        return None

    def give_up(self) -> int:
        """Nothing is lost: what is left stays in the files."""
        return 0

    def close(self) -> None:
        """Close the files; those that are shipped are removed, the others are orphans now."""
        for segment in self._all():
            segment.is_growing = False
            if segment.is_done:
                segment.remove()
            else:
                segment.close()
        self._segments.clear()

    def _all(self) -> list[Segment]:
        with self._lock:
            return list(self._segments)

    def abandon(self) -> None:
        """Close the parent's files in a forked child, where they must not stay open."""
        for segment in self._segments:  # no lock: the thread that held it is not in the child
            segment.close()
        self._segments.clear()

    def _read(self, segment: Segment, limit: int, is_last: bool) -> None:
        offset = segment.offset
        is_dead = segment.own is None
        for record, end in segment.lines():
            if record is None:
                self._damaged("A line of a spool file is damaged.", segment)
            elif is_header(record):
                if not is_known_format(record):
                    self._leave(segment)
                    return
            else:
                self._take(record, segment, is_last=is_last)
            offset = end
            if len(self._rows) >= limit:
                break
        else:
            if is_dead:
                self._end_of_orphan(segment)
                offset = max(offset, segment.offset)
        self._reached.append((segment, offset))

    def _end_of_orphan(self, segment: Segment) -> None:
        """Finish a dead process's file: its torn line and open transactions stay incomplete."""
        segment.skip_rest()
        for id_, held in list(self._held.items()):
            if held.segment is segment:
                self._let_go(id_, TransactionOutcome.UNKNOWN)

    def _take(self, record: list[Any], segment: Segment, *, is_last: bool) -> None:
        kind, content = record[0], record[1]
        if kind == "d":
            self._rows.append(Rows.read(content))
            self._own_rows += segment.own is not None
        elif kind == "o":
            rows = Rows.read(content)
            self._held[rows.id] = _Held(rows, monotonic(), segment)
            segment.held += 1
            if is_last:
                self._let_go(rows.id, TransactionOutcome.UNKNOWN)
        elif kind == "e":
            for id_, outcome in content:
                self._ended(id_, TransactionOutcome(outcome))

    def _ended(self, id_: str, outcome: TransactionOutcome) -> None:
        if id_ in self._held:
            self._let_go(id_, outcome)
        else:  # the dispatch was written before, by this process or by the dead one
            self._known.append((UUID(id_), outcome))

    def _let_go(self, id_: str, outcome: TransactionOutcome) -> None:
        held = self._held.pop(id_)
        held.segment.held -= 1
        self._own_rows += held.segment.own is not None
        transaction = held.rows.dispatch.transaction_id
        known = None if transaction is None else UUID(transaction)
        self._rows.append(with_outcome(held.rows, outcome, known))

    def _release(self, now: float, limit: int, *, everything: bool) -> None:
        """Let go, with the outcome "unknown", of dispatches that wait too long.

        If too many wait, let go of the oldest as well.
        """
        crowd = len(self._held) - self._most_held // 2
        for position, (id_, held) in enumerate(list(self._held.items())):
            if len(self._rows) >= limit:
                return
            if everything or position < crowd or now - held.since > TRANSACTION_SECONDS:
                self._let_go(id_, TransactionOutcome.UNKNOWN)

    def _leave(self, segment: Segment) -> None:
        """Leave a file that another version of this package has written: that has to ship it."""
        problem = ValueError(f"{segment.path} has an unknown version")
        internal_errors.report("reading a spool file of the audit", problem)
        with self._lock:
            self._segments.remove(segment)
        segment.close()

    def _damaged(self, what: str, segment: Segment) -> None:
        losses.lose(GapReason.SPOOL, 1, f"{what}: {segment.path.name}")
        self._shipped += segment.own is not None  # so that it is no longer counted as waiting


def ship(directory: Path, using: str, batch_size: int = 500) -> int:
    """Write the spool files of dead processes to the database; return how many dispatches.

    Errors of the database are raised, and then the files stay. Safe while other processes run,
    and safe to repeat.
    """
    shipment = Shipment(directory, batch_size)
    count = 0
    try:
        while rows := shipment.fetch(batch_size, is_last=False):
            count += written(rows, using)
            correct(shipment.corrections(), using)
            shipment.corrected()
            shipment.confirm()
        correct(shipment.corrections(), using)
        losses.write(using, is_last=True)
    finally:
        shipment.close()
    return count


try:
    from signal_inspector.audit.delivery import spool_files
except ImportError:  # Windows has no flock
    spool_files = None  # type: ignore[assignment]


class Spooled(Delivery):
    """For projects that must not lose a dispatch when a process is killed.

    Promises: when ``send`` has returned, the dispatch is in a file under ``SPOOL_DIR``, and it is
    in the database within a second. If the process is killed, even by SIGKILL, its file is taken
    over by the next process that uses the directory, or by ``signal_audit ship``; what is already
    in the database is not written twice. If the database is away, the files grow until it is back.

    Costs: the sender makes the rows, and writes a line to a file: some tens of microseconds. Each
    machine needs one directory on a local disk: locks are not reliable over a network.

    Loses: when the machine loses power, what its kernel has not written to the disk and the
    thread has not shipped. While the disk is full, what is sent is lost, and counted exactly. If
    a transaction was open when the process was killed, its outcome is unknown.
    """

    name: ClassVar[str] = "spooled"

    def __init__(self, settings: Audit) -> None:
        super().__init__(settings)
        if spool_files is None:
            raise ImproperlyConfigured(
                '"spooled" needs file locks, which this system does not support.'
            )
        if not settings.spool_dir:
            raise ImproperlyConfigured('"spooled" needs SPOOL_DIR, the directory for its files.')
        self._directory = Path(settings.spool_dir)
        self._begin()

    @classmethod
    def check(cls, settings: Audit) -> list[CheckMessage]:
        if settings.spool_dir:
            return []
        message = 'The delivery "spooled" needs SIGNAL_INSPECTOR["AUDIT"]["SPOOL_DIR"].'
        hint = "Write the path of a directory on a local disk that survives a restart."
        return [Error(message, hint=hint, id="signal_audit.E003")]

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._file: spool_files.OwnFile | None = None
        self._not_before, self._problem = 0.0, ""
        #: What was written while its transaction was open. The list is bounded: the outcomes of
        #: further dispatches stay unknown.
        self._open: list[tuple[UUID, tuple[TransactionMark, ...]]] = []
        self._shipment = Shipment(self._directory, self.settings.queue_size)
        self._writer = BackgroundWriter(self._shipment, self.settings, self.label())
        self._is_closed = False

    def take(self, item: Item) -> None:
        rows = rendered(item, self.label())
        if rows is None:
            return
        marks = item.dispatch.transactions
        is_open = is_transaction_open(marks)
        if not self._append(["o" if is_open else "d", rows], 1):
            return
        if is_open and len(self._open) < self.settings.queue_size:
            self._open.append((item.dispatch.id, marks))
            for connection in transactions.opened_connections():
                if connection.in_atomic_block or not connection.autocommit:
                    transactions.when_ended(connection, self._ended)
        if self._shipment.waiting >= self._writer.wake_at:
            self._writer.wake()

    def _ended(self) -> None:
        """Append the outcome of dispatches whose transaction has ended to the file."""
        with self._lock:
            ended = [entry for entry in self._open if not is_transaction_open(entry[1])]
            self._open = [entry for entry in self._open if is_transaction_open(entry[1])]
        known = [[str(id_), int(outcome_of_marks(marks))] for id_, marks in ended]
        if known:
            self._append(["e", known], 0)
            if self._shipment.waiting >= self._writer.wake_at:
                self._writer.wake()

    def _append(self, record: list[object], dispatches: int) -> bool:
        """Append a record to the file; whether it is there. If not, it is counted as lost."""
        line = spool_files.encoded(record)
        try:
            with self._lock:
                self._write(line)
                self._shipment.appended += dispatches
            return True
        except OSError as error:
            internal_errors.report("writing a spool file of the audit", error)
            reason = os.strerror(error.errno) if error.errno else str(error)
            self.lose(GapReason.SPOOL, dispatches, f"{reason}: {self._directory}")
            return False

    def _write(self, line: bytes) -> None:
        if self._is_closed:
            raise OSError("the process ended")
        file = self._file
        if file is not None and file.size < FILE_SIZE:
            try:
                file.append(line)
                return
            except OSError as error:  # perhaps only this file cannot grow
                internal_errors.let_through(error)
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
            internal_errors.let_through(error)
            self._not_before, self._problem = now + _PAUSE, str(error)
            raise
        self._file = file
        return file

    @property
    def waiting(self) -> int:
        return self._shipment.waiting

    def flush(self, timeout: float) -> bool:
        return self._writer.flush(timeout)

    def close(self, timeout: float) -> bool:
        """Ship what is left; what the database does not take in time stays in the file."""
        with self._lock:
            if self._is_closed:
                return True
            self._is_closed = True
        done = self._writer.close(timeout)
        self._shipment.close()
        return done

    def hold(self) -> None:
        self._writer.hold()

    def go_on(self) -> None:
        self._writer.go_on()

    def forked(self) -> None:
        self._shipment.abandon()
        self._begin()
