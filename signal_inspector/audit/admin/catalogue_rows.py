"""The rows of the catalogue: connections, names that are gone, and what was counted of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from signal_inspector.audit.lookups import number_of
from signal_inspector.audit.models import NameKind
from signal_inspector.audit.stats.counts import Figures, Measure
from signal_inspector.audit.wording import DottedName
from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.catalog.marks import Mark


@dataclass(frozen=True, slots=True)
class Counted:
    """What the log counted of a signal or a receiver in the chosen time."""

    calls: str
    calls_url: str  # "" where there is nothing to show
    failed: str
    failed_url: str
    p50: str
    p95: str

    @property
    def is_failed(self) -> bool:
        return bool(self.failed_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """A connection."""

    order: str  # "" where it would not run
    name: DottedName
    place: str  # "shop/receivers.py:18"
    connected_at: str  # "" where it is defined there
    marks: tuple[Mark, ...]
    counted: Counted
    also: str  # "counted on 3 signals together"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRows:
    """A signal with its receivers."""

    name: DottedName
    place: str
    problem: str  # why its receivers cannot be read
    receivers: list[ReceiverRow]
    more: int  # receivers that are not shown
    counted: Counted


@dataclass(frozen=True, slots=True)
class LostRow:
    """A name that was counted, and is not connected now."""

    kind: str  # "signal" or "receiver"
    name: DottedName
    counted: Counted


def connections_of(entry: SignalEntry) -> list[ReceiverEntry]:
    """All connections of a signal, whether they would run or not."""
    return [*entry.receivers, *entry.pending, *entry.taken_out]


def numbers_of(known: Sequence[SignalEntry]) -> tuple[set[int], set[int]]:
    """The numbers by which the log knows what is connected."""
    names = {each.receiver for entry in known for each in connections_of(entry)}
    return (
        {number_of(NameKind.SIGNAL, entry.signal) for entry in known},
        {number_of(NameKind.RECEIVER, name) for name in names},
    )


def not_connected(
    figures: Figures, signals: set[int], receivers: set[int]
) -> list[tuple[str, int, Measure]]:
    """Kind, number and figures of what was counted under other names than these."""
    lost = [("signal", key, m) for key, m in figures.signals.items() if key not in signals]
    lost += [("receiver", key, m) for key, m in figures.receivers.items() if key not in receivers]
    return [each for each in lost if each[2].count]
