"""The panel's second and third view: each receiver with its calls, and what is connected now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from signal_inspector.catalog import SignalEntry, describe
from signal_inspector.catalog.entries import Mark, Marked, connected_elsewhere, marked, twice
from signal_inspector.core import internal_errors
from signal_inspector.core.record.dispatch import FAILED, Dispatch
from signal_inspector.core.record.values import Outcome, ReceiverCall, Unseen
from signal_inspector.display.numbers import UNKNOWN, duration, integer, plural, queries, took
from signal_inspector.display.outcomes import (
    RAISED,
    RETURNED,
    SWALLOWED,
    Glyph,
    OutcomeWords,
    all_returned,
    is_swallowed,
    part_of,
)
from signal_inspector.display.parts import Badge, Place
from signal_inspector.display.text import (
    DottedName,
    dotted,
    exception_name,
    last_part,
    listing,
    unique,
)
from signal_inspector.display.timeline import Lane, Scale, receiver_lane
from signal_inspector.toolbar.cells import call_outcome, place, raw_ms
from signal_inspector.toolbar.dispatch_rows import Remarks

Calls = list[tuple[Dispatch, ReceiverCall]]

_SIGNALS = 200
_OTHERS = 100  # signals that are not inspected

_Calls = Mapping[tuple[str, str], int]  # by signal and receiver


def receiver_rows(
    dispatches: Sequence[Dispatch], scale: Scale, remarks: Remarks
) -> tuple[ReceiverRow, ...]:
    """The rows of all receivers, ordered by self time, longest first."""
    found: dict[tuple[str, str, int], Calls] = {}
    words: dict[tuple[str, str, int], list[str]] = {}
    for dispatch in dispatches:
        for index, call in enumerate(dispatch.calls):
            key = (call.receiver, call.path, call.line)
            found.setdefault(key, []).append((dispatch, call))
            for badge in remarks.of(dispatch, index):
                words.setdefault(key, []).append(badge.text)
    ordered = sorted(found, key=lambda key: -sum(call.self_ns for _, call in found[key]))
    return tuple(_row(found[key], unique(words.get(key, ())), scale) for key in ordered)


def _row(calls: Calls, words: Sequence[str], scale: Scale) -> ReceiverRow:
    first = calls[0][1]
    total = sum(call.duration_ns for _, call in calls)
    own = sum(call.self_ns for _, call in calls)
    longest = max(call.duration_ns for _, call in calls)
    query_ns = sum(call.query_ns for _, call in calls)
    failed = any(call.outcome in FAILED for _, call in calls)
    timed = any(call.timed for _, call in calls)
    signals = unique(last_part(dispatch.signal) for dispatch, _ in calls)
    return ReceiverRow(
        name=dotted(first.receiver),
        place=place(first.path, first.line),
        on=f"on {listing(signals, 4)}",
        calls=integer(len(calls)),
        repeated=len(calls) > 1,
        lane=receiver_lane(first.receiver, calls, scale),
        total=took(total) if timed else UNKNOWN,
        self_time=duration(own) if timed else UNKNOWN,
        longest=took(longest) if timed else UNKNOWN,
        sql=queries(sum(call.query_count for _, call in calls), query_ns),
        outcome=_outcome(calls, words),
        ms=raw_ms(longest),
        failed=failed,
        keep=failed,
        sort=(str(len(calls)), *(raw_ms(each) for each in (total, own, longest, query_ns))),
    )


def _outcome(calls: Calls, words: Sequence[str]) -> OutcomeWords:
    cell = _ending(calls)
    note = ", ".join([cell.note, *words] if cell.note else words)
    return replace(cell, note=note)


def _ending(calls: Calls) -> OutcomeWords:
    raised = [(d, call) for d, call in calls if call.outcome is Outcome.RAISED]
    if raised:
        loud = not all(is_swallowed(each.method, each.outcome) for each, _ in raised)
        names = unique(
            exception_name(call.failure.exception_class) for _, call in raised if call.failure
        )
        words = RAISED if loud else SWALLOWED
        text = words if len(calls) == 1 else f"{part_of(len(raised), len(calls))} {words}"
        glyph: Glyph = "raised" if loud else "swallowed"
        return OutcomeWords("bad", glyph, text, listing(names, 4))
    if len(calls) == 1:
        return call_outcome(*calls[0])
    returned = sum(
        call.outcome is Outcome.RETURNED and dispatch.unseen is not Unseen.UNTOLD
        for dispatch, call in calls
    )
    if returned == len(calls):
        return all_returned(returned)
    text = f"{part_of(returned, len(calls))} {RETURNED}"
    return OutcomeWords(glyph="skipped", tone="none", text=text)


def connected() -> list[SignalEntry]:
    """The catalog, including signals that are not inspected; empty if it cannot be read."""
    try:
        return describe(everything=True)
    except Exception as error:
        internal_errors.report("the catalog", error)
        return []


def catalog_rows(
    entries: Sequence[SignalEntry], dispatches: Sequence[Dispatch]
) -> tuple[CatalogSignal, ...]:
    """First the signals that the request sent, then others by name; last those not inspected."""
    sent = Counter(dispatch.signal for dispatch in dispatches)
    calls = Counter(
        (dispatch.signal, call.receiver)
        for dispatch in dispatches
        for call in dispatch.calls
        if call.outcome is not Outcome.SKIPPED
    )
    ordered = sorted(entries, key=lambda entry: (not sent[entry.signal], entry.signal))
    inspected = [entry for entry in ordered if entry.is_inspected][:_SIGNALS]
    others = [entry for entry in ordered if not entry.is_inspected and marked(entry)][:_OTHERS]
    return tuple(_signal(entry, sent[entry.signal], calls) for entry in inspected + others)


def others_words(rows: Sequence[CatalogSignal]) -> str:
    """The label of the checkbox that shows the signals not inspected; "" if there are none."""
    found = sum(not row.is_inspected for row in rows)
    if not found:
        return ""
    if found == 1:
        return "Show the one signal with receivers that is not inspected"
    return f"Show {integer(found)} more signals with receivers that are not inspected"


def intro(entries: Sequence[SignalEntry]) -> str:
    """The sentences above the table that say what it shows."""
    number = sum(1 for entry in entries if entry.is_inspected)
    shown = integer(min(number, _SIGNALS))
    return (
        "Receivers that are connected in this process now, in the order in which they would run. "
        f"{shown} of {plural(number, 'custom signal')}."
    )


def _signal(entry: SignalEntry, sent: int, calls: _Calls) -> CatalogSignal:
    return CatalogSignal(
        name=dotted(entry.signal),
        sent=integer(sent),
        is_sent=sent > 0,
        receivers=tuple(_receiver(found, entry.signal, calls) for found in marked(entry)),
        remark=_remark(entry),
        is_inspected=entry.is_inspected,
    )


def _receiver(found: Marked, signal: str, calls: _Calls) -> CatalogReceiver:
    entry = found.entry
    at = connected_elsewhere(entry)
    ran = calls.get((signal, entry.receiver), 0)
    return CatalogReceiver(
        order=str(found.order or ""),
        name=dotted(entry.receiver),
        place=place(entry.path, entry.line),
        badges=tuple(map(_badge, found.marks)),
        connected_at=None if at is None else place(at.path, at.line),
        calls=plural(ran, "call") if ran and found.order else "",
        dead=not found.order,
    )


def _badge(mark: Mark) -> Badge:
    if mark.is_wrong:
        return Badge(text=mark.text, tone="warn", glyph="warn")
    return Badge(text=mark.text)


def _remark(entry: SignalEntry) -> OutcomeWords | None:
    live = [each for each in entry.receivers if not each.is_dead]
    dead = len(entry.receivers) - len(live)
    double = twice(entry)
    if entry.problem:
        return OutcomeWords(glyph="warn", tone="warn", text=entry.problem)
    if double:
        text = f"{'one receiver' if double == 1 else f'{double} receivers'} connected twice"
        return OutcomeWords(glyph="warn", tone="warn", text=text)
    if dead:
        text = "one reference is dead" if dead == 1 else f"{dead} references are dead"
        return OutcomeWords(glyph="warn", tone="warn", text=text)
    if entry.pending:
        waits = "one waits" if len(entry.pending) == 1 else f"{len(entry.pending)} wait"
        return OutcomeWords(glyph="warn", tone="warn", text=f"{waits} for a model")
    if entry.taken_out:
        return OutcomeWords(glyph="warn", tone="warn", text="receivers are taken out")
    if not live:
        return OutcomeWords("none", "note", "no receiver")
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """A row of "By receiver": all calls of one receiver in this request."""

    name: DottedName
    place: Place | None
    on: str  # "on order_placed, order_cancelled"
    calls: str  # "12"
    repeated: bool  # whether there was more than one call, which is shown as "12 times"
    lane: Lane
    total: str
    self_time: str
    longest: str
    sql: str
    outcome: OutcomeWords
    ms: str  # raw: the longest call, for the threshold
    failed: bool
    keep: bool
    sort: tuple[str, ...]  # raw calls, total, self, longest, SQL ms, in the order of the columns


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReceiver:
    """A receiver that is connected now."""

    order: str  # "" if the receiver does not run
    name: DottedName
    place: Place | None
    badges: tuple[Badge, ...] = ()  # only what is unusual: async, sender, uid, dead reference
    connected_at: Place | None = None  # only if that is not where it is defined
    calls: str = ""  # for this signal in this request; "" for none
    dead: bool = False  # whether the receiver does not run


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSignal:
    """A signal of this process, and the receivers connected to it."""

    name: DottedName
    sent: str  # in this request: "12"
    is_sent: bool  # False: shown inconspicuously
    receivers: tuple[CatalogReceiver, ...]
    remark: OutcomeWords | None = None
    is_inspected: bool = True  # False: shown on request
