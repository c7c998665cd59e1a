"""What a dispatch's receivers raised, and since when and how often that happens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib.admin import AdminSite

from signal_inspector.audit.admin.changelist import changelist_url, detail_url
from signal_inspector.audit.lookups import Texts, calls, time_of
from signal_inspector.audit.models import AuditedCall
from signal_inspector.audit.reading.periods import Period
from signal_inspector.audit.reading.selection import Selection
from signal_inspector.audit.wording import class_name, clock, dotted, local, number

_LOOKED_AT: Final = 2_000  # rows of an index, per question
_TOLD: Final = 3  # failures of a dispatch whose history is told


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Since when, and how often, a receiver raises an exception of a class."""

    first_url: str  # "" where the first is not known
    first: str
    is_this: bool  # this dispatch is the first
    share: str  # "164 of 171"
    is_latest: bool  # said of its latest calls, as there are too many to count
    url: str  # the dispatches of it
    is_only: bool  # nothing else was called since


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """What a receiver call raised."""

    index: int
    receiver: str  # last part of its name
    exception: str  # dotted
    short: str  # without the module
    message: str
    traceback: str
    history: History | None


def failures_of(
    failed: list[AuditedCall], texts: Texts, site: AdminSite, *, may_see: bool
) -> list[FailureRow]:
    """The failures of a dispatch, the first ones with their history."""
    found = []
    for place, call in enumerate(failed):
        exception = texts[call.exception_id]
        found.append(
            FailureRow(
                index=call.index,
                receiver=dotted(texts[call.receiver_id]).last,
                exception=exception,
                short=class_name(exception) if exception else "an exception that was not kept",
                message=call.message if may_see else "",
                traceback=call.traceback if may_see else "",
                history=_history(call, texts, site) if place < _TOLD else None,
            )
        )
    return found


def _history(call: AuditedCall, texts: Texts, site: AdminSite) -> History | None:
    if call.exception_id is None:
        return None
    first = _first_of_kind(call.receiver_id, call.exception_id)
    raised, looked_at = _share(call.receiver_id, call.exception_id, first)
    start = None if first is None else time_of(first)
    since = Period() if start is None else Period(params=(("from", local(start).isoformat()),))
    kind = Selection(
        receiver=texts[call.receiver_id], exception=texts[call.exception_id], period=since
    )
    return History(
        first_url="" if first is None else detail_url(site, first),
        first="" if start is None else clock(start),
        is_this=first == call.dispatch_id,
        share=f"{number(raised)} of {number(min(looked_at, _LOOKED_AT))}",
        is_latest=first is None or looked_at > _LOOKED_AT,
        url=changelist_url(site, kind),
        is_only=first == call.dispatch_id and looked_at == 1,
    )


def _first_of_kind(receiver: int, exception: int) -> UUID | None:
    """The first dispatch in which this receiver raised this.

    Looked for from the oldest call that raised this, and from this receiver's oldest call; None
    where both have very many that are not of the kind.
    """
    columns = ("dispatch_id", "receiver_id", "exception_id")
    for start in ({"exception_id": exception}, {"receiver_id": receiver}):
        rows = calls().filter(**start).order_by("dispatch_id").values_list(*columns)
        for id_, whose, what in rows[:_LOOKED_AT]:
            if whose == receiver and what == exception:
                return UUID(str(id_))
    return None


def _share(receiver: int, exception: int, first: UUID | None) -> tuple[int, int]:
    """Of this receiver's latest calls since the first: how many raised this, of how many."""
    rows = calls().filter(receiver_id=receiver)
    if first is not None:
        rows = rows.filter(dispatch_id__gte=first)
    latest = rows.order_by("-dispatch_id").values_list("exception_id", flat=True)
    raised = list(latest[: _LOOKED_AT + 1])
    return raised[:_LOOKED_AT].count(exception), len(raised)
