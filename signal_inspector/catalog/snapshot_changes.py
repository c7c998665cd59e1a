"""What has changed from one snapshot to another, in words."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from signal_inspector.catalog.snapshots import Line, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All that has changed of one signal."""

    signal: str
    sentences: tuple[str, ...]


def changes(before: Snapshot, now: Snapshot) -> list[Change]:
    """The signals that differ, by name; none if the snapshots are equal."""
    found = []
    for signal in sorted({*before.signals, *now.signals}):
        sentences = tuple(_of_signal(before.signals.get(signal), now.signals.get(signal)))
        if sentences:
            found.append(Change(signal=signal, sentences=sentences))
    return found


def _of_signal(before: Sequence[Line] | None, now: Sequence[Line] | None) -> Iterator[str]:
    if before == now:
        return
    if before is None:
        yield "the signal is new"
        yield from (f"{each.receiver} receives it{_in_brackets(each)}" for each in now or ())
    elif now is None:
        yield "the signal is gone"
        yield from (f"{each.receiver} received it{_in_brackets(each)}" for each in before)
    else:
        yield from _of_receivers(before, now)


def _of_receivers(before: Sequence[Line], now: Sequence[Line]) -> Iterator[str]:
    pairs = _paired(before, now)
    old = {here for here, _ in pairs}
    kept = {there for _, there in pairs}
    for place, line in enumerate(now):
        if place not in kept:
            yield f"{line.receiver} has appeared{_in_brackets(line)}: it runs {_after(now, place)}"
    for place, line in enumerate(before):
        if place not in old:
            yield f"{line.receiver} has vanished{_in_brackets(line)}"
    for here, there in sorted(pairs, key=lambda pair: pair[1]):
        for what in _differences(before[here], now[there]):
            yield f"{now[there].receiver} {what}"
    for place in _moved([there for _, there in sorted(pairs)]):
        yield f"{now[place].receiver} has moved: it runs {_after(now, place)} now"


def _paired(before: Sequence[Line], now: Sequence[Line]) -> list[tuple[int, int]]:
    """The places, before and now, of what is the same connection.

    Those that have not changed come first: a receiver may be connected twice.
    """
    pairs: list[tuple[int, int]] = []
    left_before, left_now = dict(enumerate(before)), dict(enumerate(now))
    for is_same in (_is_equal, _has_same_name):
        for there, line in list(left_now.items()):
            here = next((each for each, old in left_before.items() if is_same(old, line)), None)
            if here is not None:
                pairs.append((here, there))
                del left_before[here], left_now[there]
    return pairs


def _is_equal(one: Line, other: Line) -> bool:
    return one == other


def _has_same_name(one: Line, other: Line) -> bool:
    return one.receiver == other.receiver


def _moved(order: Sequence[int]) -> Iterator[int]:
    """Of places now, in the order of before: those that have to move to be in order."""
    matcher = difflib.SequenceMatcher(None, order, sorted(order), autojunk=False)
    stay = {
        order[block.a + offset]
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    }
    return (place for place in sorted(order) if place not in stay)


def _after(lines: Sequence[Line], place: int) -> str:
    return f"after {lines[place - 1].receiver}" if place else "first"


def _differences(before: Line, now: Line) -> Iterator[str]:
    if before.sender != now.sender:
        yield f"listens to {_sender(now)}, and no longer to {_sender(before)}"
    if before.dispatch_uid != now.dispatch_uid:
        yield f"has {_uid(now)}, and no longer {_uid(before)}"
    if before.is_async != now.is_async:
        yield "has become async" if now.is_async else "is no longer async"
    if before.is_strong != now.is_strong:
        yield f"is held {'strongly' if now.is_strong else 'weakly'} now"


def _sender(line: Line) -> str:
    return "any sender" if line.sender is None else f"sender {line.sender}"


def _uid(line: Line) -> str:
    return "no uid" if line.dispatch_uid is None else f"uid {json.dumps(line.dispatch_uid)}"


def _in_brackets(line: Line) -> str:
    told = [f"sender {line.sender}"] if line.sender is not None else []
    told += [_uid(line)] if line.dispatch_uid is not None else []
    told += ["async"] if line.is_async else []
    told += ["strong"] if line.is_strong else []
    return f" ({', '.join(told)})" if told else ""
