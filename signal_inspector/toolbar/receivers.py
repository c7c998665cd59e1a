"""The second view: every receiver with all its calls in the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from signal_inspector.records import Outcome, ReceiverCall, Unseen
from signal_inspector.toolbar.dispatch_rows import Remarks
from signal_inspector.toolbar.lanes import Scale, receiver_lane
from signal_inspector.toolbar.outcomes import call_outcome
from signal_inspector.toolbar.parts import Glyph, OutcomeCell
from signal_inspector.toolbar.places import place
from signal_inspector.toolbar.stored import FAILED, StoredDispatch
from signal_inspector.toolbar.view import ReceiverRow
from signal_inspector.toolbar.wording import (
    exception_name,
    integer,
    last,
    listing,
    ms,
    name,
    raw_ms,
    sql,
    unique,
)

_UNKNOWN: Final = "–"  # of a receiver whose calls an override makes itself: nobody times them

Calls = list[tuple[StoredDispatch, ReceiverCall]]


def receiver_rows(
    dispatches: Sequence[StoredDispatch], scale: Scale, remarks: Remarks
) -> tuple[ReceiverRow, ...]:
    """By the time that is their own, most first."""
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
    signals = unique(last(dispatch.signal) for dispatch, _ in calls)
    return ReceiverRow(
        name=name(first.receiver),
        place=place(first.path, first.line),
        on=f"on {listing(signals)}",
        calls=integer(len(calls)),
        repeated=len(calls) > 1,
        lane=receiver_lane(first.receiver, calls, scale),
        total=ms(total) if timed else _UNKNOWN,
        self_time=ms(own) if timed else _UNKNOWN,
        longest=ms(longest) if timed else _UNKNOWN,
        sql=sql(sum(call.query_count for _, call in calls), query_ns),
        outcome=_outcome(calls, words),
        ms=raw_ms(longest),
        failed=failed,
        keep=failed,
        sort=(str(len(calls)), *(raw_ms(each) for each in (total, own, longest, query_ns))),
    )


def _outcome(calls: Calls, words: Sequence[str]) -> OutcomeCell:
    cell = _ending(calls)
    note = ", ".join([cell.note, *words] if cell.note else words)
    return OutcomeCell(glyph=cell.glyph, tone=cell.tone, text=cell.text, note=note)


def _ending(calls: Calls) -> OutcomeCell:
    raised = [(d, call) for d, call in calls if call.outcome is Outcome.RAISED]
    if raised:
        loud = any(not dispatch.method.is_robust for dispatch, _ in raised)
        names = unique(
            exception_name(call.failure.exception_class) for _, call in raised if call.failure
        )
        text = f"{integer(len(raised))} of {integer(len(calls))} failed"
        glyph: Glyph = "raised" if loud else "swallowed"
        return OutcomeCell(
            glyph=glyph, tone="bad", text=text, note=listing(names) if names else ""
        )
    if len(calls) == 1:
        return call_outcome(*calls[0])
    returned = sum(
        call.outcome is Outcome.RETURNED and dispatch.unseen is not Unseen.UNTOLD
        for dispatch, call in calls
    )
    if returned == len(calls):
        return OutcomeCell(glyph="ok", tone="ok", text=f"all {integer(returned)} returned")
    text = f"{integer(returned)} of {integer(len(calls))} returned"
    return OutcomeCell(glyph="skipped", tone="skip", text=text)
