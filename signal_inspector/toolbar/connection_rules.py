"""Advice on who is connected: twice, not at all, or beyond what was kept."""

from __future__ import annotations

import sys
import types
from collections import Counter
from collections.abc import Iterator, Sequence

from signal_inspector.catalog import ReceiverEntry
from signal_inspector.records import NotCalledReason
from signal_inspector.toolbar.advice import Advice, Case, Target, mono, sentence, strong, times
from signal_inspector.toolbar.parts import Badge, Segment
from signal_inspector.toolbar.stored import StoredDispatch
from signal_inspector.toolbar.wording import integer, plural


def connected_twice(case: Case) -> Iterator[Advice]:
    """One receiver ran more than once for one dispatch."""
    found: dict[tuple[str, str], list[tuple[int, Target]]] = {}
    for dispatch in case.dispatches:
        counts = Counter((call.receiver, call.path, call.line) for call in dispatch.calls)
        for (receiver, path, line), number in counts.items():
            if number > 1:
                again = _last_call(dispatch, (receiver, path, line))
                found.setdefault((receiver, dispatch.signal), []).append(
                    (number, (dispatch.index, again))
                )
    for (receiver, signal), repeats in found.items():
        number, certain = repeats[0][0], _is_one_function(receiver)
        often = "twice" if number == 2 else f"{number} times"
        yield Advice(
            kind="connected twice",
            severity="mend" if certain else "know",
            title=f"Connected {often}",
            reason=sentence(
                strong(receiver),
                f" ran {often} for one ",
                strong(signal),
                f"{times(len(repeats))}: ",
                *(
                    (f"it is connected {often}", *_how(case, signal, receiver))
                    if certain
                    else _SEVERAL
                ),
            ),
            targets=tuple(target for _, target in repeats),
            badge=Badge(text=f"connected {often}", tone="warn", glyph="warn") if certain else None,
        )


_SEVERAL = ("several objects of this name are connected.",)


def _last_call(dispatch: StoredDispatch, who: tuple[str, str, int]) -> int:
    return max(
        index
        for index, call in enumerate(dispatch.calls)
        if (call.receiver, call.path, call.line) == who
    )


def _is_one_function(dotted: str) -> bool:
    """Whether a name means one function: not methods, closures or partials of several objects."""
    module, _, function = dotted.rpartition(".")
    found = getattr(sys.modules.get(module), function, None)
    return isinstance(found, types.FunctionType) or (
        callable(found) and hasattr(found, "__wrapped__")
    )


def _how(case: Case, signal: str, receiver: str) -> Iterator[str | Segment]:
    """How the connections differ, as far as the catalogue knows."""
    entries = [
        entry
        for known in case.catalogue
        if known.signal == signal
        for entry in known.receivers
        if entry.receiver == receiver and not entry.is_dead
    ]
    entries.sort(key=lambda entry: (entry.dispatch_uid is None, entry.sender is None))
    if len(entries) > 1:
        yield ", "
        for index, entry in enumerate(entries):
            if index:
                yield " and " if index == len(entries) - 1 else ", "
            yield from _connection(entry, entries)
    yield "."


def _connection(entry: ReceiverEntry, all_of_them: Sequence[ReceiverEntry]) -> list[str | Segment]:
    if entry.dispatch_uid is not None:
        return ["once with ", mono(f"dispatch_uid={entry.dispatch_uid!r}")]
    if entry.sender is not None:
        return ["once for ", mono(f"sender={entry.sender}")]
    if any(other.dispatch_uid is not None for other in all_of_them):
        return ["once without"]
    return ["once for any sender"]


def nobody_received(case: Case) -> Iterator[Advice]:
    """A dispatch that no receiver got."""
    found: dict[str, list[StoredDispatch]] = {}
    for dispatch in case.dispatches:
        if dispatch.is_orphan:
            found.setdefault(dispatch.signal, []).append(dispatch)
    for signal, orphans in found.items():
        yield Advice(
            kind="nobody received",
            severity="know",
            title="Nobody received",
            reason=sentence(strong(signal), _why(orphans)),
            targets=tuple((orphan.index, None) for orphan in orphans),
        )


def _why(orphans: Sequence[StoredDispatch]) -> str:
    sent = f" was sent {integer(len(orphans))} times, and" if len(orphans) > 1 else ""
    idle = {(r.receiver, r.reason) for orphan in orphans for r in orphan.not_called}
    dead = len([reason for _, reason in idle if reason is NotCalledReason.DEAD])
    taken_out = len([reason for _, reason in idle if reason is NotCalledReason.TAKEN_OUT])
    others = len(idle) - dead - taken_out
    if not idle:
        return f"{sent or ' was sent, and'} nothing is connected to it."
    reasons = []
    if others:
        who = "listens to another sender" if others == 1 else "listen to other senders"
        reasons.append(f"{plural(others, 'connected receiver')}, which {who}")
    if taken_out:
        were = "was" if taken_out == 1 else "were"
        reasons.append(
            f"{plural(taken_out, 'receiver')} that {were} taken out of signal.receivers by hand"
        )
    if dead:
        died = "its weak reference is" if dead == 1 else "their weak references are"
        reasons.append(f"{plural(dead, 'receiver')} that went away: {died} dead")
    return f"{sent} had {' and '.join(reasons)}."


def dropped(case: Case) -> Iterator[Advice]:
    """More dispatches came than are kept."""
    if case.dropped:
        limit = integer(len(case.dispatches))
        came = plural(case.dropped, "dispatch", "dispatches")
        yield Advice(
            kind="dropped",
            severity="mend",
            title="Dropped",
            reason=sentence(
                f"{came} came after the limit of {limit} and "
                f"{'was' if case.dropped == 1 else 'were'} only counted; ",
                mono('LIMITS["DISPATCHES"]'),
                " raises it.",
            ),
        )
