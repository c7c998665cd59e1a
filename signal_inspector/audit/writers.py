"""The processes that write to the log: each says now and then that it lives.

One that goes silent without having said goodbye has been killed. What it had taken and not yet
written is missing in the log, so the next process that looks makes a gap of it.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.db import connections, transaction

from signal_inspector.audit.attribution import processes
from signal_inspector.audit.destinations.database.adapters import stored_now, utc_of
from signal_inspector.audit.gaps import Loss, tell, write_loss
from signal_inspector.audit.models import GapReason, Writer
from signal_inspector.audit.settings import get_settings
from signal_inspector.ids import monotonic

HEARTBEAT_SECONDS: Final = 15.0
#: A process of another machine that was silent for so long is dead (s); one of this machine
#: is as soon as there is no such process.
SILENT_SECONDS: Final = 120.0
_WITHOUT_LOSS: Final = "spool"  # what waited in such a process is in its file
_REMEMBERED: Final = timedelta(days=7)


class Register:
    """The row of this process among the writers."""

    def __init__(self, using: str, delivery: str, bound: int) -> None:
        self._using = using
        self._delivery = delivery
        self._bound = bound
        self._id = uuid4()
        self._written = 0
        self._beaten = 0.0  # when, by monotonic()
        self._said: int | None = None  # how many waited, as the row says
        self._last_write_at: datetime | None = None
        self.is_known = False  # whether the row is there

    def count(self, written: int) -> None:
        """Note that so many dispatches were written just now."""
        self._written += written
        self._last_write_at = stored_now()

    def beat(self, waiting: int, *, is_due: bool = True) -> None:
        """Say that this process lives, and how many wait in it; at most so often if not due."""
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
        # On MySQL Django asks for the version by a connection of its own while there is none.
        connections[self._using].ensure_connection()
        rows = Writer.objects.using(self._using)
        # One statement at a time: a SQLite file would refuse to read first and then to write.
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
        """Say that this process ends in order."""
        now = stored_now()
        Writer.objects.using(self._using).filter(id=self._id).update(
            seen_at=now,
            stopped_at=now,
            waiting=waiting,
            written=self._written,
            last_write_at=self._last_write_at,
        )


def notice_the_dead(using: str) -> int:
    """Make gaps of what killed processes had not written; how many processes that were.

    Each is noticed once, however many look. Rows of those that ended long ago are removed.
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
    except OSError:  # it is another user's
        return True
    return True


def _bury(writer: Writer, now: datetime, using: str) -> bool:
    """Note its end, and a gap where it had something waiting; False if another did."""
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
            f"The process ended without a word. When it was last heard of, "
            f"{writer.waiting} dispatches were waiting in it."
        ),
        process=writer.process,
        is_over=True,
    )
