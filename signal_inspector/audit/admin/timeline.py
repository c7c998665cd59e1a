"""The receivers of a dispatch in the order they ran, with what they sent: rows, bars in time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.contrib.admin import AdminSite

from signal_inspector.audit.admin.arguments import response_words
from signal_inspector.audit.admin.base import detail_url
from signal_inspector.audit.admin.changelist import changelist_url
from signal_inspector.audit.admin.display import dispatch_outcome
from signal_inspector.audit.lookups import Texts
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, Ending
from signal_inspector.audit.models.choices import OUTCOMES, UNSEENS
from signal_inspector.audit.search.selection import Selection
from signal_inspector.display.numbers import duration, period, queries, took
from signal_inspector.display.outcomes import OutcomeWords, call_outcome, is_swallowed
from signal_inspector.display.text import DottedName, dotted, exception_name

NESTED: Final = 100  # dispatches of its receivers that are shown
_TICKS: Final = 6
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Tick:
    x: str
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of the time, as attributes of an SVG shape."""

    x: str
    width: str
    kind: str  # "ok", "bad", "nested", "span", "ring" or "never"


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
    lane: str  # in words
    bars: list[Bar]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A receiver call."""

    index: int
    order: int
    receiver: DottedName
    url: str  # all dispatches of this receiver
    location: str
    is_async: bool
    exception: str  # class, without its module
    outcome: OutcomeWords
    took: str
    self_time: str  # "" where nothing nested makes a difference
    sql: str
    lane: str
    bars: list[Bar]
    is_failed: bool  # it raised, or was cancelled
    nested: list[NestedRow] = field(default_factory=list)


class Scale:
    """From nanoseconds after the start of the dispatch to percentages of its time."""

    def __init__(self, dispatch: AuditedDispatch) -> None:
        self.length = max(dispatch.duration_ns, 1)
        self._start = dispatch.started_at

    def offset(self, dispatch: AuditedDispatch) -> int:
        """When another dispatch started, in ns after this one."""
        return (dispatch.started_at - self._start) // _MICROSECOND * 1_000

    def bar(self, start: int, length: int, kind: str) -> Bar:
        """What sticks out to a side is cut."""
        left = min(max(start, 0), self.length)
        right = min(max(start + length, left), self.length)
        share = [at * 100 / self.length for at in (left, right - left)]
        return Bar(f"{share[0]:.2f}%", f"{share[1]:.2f}%", kind)

    def words(self, start: int, length: int) -> str:
        """ "from 0.1 to 3.5 ms"."""
        return period(start, start + length)

    def ticks(self) -> list[Tick]:
        """Round times, no more than fit."""
        length = self.length / 1e6
        step = _step(length)
        found = []
        for index in range(int(length / step) + 1):
            share = index * step * 100 / length
            anchor = "start" if not index else "end" if share > 94 else "middle"
            text = f"{index * step:g}" if index else "0 ms"
            found.append(Tick(f"{share:.2f}%", text, anchor))
        return found


def _step(length: float) -> float:
    """A round number of which fewer than _TICKS fit into the length."""
    size = 1e-7
    while True:
        for factor in (1, 2, 5):
            if length / (size * factor) < _TICKS:
                return size * factor
        size *= 10


def bars_of(call: AuditedCall, nested: Sequence[AuditedDispatch], scale: Scale) -> list[Bar]:
    """The bar of a call, the pale part of it that its nested dispatches took, or a dash."""
    if call.outcome == Ending.SKIPPED or call.offset_ns is None:
        return [Bar("0%", "0%", "never")] if call.outcome == Ending.SKIPPED else []
    kind = "bad" if call.outcome in (Ending.RAISED, Ending.CANCELLED) else "ok"
    own = scale.bar(call.offset_ns, call.duration_ns, kind)
    return [own] + [scale.bar(scale.offset(each), each.duration_ns, "nested") for each in nested]


def lane_words(call: AuditedCall, name: str, outcome: OutcomeWords, scale: Scale) -> str:
    """The bar in words, for who cannot see it."""
    if call.offset_ns is None:
        return f"{name}, {outcome.text}"
    return f"{name}, {outcome.text}, {scale.words(call.offset_ns, call.duration_ns)}"


def nested_bars(dispatch: AuditedDispatch, scale: Scale) -> list[Bar]:
    """A thin bar, or the ring of a dispatch that nobody received."""
    is_span = dispatch.receiver_count or dispatch.unseen is not None
    kind = "span" if is_span else "ring"
    return [scale.bar(scale.offset(dispatch), dispatch.duration_ns, kind)]


def self_time(call: AuditedCall) -> str:
    """Its time without nested dispatches, where that differs enough to tell."""
    return duration(call.self_ns) if call.duration_ns - call.self_ns >= 50_000 else ""


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
        self.scale = Scale(dispatch)
        self._swallowed = is_swallowed(dispatch.method_name, OUTCOMES[dispatch.outcome])
        self._skipped = dispatch.skipped_count
        self._unseen = None if dispatch.unseen is None else UNSEENS[dispatch.unseen]
        self._texts, self._site, self._may_see = texts, site, may_see

    def rows(
        self, calls: Iterable[AuditedCall], nested: Sequence[AuditedDispatch]
    ) -> list[CallRow]:
        """Receiver calls, each with what it sent."""
        sent, calls = by_call(nested), list(calls)
        raised = next((call.receiver_id for call in calls if call.outcome == Ending.RAISED), None)
        stopper = self._texts[raised]
        return [self._row(call, sent.get(call.index, []), stopper) for call in calls]

    def _row(self, call: AuditedCall, nested: list[AuditedDispatch], stopper: str) -> CallRow:
        name = dotted(self._texts[call.receiver_id])
        outcome = call_outcome(
            OUTCOMES[call.outcome],
            swallowed=self._swallowed,
            stopper=stopper,
            skipped=self._skipped,
            unseen=self._unseen,
            value=response_words(call.response) if self._may_see else "",
        )
        return CallRow(
            index=call.index,
            order=call.index + 1,
            receiver=name,
            url=changelist_url(self._site, Selection(receiver=name.full)),
            location=self._texts[call.location_id],
            is_async=call.is_async,
            exception=exception_name(self._texts[call.exception_id]),
            outcome=outcome,
            is_failed=call.outcome in (Ending.RAISED, Ending.CANCELLED),
            took="" if call.outcome == Ending.SKIPPED else took(call.duration_ns),
            self_time=self_time(call),
            sql=queries(call.query_count, call.query_ns),
            lane=lane_words(call, name.last, outcome, self.scale),
            bars=bars_of(call, nested, self.scale),
            nested=[self.nested(each) for each in nested],
        )

    def nested(self, each: AuditedDispatch) -> NestedRow:
        """A dispatch that a receiver sent."""
        name = dotted(self._texts[each.signal_id])
        outcome = dispatch_outcome(each)
        when = self.scale.words(self.scale.offset(each), each.duration_ns)
        return NestedRow(
            url=detail_url(self._site, each.id),
            signal=name,
            method=each.method_name,
            caller=self._texts[each.caller_id],
            outcome=outcome,
            took=took(each.duration_ns),
            sql=queries(each.query_count, each.query_ns),
            lane=f"{name.last}, {outcome.text}, {when}",
            bars=nested_bars(each, self.scale),
        )
