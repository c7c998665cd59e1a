"""The timeline of a dispatch: its receivers in the order they ran, and what they sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.contrib.admin import AdminSite

from signal_inspector.audit.admin.base import detail_url, dispatch_outcome
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, Ending
from signal_inspector.audit.models.choices import OUTCOMES, UNSEENS
from signal_inspector.audit.payloads import read_response
from signal_inspector.audit.search.selection import Selection
from signal_inspector.display.numbers import queries, self_time, took
from signal_inspector.display.outcomes import OutcomeWords, call_outcome, is_swallowed
from signal_inspector.display.parts import ErrorLine
from signal_inspector.display.text import DottedName, dotted, exception_name
from signal_inspector.display.timeline import (
    Axis,
    Lane,
    Scale,
    axis,
    bar_kind,
    ran_lane,
    sent_lane,
)

NESTED: Final = 100  # dispatches sent by its receivers that are shown
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedRow:
    """A dispatch that a receiver sent."""

    url: str
    signal: DottedName
    method: str
    caller: str
    outcome: OutcomeWords
    took: str
    sql: str
    lane: Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineRow:
    """A receiver call."""

    index: int
    order: int
    receiver: DottedName
    url: str  # all dispatches of this receiver
    location: str
    is_async: bool
    error: ErrorLine | None
    outcome: OutcomeWords
    took: str
    self_time: str  # "" if nested dispatches make no difference
    sql: str
    lane: Lane
    is_failed: bool  # whether it raised or was cancelled
    nested: list[NestedRow] = field(default_factory=list)


def by_call(nested: Sequence[AuditedDispatch]) -> dict[int | None, list[AuditedDispatch]]:
    """Nested dispatches by the receiver call that sent them."""
    found: dict[int | None, list[AuditedDispatch]] = defaultdict(list)
    for each in nested:
        found[each.parent_call].append(each)
    return found


class CallRows:
    """Makes the rows of one dispatch."""

    def __init__(
        self, dispatch: AuditedDispatch, texts: Texts, site: AdminSite, *, may_see: bool
    ) -> None:
        self._scale = Scale(0, dispatch.duration_ns)
        self._started_at, self._length = dispatch.started_at, dispatch.duration_ns
        self._method, self._ended = dispatch.method_name, OUTCOMES[dispatch.outcome]
        self._skipped = dispatch.skipped_count
        self._unseen = None if dispatch.unseen is None else UNSEENS[dispatch.unseen]
        self._texts, self._site, self._may_see = texts, site, may_see

    @property
    def axis(self) -> Axis:
        """The axis that all rows share."""
        return axis(self._scale, "of the dispatch")

    def rows(
        self, calls: Iterable[AuditedCall], nested: Sequence[AuditedDispatch]
    ) -> list[TimelineRow]:
        """The rows of receiver calls, each with the dispatches that it sent."""
        sent, calls = by_call(nested), list(calls)
        raised = next((call.receiver_id for call in calls if call.outcome == Ending.RAISED), None)
        stopper = self._texts[raised]
        return [self._row(call, sent.get(call.index, []), stopper) for call in calls]

    def _row(self, call: AuditedCall, nested: list[AuditedDispatch], stopper: str) -> TimelineRow:
        name = dotted(self._texts[call.receiver_id])
        exception = exception_name(self._texts[call.exception_id])
        outcome = call_outcome(
            OUTCOMES[call.outcome],
            swallowed=is_swallowed(self._method, self._ended),
            stopper=stopper,
            skipped=self._skipped,
            unseen=self._unseen,
            value=response_words(call.response) if self._may_see else "",
        )
        return TimelineRow(
            index=call.index,
            order=call.index + 1,
            receiver=name,
            url=changelist_url(self._site, Selection(receiver=name.full)),
            location=self._texts[call.location_id],
            is_async=call.is_async,
            error=ErrorLine(name=exception, message="") if exception else None,
            outcome=outcome,
            is_failed=call.outcome in (Ending.RAISED, Ending.CANCELLED),
            took="" if call.outcome == Ending.SKIPPED else took(call.duration_ns),
            self_time=self_time(call.duration_ns, call.self_ns),
            sql=queries(call.query_count, call.query_ns),
            lane=self._lane(call, nested, f"{name.last}, {outcome.text}"),
            nested=[self.nested(each) for each in nested],
        )

    def nested(self, each: AuditedDispatch) -> NestedRow:
        """The row of a dispatch that a receiver sent."""
        name = dotted(self._texts[each.signal_id])
        outcome = dispatch_outcome(each)
        return NestedRow(
            url=detail_url(self._site, each.id),
            signal=name,
            method=each.method_name,
            caller=self._texts[each.caller_id],
            outcome=outcome,
            took=took(each.duration_ns),
            sql=queries(each.query_count, each.query_ns),
            lane=sent_lane(
                name.last,
                self._interval(each),
                self._scale,
                failed=each.is_failed is not None,
                orphan=outcome.glyph == "orphan",
            ),
        )

    def _interval(self, each: AuditedDispatch) -> tuple[int, int]:
        """Start and end of another dispatch, in ns after the start of this one."""
        start = (each.started_at - self._started_at) // _MICROSECOND * 1_000
        return start, start + each.duration_ns

    def _lane(self, call: AuditedCall, nested: Sequence[AuditedDispatch], label: str) -> Lane:
        start = call.offset_ns
        is_skipped = call.outcome == Ending.SKIPPED
        return ran_lane(
            label,
            None if start is None or is_skipped else (start, start + call.duration_ns),
            self._scale,
            kind=bar_kind(OUTCOMES[call.outcome], self._method, self._ended),
            nested=map(self._interval, nested),
            stopped_ns=self._length if is_skipped else None,
        )


def response_words(text: str) -> str:
    """What a receiver returned, in one line; "" if it was not kept."""
    try:
        summary = read_response(text)
    except ValueError:
        return "(cannot be read)"
    return "" if summary is None else summary.text or summary.type
