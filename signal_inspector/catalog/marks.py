"""What is unusual about a connection, in a word or three: what is as usual has no mark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry
from signal_inspector.records import Caller

_NEAR: Final = 5  # lines from a definition to its decorator


@dataclass(frozen=True, slots=True)
class Mark:
    """A word beside a receiver."""

    text: str
    is_wrong: bool = False  # it keeps the receiver from running, or has it run too often


@dataclass(frozen=True, slots=True)
class Marked:
    """A connection with its marks."""

    order: int  # from 1 on, in the order in which they would run; 0: it would not run
    entry: ReceiverEntry
    marks: tuple[Mark, ...]


def marked(signal: SignalEntry) -> list[Marked]:
    """All connections of a signal: those that run, in their order, and then those that do not."""
    found = []
    order = 0
    for entry in signal.receivers:
        order += not entry.is_dead
        found.append(Marked(0 if entry.is_dead else order, entry, tuple(_marks(entry))))
    found += [Marked(0, entry, tuple(_marks(entry))) for entry in signal.pending]
    taken_out = Mark("taken out of the signal", is_wrong=True)
    found += [Marked(0, entry, (*_marks(entry), taken_out)) for entry in signal.taken_out]
    return found


def connected_elsewhere(entry: ReceiverEntry) -> Caller | None:
    """Where it was connected from, unless that is where it is defined, as with a decorator."""
    at = entry.connected_at
    if at is None or (at.path == entry.path and abs(at.line - entry.line) <= _NEAR):
        return None
    return at


def twice(signal: SignalEntry) -> int:
    """How many receivers one dispatch may call more than once."""
    return len({entry.repetition for entry in signal.receivers} - {0})


def _marks(entry: ReceiverEntry) -> Iterator[Mark]:
    if entry.is_async:
        yield Mark("async")
    if entry.is_pending:
        yield Mark(f"waits for the model {entry.sender}", is_wrong=True)
    elif entry.sender is not None:
        yield Mark("one sender only" if entry.sender == "?" else f"only {entry.sender}")
    if entry.dispatch_uid is not None:
        yield Mark(f"uid {entry.dispatch_uid}")
    if entry.is_weak is False:
        yield Mark("strong")
    if entry.is_dead:
        yield Mark("dead reference", is_wrong=True)
    if entry.repetition:
        yield Mark("connected twice", is_wrong=True)
