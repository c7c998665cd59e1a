"""The third view: what is connected in this process now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from signal_inspector import trouble
from signal_inspector.catalog import ReceiverEntry, SignalEntry, describe
from signal_inspector.toolbar.parts import Badge, OutcomeCell
from signal_inspector.toolbar.places import place
from signal_inspector.toolbar.stored import StoredDispatch
from signal_inspector.toolbar.view import CatalogueReceiver, CatalogueSignal
from signal_inspector.toolbar.wording import integer, name

_SIGNALS = 200


def connected() -> list[SignalEntry]:
    """The catalogue; empty where it cannot be read."""
    try:
        return describe()
    except Exception as error:
        trouble.report("the catalogue", error)
        return []


def catalogue_rows(
    entries: Sequence[SignalEntry], dispatches: Sequence[StoredDispatch]
) -> tuple[CatalogueSignal, ...]:
    """Signals that the request sent first, then the others, by name."""
    sent = Counter(dispatch.signal for dispatch in dispatches)
    ordered = sorted(entries, key=lambda entry: (not sent[entry.signal], entry.signal))
    return tuple(_signal(entry, sent[entry.signal]) for entry in ordered[:_SIGNALS])


def intro(entries: Sequence[SignalEntry]) -> str:
    """What the table holds."""
    shown, total = integer(min(len(entries), _SIGNALS)), integer(len(entries))
    signals = "custom signal" if len(entries) == 1 else "custom signals"
    return (
        "Connected in this process now, in the order they would run. "
        f"{shown} of {total} {signals}."
    )


def _signal(entry: SignalEntry, sent: int) -> CatalogueSignal:
    return CatalogueSignal(
        name=name(entry.signal),
        sent=integer(sent),
        is_sent=sent > 0,
        receivers=tuple(_receiver(i, known) for i, known in enumerate(entry.receivers, 1)),
        remark=_remark(entry.receivers),
    )


def _receiver(order: int, entry: ReceiverEntry) -> CatalogueReceiver:
    return CatalogueReceiver(
        order=str(order),
        name=name(entry.receiver),
        place=place(entry.path, entry.line),
        badges=tuple(_badges(entry)),
        dead=entry.is_dead,
    )


def _badges(entry: ReceiverEntry) -> Iterator[Badge]:
    if entry.is_async:
        yield Badge(text="async")
    if entry.sender is not None:
        yield Badge(text="another sender" if entry.sender == "?" else f"only {entry.sender}")
    if entry.dispatch_uid is not None:
        yield Badge(text=f"uid {entry.dispatch_uid}")
    if entry.is_dead:
        yield Badge(text="dead reference", tone="warn", glyph="warn")


def _remark(receivers: Sequence[ReceiverEntry]) -> OutcomeCell | None:
    live = [entry for entry in receivers if not entry.is_dead]
    dead = len(receivers) - len(live)
    reach = Counter((e.receiver, e.path, e.line, e.sender) for e in live)
    twice = sum(number > 1 for number in reach.values())
    if twice:
        text = f"{'one receiver' if twice == 1 else f'{twice} receivers'} connected twice"
        return OutcomeCell(glyph="warn", tone="orphan", text=text)
    if dead:
        text = "one reference is dead" if dead == 1 else f"{dead} references are dead"
        return OutcomeCell(glyph="warn", tone="orphan", text=text)
    if not live:
        return OutcomeCell(glyph="note", tone="", text="no receiver")
    return None
