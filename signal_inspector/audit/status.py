"""How the log does: its writers, the age of the last write, what waits, what is missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Sum

from signal_inspector.audit.delivery.current import process
from signal_inspector.audit.destinations.database.adapters import stored_now
from signal_inspector.audit.models import AuditedDispatch, Gap, Writer
from signal_inspector.audit.settings import get_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A look at the log, for a page or a command."""

    last_write_at: datetime | None  # the latest of any process; None: nothing was ever written
    waiting: int  # dispatches that writers said were waiting, and those of this process
    writers: int  # processes that write in the background and live
    late: int  # of these: have something to write, and wrote nothing for LATE_AFTER_SECONDS
    open_gaps: int  # gaps that nobody has marked as dealt with
    missing: int  # dispatches missing in these; upper bounds count in full
    is_missing_exact: bool  # whether none of them is an upper bound


def status(using: str | None = None) -> Status:
    """The state of the log, by four quick queries; raises what the database raises."""
    using = using or get_settings().database
    writers = Writer.objects.using(using).filter(stopped_at=None)
    gaps = Gap.objects.using(using).filter(closed_at=None)
    counted = gaps.aggregate(missing=Sum("missing"))
    own = process.delivery
    return Status(
        last_write_at=last_write_at(using),
        waiting=(writers.aggregate(waiting=Sum("waiting"))["waiting"] or 0)
        + (0 if own is None or own.has_own_connection else own.waiting),
        writers=writers.count(),
        late=len(late_writers(using)),
        open_gaps=gaps.count(),
        missing=counted["missing"] or 0,
        is_missing_exact=not gaps.filter(is_upper_bound=True).exists(),
    )


def last_write_at(using: str) -> datetime | None:
    """When any process last wrote to the log."""
    said = Writer.objects.using(using).aggregate(last=Max("last_write_at"))["last"]
    newest = AuditedDispatch.objects.using(using).order_by("-id").values_list("written_at")[:1]
    moments = [moment for moment in (said, *(row[0] for row in newest)) if moment is not None]
    return max(moments, default=None)


def late_writers(using: str) -> list[Writer]:
    """Processes that have something to write and have written nothing for too long."""
    limit = stored_now() - timedelta(seconds=get_settings().late_after_seconds)
    return [
        writer
        for writer in Writer.objects.using(using).filter(stopped_at=None, waiting__gt=0)
        if (writer.last_write_at or writer.started_at) < limit
    ]
