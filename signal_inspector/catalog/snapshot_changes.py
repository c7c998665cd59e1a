"""What has changed from one snapshot to another, in words."""

from __future__ import annotations

import difflib
import json
from collections import Counter
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
    pairs, gone, new = _paired(before, now)
    for line in new:
        yield f"{line.receiver} has appeared{_in_brackets(line)}"
    for line in gone:
        yield f"{line.receiver} has vanished{_in_brackets(line)}"
    for old, line in pairs:
        yield from (f"{line.receiver} {what}" for what in _differences(old, line))
    yield from _moves(pairs, before, now)


def _paired(
    before: Sequence[Line], now: Sequence[Line]
) -> tuple[list[tuple[Line, Line]], list[Line], list[Line]]:
    """Lines that are the same receiver's, then what is left of before, then of now."""
    pairs = []
    old = list(before)
    new = []
    for line in now:  # those that have not changed, first: a receiver may stand there twice
        if line in old:
            old.remove(line)
            pairs.append((line, line))
        else:
            new.append(line)
    left = []
    for line in new:
        same = next((each for each in old if each.receiver == line.receiver), None)
        if same is None:
            left.append(line)
        else:
            old.remove(same)
            pairs.append((same, line))
    return pairs, old, left


def _differences(before: Line, now: Line) -> Iterator[str]:
    if before.sender != now.sender:
        yield f"listens to {_sender(now)} now, and not to {_sender(before)}"
    if before.dispatch_uid != now.dispatch_uid:
        yield f"has {_uid(now)} now, and not {_uid(before)}"
    if before.is_async != now.is_async:
        yield "is async now" if now.is_async else "is not async any more"
    if before.is_strong != now.is_strong:
        how = "strongly now, and not weakly" if now.is_strong else "weakly now, and not strongly"
        yield f"is held {how}"


def _moves(
    pairs: Sequence[tuple[Line, Line]], before: Sequence[Line], now: Sequence[Line]
) -> Iterator[str]:
    """Receivers that stay, and run before or after another one than they did."""
    was = _kept(before, Counter(old for old, _ in pairs))
    names = {id(old): line for old, line in pairs}
    del names
    renamed = dict(pairs)
    was = [renamed.get(line, line) for line in was]
    is_now = _kept(now, Counter(line for _, line in pairs))
    if was == is_now:
        return
    matcher = difflib.SequenceMatcher(None, was, is_now, autojunk=False)
    stay = {index for block in matcher.get_matching_blocks() for index in _range(block)}
    for index, line in enumerate(is_now):
        if index not in stay:
            where = f"after {is_now[index - 1].receiver}" if index else "first"
            yield f"{line.receiver} has moved: it runs {where} now"
    yield "the order was: " + ", ".join(line.receiver for line in was)


def _range(block: difflib.Match) -> range:
    return range(block.b, block.b + block.size)


def _kept(lines: Sequence[Line], wanted: Counter[Line]) -> list[Line]:
    """Those of the lines that are wanted, as often as they are."""
    left = wanted.copy()
    kept = []
    for line in lines:
        if left[line]:
            left[line] -= 1
            kept.append(line)
    return kept


def _sender(line: Line) -> str:
    return "any sender" if line.sender is None else f"sender {line.sender}"


def _uid(line: Line) -> str:
    return "no dispatch_uid" if line.dispatch_uid is None else f"uid {json.dumps(line.dispatch_uid)}"


def _in_brackets(line: Line) -> str:
    told = [f"sender {line.sender}"] if line.sender is not None else []
    told += [_uid(line)] if line.dispatch_uid is not None else []
    told += ["async"] if line.is_async else []
    told += ["strong"] if line.is_strong else []
    return f" ({', '.join(told)})" if told else ""
