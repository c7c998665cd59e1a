"""What is related to a dispatch: its request, transaction, objects, actor, similar failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib.admin import AdminSite

from signal_inspector.audit.admin.base import detail_url
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.lookups import Texts, calls, dispatches, time_of
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    TransactionOutcome,
)
from signal_inspector.audit.search.conditions import conditions_of
from signal_inspector.audit.search.finding import count_ids
from signal_inspector.audit.search.selection import Period, Selection, day_of
from signal_inspector.audit.settings import get_settings
from signal_inspector.conf import get_config
from signal_inspector.display.numbers import clock, dispatch_count, integer, local
from signal_inspector.display.outcomes import part_of
from signal_inspector.display.parts import (
    Frame,
    TextLine,
    TraceLink,
    trace_link,
    traceback_lines,
)
from signal_inspector.display.text import dotted, exception_name

_MANY: Final = 1_000  # dispatches are counted up to this number
OBJECTS: Final = 6  # objects whose dispatches are counted

_LOOKED_AT: Final = 2_000  # rows of an index that one lookup reads
_TOLD: Final = 3  # failures of a dispatch whose history is shown


@dataclass(frozen=True, slots=True)
class RelatedLine:
    """A line in the list of what is related."""

    title: str
    text: str
    url: str = ""  # "" if there is no page to link to
    is_outside: bool = False  # whether the link leads to another site


@dataclass(frozen=True, slots=True)
class Carried:
    """Objects that a dispatch carried."""

    keys: list[str]  # "shop.Order:42"
    has_more: bool


def carried_by(dispatch: AuditedDispatch) -> tuple[list[AuditedObject], bool]:
    """The objects of a dispatch that are shown, and whether there are more."""
    rows = AuditedObject.objects.using(get_settings().database).filter(dispatch_id=dispatch.id)
    found = list(rows.order_by("model_id", "object_pk")[: OBJECTS + 1])
    return found[:OBJECTS], len(found) > OBJECTS


def trace_of(dispatch: AuditedDispatch) -> TraceLink | None:
    """The trace in which it was sent; None if it was not traced."""
    return trace_link(
        get_config().trace_url, dispatch.trace_id or "", is_sampled=dispatch.trace_sampled != 0
    )


class Related:
    """The links to what is related to one dispatch."""

    def __init__(
        self, dispatch: AuditedDispatch, parent: AuditedDispatch | None, site: AdminSite
    ) -> None:
        self._dispatch, self._parent, self._site = dispatch, parent, site

    def lines(self, texts: Texts, carried: Carried, nested: int) -> list[RelatedLine]:
        """All lines; each one that has a count needs one short query."""
        return [
            *self._request(),
            *self._transaction(),
            self._sent_in(texts),
            *self._nested(nested),
            *self._trace(),
            *self._objects(carried),
            *self._actor(),
        ]

    def _request(self) -> Iterator[RelatedLine]:
        request = self._dispatch.request_id
        if request:
            rows = dispatches().filter(request_id=request).order_by("-id")
            failed = list(rows.values_list("is_failed", flat=True)[: _MANY + 1])
            more = f", {integer(failed.count(1))} failed" if any(failed) else ""
            url = self._list(Selection(request=request))
            yield RelatedLine("Same request", _many(len(failed)) + more, url)

    def _transaction(self) -> Iterator[RelatedLine]:
        id_ = self._dispatch.transaction_id
        if id_ is not None:
            rows = dispatches().filter(transaction_id=id_).order_by("-id")
            ends = list(rows.values_list("transaction_outcome", flat=True)[: _MANY + 1])
            back = ends.count(TransactionOutcome.ROLLED_BACK)
            more = f", {integer(back)} rolled back" if back else ""
            url = self._list(Selection(in_transaction=id_))
            yield RelatedLine("Same transaction", _many(len(ends)) + more, url)

    def _sent_in(self, texts: Texts) -> RelatedLine:
        id_ = self._dispatch.parent_id
        if id_ is None:
            return RelatedLine("Parent", "none; not sent by a receiver")
        if self._parent is None:
            return RelatedLine("Parent", f"{id_} (not in the log)")
        call = self._dispatch.parent_call
        place = "" if call is None else f", sent by its receiver {call + 1}"
        name = dotted(texts[self._parent.signal_id]).last
        return RelatedLine("Parent", f"{name}{place}", detail_url(self._site, id_))

    def _nested(self, number: int) -> Iterator[RelatedLine]:
        if number:
            asked = Selection(parent=self._dispatch.id)
            yield RelatedLine("Nested", self._counted(asked), self._list(asked))

    def _trace(self) -> Iterator[RelatedLine]:
        trace = trace_of(self._dispatch)
        if trace:
            if trace.href:
                yield RelatedLine("Trace", "in the trace viewer", trace.href, is_outside=True)
            asked = Selection(trace=trace.id)
            yield RelatedLine("Same trace", self._counted(asked), self._list(asked))

    def _objects(self, carried: Carried) -> Iterator[RelatedLine]:
        for key in carried.keys:
            asked = Selection(object=key)
            text = f"{self._counted(asked)} carried it"
            yield RelatedLine(key, text, self._list(asked))
        if carried.has_more:
            yield RelatedLine("More objects", "among its arguments")

    def _actor(self) -> Iterator[RelatedLine]:
        actor = self._dispatch.actor
        if actor:
            asked = Selection(actor=actor, period=day_of(self._dispatch.started_at))
            name = self._dispatch.actor_label or actor
            yield RelatedLine(f"{name}, the same day", self._counted(asked), self._list(asked))

    def _counted(self, asked: Selection) -> str:
        (condition,) = conditions_of(asked)
        source: Any = condition.source
        return count_ids(source, asked, _MANY).words

    def _list(self, asked: Selection) -> str:
        return changelist_url(self._site, asked)


def _many(count: int) -> str:
    if count > _MANY:
        return f"more than {integer(_MANY)} dispatches"
    return dispatch_count(count)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Since when, and how often, a receiver has raised exceptions of one class."""

    first_url: str  # "" if the first such dispatch is not known
    first: str
    is_this: bool  # whether this dispatch is the first
    share: str  # "164 of 171"
    is_latest: bool  # the share is of the latest calls only, as there are too many to count
    url: str  # the list of these dispatches
    is_only: bool  # this call is the only one since


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """What a receiver call raised."""

    index: int
    receiver: str  # last part of its name
    exception: str  # dotted
    short: str  # without the module
    message: str
    frames: Sequence[Frame | TextLine]  # its traceback
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
                short=exception_name(exception)
                if exception
                else "an exception that was not recorded",
                message=call.message if may_see else "",
                frames=traceback_lines(call.traceback) if may_see else (),
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
        share=part_of(raised, min(looked_at, _LOOKED_AT)),
        is_latest=first is None or looked_at > _LOOKED_AT,
        url=changelist_url(site, kind),
        is_only=first == call.dispatch_id and looked_at == 1,
    )


def _first_of_kind(receiver: int, exception: int) -> UUID | None:
    """The first dispatch in which this receiver raised this exception.

    The search goes from the oldest call that raised this exception, and then from this receiver's
    oldest call. None if it is not among the first calls of either.
    """
    columns = ("dispatch_id", "receiver_id", "exception_id")
    for start in ({"exception_id": exception}, {"receiver_id": receiver}):
        rows = calls().filter(**start).order_by("dispatch_id").values_list(*columns)
        for id_, whose, what in rows[:_LOOKED_AT]:
            if whose == receiver and what == exception:
                return UUID(str(id_))
    return None


def _share(receiver: int, exception: int, first: UUID | None) -> tuple[int, int]:
    """How many of this receiver's latest calls raised this, and of how many, since ``first``."""
    rows = calls().filter(receiver_id=receiver)
    if first is not None:
        rows = rows.filter(dispatch_id__gte=first)
    latest = rows.order_by("-dispatch_id").values_list("exception_id", flat=True)
    raised = list(latest[: _LOOKED_AT + 1])
    return raised[:_LOOKED_AT].count(exception), len(raised)
