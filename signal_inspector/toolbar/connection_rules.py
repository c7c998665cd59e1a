"""Advice on connections: receivers connected twice, signals without any; dropped dispatches."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.catalog.connections import TWO_NAMES, differences
from signal_inspector.core.record.callers import is_third_party
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import NotCalledReason, Outcome, ReceiverCall
from signal_inspector.display.numbers import dispatch_count, integer, often, plural
from signal_inspector.display.parts import Badge, Segment
from signal_inspector.display.text import listing
from signal_inspector.toolbar.advice import Advice, Case, mono, sentence, strong, times

_Face = tuple[str, str, int]  # the name of a receiver, its file and its line


def connected_twice(case: Case) -> Iterator[Advice]:
    """A receiver ran more than once for one dispatch."""
    known = {entry.signal: entry for entry in case.catalog}
    sent: dict[str, list[Dispatch]] = {}
    for dispatch in case.dispatches:
        if len(dispatch.calls) > 1:
            sent.setdefault(dispatch.signal, []).append(dispatch)
    for signal, dispatches in sent.items():
        for repeated in _repeated(known.get(signal), dispatches):
            yield from _twice(signal, dispatches, repeated)


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A receiver that is connected more than once."""

    faces: tuple[_Face, ...]  # more than one if its file was imported under two names
    entries: tuple[ReceiverEntry, ...]  # in the catalog; () if it is not connected now


def _repeated(known: SignalEntry | None, sent: Sequence[Dispatch]) -> Iterator[_Repeated]:
    """Find them in the catalog by file, line and object; otherwise by the name of a function."""
    connected = [] if known is None else [each for each in known.receivers if not each.is_dead]
    by_number: dict[int, list[ReceiverEntry]] = {}
    for entry in connected:
        by_number.setdefault(entry.repetition, []).append(entry)
    by_number.pop(0, None)
    for entries in by_number.values():
        yield _Repeated(tuple(dict.fromkeys(map(_face, entries))), tuple(entries))
    told = set(map(_face, connected))
    for face in dict.fromkeys(_face(call) for dispatch in sent for call in dispatch.calls):
        if face not in told and _is_one_function(face[0]):
            yield _Repeated((face,), ())


def _twice(signal: str, sent: Sequence[Dispatch], repeated: _Repeated) -> Iterator[Advice]:
    targets, most = [], 0
    for dispatch in sent:
        calls = [
            at
            for at, call in enumerate(dispatch.calls)
            if _face(call) in repeated.faces and call.outcome is not Outcome.SKIPPED
        ]
        number = len(calls)
        if repeated.entries:  # receivers of other objects of the class may have the same name
            number = min(number, len(repeated.entries))
        if number > 1:
            targets.append((dispatch.sequence, calls[-1]))
            most = max(most, number)
    if not targets:
        return
    how_often = often(most)
    yield Advice(
        kind="connected twice",
        severity="mend",
        title=f"Connected {how_often}",
        reason=sentence(
            strong(repeated.faces[0][0]),
            f" ran {how_often} for one ",
            strong(signal),
            f"{times(len(targets))}: ",
            *_how(how_often, repeated),
        ),
        targets=tuple(targets),
        badge=Badge(text=f"connected {how_often}", tone="warn", glyph="warn"),
    )


def _face(of: ReceiverCall | ReceiverEntry) -> _Face:
    return of.receiver, of.path, of.line


def _is_one_function(dotted: str) -> bool:
    """Whether a name can only be one function, not methods, closures or partials of several."""
    module, _, function = dotted.rpartition(".")
    found = getattr(sys.modules.get(module), function, None)
    return isinstance(found, types.FunctionType) or (
        callable(found) and hasattr(found, "__wrapped__")
    )


def _how(how_often: str, repeated: _Repeated) -> Iterator[str | Segment]:
    """How the connections of a receiver differ, as far as the catalog knows."""
    if len(repeated.faces) > 1:
        yield f"{TWO_NAMES}, as "
        for index, (receiver, _, _) in enumerate(repeated.faces):
            yield " and " if index else ""
            yield mono(receiver)
        yield "."
        return
    yield f"it is connected {how_often}"
    entries = sorted(
        repeated.entries, key=lambda entry: (entry.dispatch_uid is None, entry.sender is None)
    )
    for index, ways in enumerate(differences([(it.dispatch_uid, it.sender) for it in entries])):
        yield " and once" if index and index == len(entries) - 1 else ", once"
        for joint, what in ways:
            yield f" {joint} "
            yield mono(what)
    yield "."


def nobody_received(case: Case) -> Iterator[Advice]:
    """A dispatch had no receiver, unless an installed package sent its own signal."""
    found: dict[str, list[Dispatch]] = {}
    paths = {entry.signal: entry.path for entry in case.catalog}
    for dispatch in case.dispatches:
        if dispatch.is_orphan and not _is_offer(dispatch, paths.get(dispatch.signal, "")):
            found.setdefault(dispatch.signal, []).append(dispatch)
    for signal, orphans in found.items():
        yield Advice(
            kind="nobody received",
            severity="know",
            title="Nobody received",
            reason=sentence(strong(signal), _why(orphans)),
            targets=tuple((orphan.sequence, None) for orphan in orphans),
        )


def _is_offer(dispatch: Dispatch, made_in: str) -> bool:
    """Whether an installed package both defines the signal and sent it, for others to use."""
    caller = dispatch.caller
    if caller is None or not made_in:
        return False
    return is_third_party(made_in) and is_third_party(caller.path)


def _why(orphans: Sequence[Dispatch]) -> str:
    sent = f" was sent {integer(len(orphans))} times, but" if len(orphans) > 1 else ""
    idle = {(r.receiver, r.reason) for orphan in orphans for r in orphan.not_called}
    dead = len([reason for _, reason in idle if reason is NotCalledReason.DEAD])
    taken_out = len([reason for _, reason in idle if reason is NotCalledReason.TAKEN_OUT])
    others = len(idle) - dead - taken_out
    if not idle:
        return f"{sent or ' was sent, but'} no receiver is connected to it."
    reasons = []
    if others:
        who = "listens to another sender" if others == 1 else "listen to other senders"
        reasons.append(f"{plural(others, 'connected receiver')}, which {who}")
    if taken_out:
        were = "was" if taken_out == 1 else "were"
        reasons.append(
            f"{plural(taken_out, 'receiver')} that {were} removed from signal.receivers without "
            "disconnect()"
        )
    if dead:
        died = "its weak reference is" if dead == 1 else "their weak references are"
        reasons.append(f"{plural(dead, 'garbage-collected receiver')}: {died} dead")
    return f"{sent} had only {listing(reasons)}."


def dropped(case: Case) -> Iterator[Advice]:
    """More dispatches were sent than are kept."""
    if case.dropped:
        limit = integer(len(case.dispatches))
        came = dispatch_count(case.dropped)
        yield Advice(
            kind="dropped",
            severity="mend",
            title="Dropped",
            reason=sentence(
                f"{came} above the limit of {limit} {'was' if case.dropped == 1 else 'were'} "
                "only counted. ",
                mono('LIMITS["DISPATCHES"]'),
                " raises it.",
            ),
        )
