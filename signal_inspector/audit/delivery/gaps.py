"""What is missing in the log: counted in memory at once, written as soon as possible.

The processes that write to the log update their ``Writer`` row now and then. A process that stops
doing so, and has not noted that it ended, was killed. What it had taken but not yet written is
missing in the log, so the next process that looks records a gap.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import connections, transaction

from signal_inspector.audit.attribution import processes
from signal_inspector.audit.destinations.database.adapters import stored, stored_now, utc_of
from signal_inspector.audit.models import Gap, GapReason, Writer
from signal_inspector.audit.sanitize import storable
from signal_inspector.audit.settings import get_settings
from signal_inspector.audit.signals import audit_lost
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.context import suppress
from signal_inspector.core.record.ids import monotonic, time_ns

#: A gap is over when nothing was added to it for so long (ns): the next loss opens another.
QUIET_NS: Final = 5_000_000_000
_DETAIL_LENGTH: Final = 2_000  # characters
_REFUSED_KEPT: Final = 1_000  # refused dispatches that get their own gap until the next write

HEARTBEAT_SECONDS: Final = 15.0
#: A process on another machine counts as dead when it was silent for so long (s); a process on
#: this machine as soon as it no longer exists.
SILENT_SECONDS: Final = 120.0
_WITHOUT_LOSS: Final = "spooled"  # with this delivery, what waited in the process is in its file
_REMEMBERED: Final = timedelta(days=7)


@dataclass(slots=True, kw_only=True, eq=False)
class Loss:
    """A series of dispatches that one process lost for one reason; it becomes a ``Gap``."""

    key: str  # the same for every attempt to write the gap
    reason: GapReason
    from_ns: int  # Unix time of the first lost dispatch
    to_ns: int  # and of the last one
    missing: int = 0
    is_upper_bound: bool = False
    detail: str = ""
    dispatch_id: UUID | None = None
    process: str = ""
    is_over: bool = False
    written: tuple[int, bool] | None = None  # the state that the database has; None: no row yet

    @property
    def from_at(self) -> datetime:
        return _moment(self.from_ns)

    @property
    def to_at(self) -> datetime:
        return _moment(self.to_ns)

    @property
    def state(self) -> tuple[int, bool]:
        """What the row has to say: how many dispatches are missing, and whether it is over."""
        return self.missing, self.is_over


class Losses:
    """The gaps of this process that are not completely written yet. Thread-safe.

    Only ``write`` raises: what the database raises.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[GapReason, Loss] = {}
        self._over: list[Loss] = []
        self._run = uuid4().hex
        self._count = 0
        #: Dispatches lost since the process started; upper bounds are not counted.
        self.total = 0

    def lose(
        self,
        reason: GapReason,
        count: int = 1,
        detail: str = "",
        *,
        since_ns: int | None = None,
    ) -> None:
        """Count dispatches that were taken and will not be written.

        ``since_ns`` is when the first of them was sent, in Unix time, if that is not just now.
        """
        now = time_ns()
        with self._lock:
            loss = self._open.get(reason)
            if loss is not None and now - loss.to_ns > QUIET_NS:
                self._end(reason)
                loss = None
            if loss is None:
                loss = self._open[reason] = self._new(reason, now, detail)
            if since_ns is not None and since_ns < loss.from_ns:
                loss.from_ns = since_ns
            loss.missing += count
            loss.to_ns = now
            self.total += count
        internal_errors.drop(f"audit: {reason.label}", count)

    def refuse(self, dispatch_id: UUID | None, at_ns: int, detail: str) -> None:
        """Count one dispatch that the database refuses to store; it gets its own gap."""
        with self._lock:
            is_room = len(self._over) < _REFUSED_KEPT
            if is_room:
                loss = self._new(GapReason.UNWRITABLE, at_ns, detail)
                loss.missing, loss.dispatch_id, loss.is_over = 1, dispatch_id, True
                self._over.append(loss)
                self.total += 1
        if not is_room:
            self.lose(
                GapReason.UNWRITABLE, 1, "More dispatches were refused than are logged one by one."
            )
        else:
            internal_errors.drop(f"audit: {GapReason.UNWRITABLE.label}")

    @property
    def has_news(self) -> bool:
        """Whether ``write`` would write something."""
        if not self._open and not self._over:
            return False
        with self._lock:
            return bool(self._news(time_ns(), is_last=False))

    def write(self, using: str, *, is_last: bool = False) -> None:
        """Write what is new. Errors of the database are raised, and then nothing is dropped."""
        with self._lock:
            news = self._news(time_ns(), is_last)
            states = [loss.state for loss in news]
        for loss, state in zip(news, states, strict=True):
            write_loss(loss, using, state)
            was, loss.written = loss.written, state
            if was is None or loss.is_over:
                tell(loss)
        with self._lock:
            self._over = [loss for loss in self._over if loss.written != loss.state]

    def unwritten(self) -> list[Loss]:
        """The losses that the gaps in the database do not show yet, or not in full."""
        with self._lock:
            kept = (*self._over, *self._open.values())
            return [loss for loss in kept if (loss.written or (0, False))[0] < loss.missing]

    def forget(self) -> None:
        """Start with nothing in a forked child: the parent reports what the parent lost."""
        self.__init__()  # type: ignore[misc]

    def _news(self, now: int, is_last: bool) -> list[Loss]:
        for reason, loss in list(self._open.items()):
            if is_last or now - loss.to_ns > QUIET_NS:
                self._end(reason)
        return [loss for loss in (*self._over, *self._open.values()) if loss.written != loss.state]

    def _end(self, reason: GapReason) -> None:
        loss = self._open.pop(reason)
        loss.is_over = True
        self._over.append(loss)

    def _new(self, reason: GapReason, at_ns: int, detail: str) -> Loss:
        self._count += 1
        return Loss(
            key=f"{self._run}.{os.getpid()}.{self._count}",
            reason=reason,
            from_ns=at_ns,
            to_ns=at_ns,
            detail=storable(detail)[:_DETAIL_LENGTH],
            process=processes.label(),
        )


def write_loss(loss: Loss, using: str, state: tuple[int, bool] | None = None) -> None:
    """Create the row of a loss, or update it."""
    missing, is_over = state or loss.state
    rows = Gap.objects.using(using)
    values = {
        "missing": missing,
        "to_at": loss.to_at if is_over else None,
        "written_at": stored_now(),
    }
    if rows.filter(key=loss.key).update(**values):
        return
    rows.create(
        key=loss.key,
        from_at=loss.from_at,
        is_upper_bound=loss.is_upper_bound,
        reason=loss.reason,
        detail=loss.detail,
        dispatch_id=loss.dispatch_id,
        process=loss.process,
        **values,
    )


def tell(loss: Loss) -> None:
    """Send ``audit_lost``."""
    with suppress():
        for receiver, error in audit_lost.send_robust(Loss, loss=loss):
            if isinstance(error, Exception):
                internal_errors.report(f"a receiver of audit_lost ({receiver!r})", error)


internal_errors.announce(
    drops=[f"audit: {reason.label}" for reason in GapReason],
    failures=["writing the audit log", "the writer of the audit"],
)


def _moment(unix_ns: int) -> datetime:
    return stored(datetime.fromtimestamp(unix_ns / 1e9, UTC))


#: The losses of this process.
losses = Losses()


class Register:
    """The row of this process among the writers."""

    def __init__(self, using: str, delivery: str) -> None:
        self._using = using
        self._delivery = delivery
        self._id = uuid4()
        self._written = 0
        self._beaten = 0.0  # time of the last heartbeat, by monotonic()
        self._said: int | None = None  # how many dispatches are waiting, according to the row
        self._last_write_at: datetime | None = None
        self.is_known = False  # whether the row exists

    def count(self, written: int) -> None:
        """Note that this many dispatches were just written."""
        self._written += written
        self._last_write_at = stored_now()

    def beat(self, waiting: int, *, is_due: bool = True) -> None:
        """Update the row: this process is alive, and so many dispatches wait in it.

        The row is updated if it does not exist yet, if its last update is more than
        ``HEARTBEAT_SECONDS`` ago, if dispatches begin or cease to wait, or if ``is_due`` and the
        number of waiting dispatches has changed.
        """
        is_old = monotonic() - self._beaten > HEARTBEAT_SECONDS
        changed = bool(waiting) != bool(self._said)
        if self.is_known and not (is_old or changed) and not (is_due and waiting != self._said):
            return
        values: dict[str, Any] = {
            "seen_at": stored_now(),
            "waiting": waiting,
            "written": self._written,
        }
        if self._last_write_at is not None:
            values["last_write_at"] = self._last_write_at
        # On MySQL, Django opens another connection to ask for the version if none is open.
        connections[self._using].ensure_connection()
        rows = Writer.objects.using(self._using)
        # One statement at a time: SQLite may refuse to write in a transaction that began by
        # reading.
        if not rows.filter(id=self._id).update(**values):
            rows.create(
                id=self._id,
                host=processes.machine(),
                pid=os.getpid(),
                process=processes.label(),
                delivery=self._delivery[:200],
                started_at=stored_now(),
                **values,
            )
        if is_old or not self.is_known:
            self.is_known = True
            notice_the_dead(self._using)
        self._said, self._beaten = waiting, monotonic()

    def stop(self, waiting: int) -> None:
        """Note in the row that this process ends normally."""
        now = stored_now()
        Writer.objects.using(self._using).filter(id=self._id).update(
            seen_at=now,
            stopped_at=now,
            waiting=waiting,
            written=self._written,
            last_write_at=self._last_write_at,
        )


def notice_the_dead(using: str) -> int:
    """Record gaps for killed processes; return how many such processes were found.

    Each is found only once, no matter how many processes look. Rows of processes that ended more
    than a week ago are deleted.
    """
    now = stored_now()
    found = 0
    for writer in Writer.objects.using(using).filter(stopped_at=None):
        if _is_dead(writer, now) and _bury(writer, now, using):
            found += 1
    Writer.objects.using(using).filter(stopped_at__lt=now - _REMEMBERED).delete()
    return found


def _is_dead(writer: Writer, now: datetime) -> bool:
    if writer.host == processes.machine():
        return writer.pid != os.getpid() and not _exists(writer.pid)
    return (now - writer.seen_at).total_seconds() > SILENT_SECONDS


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # the process belongs to another user
        return True
    return True


def _bury(writer: Writer, now: datetime, using: str) -> bool:
    """Note the end of a killed process, and record a gap if dispatches were waiting in it.

    False if another process did this first.
    """
    loss = None
    with transaction.atomic(using):
        rows = Writer.objects.using(using).filter(id=writer.id, stopped_at=None)
        if not rows.update(stopped_at=now):
            return False
        waiting = Writer.objects.using(using).values_list("waiting", flat=True).get(id=writer.id)
        if waiting and writer.delivery != _WITHOUT_LOSS:
            loss = _loss_of(writer)
            write_loss(loss, using)
    if loss is not None:
        tell(loss)
    return True


def _loss_of(writer: Writer) -> Loss:
    seen_ns = int(utc_of(writer.seen_at).timestamp() * 1e9)
    return Loss(
        key=f"writer.{writer.id}",
        reason=GapReason.DEAD_WRITER,
        from_ns=seen_ns,
        to_ns=seen_ns + int(HEARTBEAT_SECONDS * 1e9),
        missing=get_settings().queue_size,
        is_upper_bound=True,
        detail=(
            f"The process ended without a report. When it last reported, {writer.waiting} "
            "dispatches were waiting in it."
        ),
        process=writer.process,
        is_over=True,
    )
