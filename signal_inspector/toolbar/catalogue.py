"""The third view: what is connected in this process now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from signal_inspector import trouble
from signal_inspector.catalog import SignalEntry, describe
from signal_inspector.catalog.entries import Mark, Marked, connected_elsewhere, marked, twice
from signal_inspector.records import Outcome
from signal_inspector.toolbar.parts import Badge, OutcomeCell
from signal_inspector.toolbar.places import place
from signal_inspector.toolbar.stored import StoredDispatch
from signal_inspector.toolbar.view import CatalogueReceiver, CatalogueSignal
from signal_inspector.toolbar.wording import integer, name, plural

_SIGNALS = 200
_OTHERS = 100  # that are not inspected

_Calls = Mapping[tuple[str, str], int]  # by signal and receiver


def connected() -> list[SignalEntry]:
    """The catalogue, with the signals that are not inspected; empty where it cannot be read."""
    try:
        return describe(everything=True)
    except Exception as error:
        trouble.report("the catalogue", error)
        return []


def catalogue_rows(
    entries: Sequence[SignalEntry], dispatches: Sequence[StoredDispatch]
) -> tuple[CatalogueSignal, ...]:
    """Signals that the request sent first, then the others by name, those not inspected last."""
    sent = Counter(dispatch.signal for dispatch in dispatches)
    calls = Counter(
        (dispatch.signal, call.receiver)
        for dispatch in dispatches
        for call in dispatch.calls
        if call.outcome is not Outcome.SKIPPED
    )
    ordered = sorted(entries, key=lambda entry: (not sent[entry.signal], entry.signal))
    inspected = [entry for entry in ordered if entry.is_inspected][:_SIGNALS]
    shown = inspected + others(ordered)
    return tuple(_signal(entry, sent[entry.signal], calls) for entry in shown)


def others(entries: Sequence[SignalEntry]) -> list[SignalEntry]:
    """Those that are not inspected and have a receiver."""
    return [entry for entry in entries if not entry.is_inspected and marked(entry)][:_OTHERS]


def others_words(entries: Sequence[SignalEntry]) -> str:
    """The words beside the box that shows them; "" where there is none."""
    found = len(others(entries))
    if not found:
        return ""
    if found == 1:
        return "Show the one signal with receivers that is not inspected"
    return f"Show {integer(found)} more signals with receivers, which are not inspected"


def intro(entries: Sequence[SignalEntry]) -> str:
    """What the table holds."""
    number = sum(1 for entry in entries if entry.is_inspected)
    shown, total = integer(min(number, _SIGNALS)), integer(number)
    signals = "custom signal" if number == 1 else "custom signals"
    return (
        "Connected in this process now, in the order they would run. "
        f"{shown} of {total} {signals}."
    )


def _signal(entry: SignalEntry, sent: int, calls: _Calls) -> CatalogueSignal:
    return CatalogueSignal(
        name=name(entry.signal),
        sent=integer(sent),
        is_sent=sent > 0,
        receivers=tuple(_receiver(found, entry.signal, calls) for found in marked(entry)),
        remark=_remark(entry),
        is_inspected=entry.is_inspected,
    )


def _receiver(found: Marked, signal: str, calls: _Calls) -> CatalogueReceiver:
    entry = found.entry
    at = connected_elsewhere(entry)
    ran = calls.get((signal, entry.receiver), 0)
    return CatalogueReceiver(
        order=str(found.order or ""),
        name=name(entry.receiver),
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


def _remark(entry: SignalEntry) -> OutcomeCell | None:
    live = [each for each in entry.receivers if not each.is_dead]
    dead = len(entry.receivers) - len(live)
    double = twice(entry)
    if entry.problem:
        return OutcomeCell(glyph="warn", tone="orphan", text=entry.problem)
    if double:
        text = f"{'one receiver' if double == 1 else f'{double} receivers'} connected twice"
        return OutcomeCell(glyph="warn", tone="orphan", text=text)
    if dead:
        text = "one reference is dead" if dead == 1 else f"{dead} references are dead"
        return OutcomeCell(glyph="warn", tone="orphan", text=text)
    if entry.pending:
        waits = "one waits" if len(entry.pending) == 1 else f"{len(entry.pending)} wait"
        return OutcomeCell(glyph="warn", tone="orphan", text=f"{waits} for a model")
    if entry.taken_out:
        return OutcomeCell(glyph="warn", tone="orphan", text="receivers are taken out")
    if not live:
        return OutcomeCell(glyph="note", tone="", text="no receiver")
    return None
