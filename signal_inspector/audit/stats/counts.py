"""Counts of dispatches: how many there were, how many failed and why, and how long they took.

Durations are counted in buckets on a logarithmic scale, so that counts can be added up and
percentiles read from them. There are eight buckets for each doubling. A percentile is the middle
of its bucket, so it is off by at most a sixteenth of its value (``ERROR``), no matter how many
counts were added up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from signal_inspector.audit.models import Ending, Origin, TransactionOutcome
from signal_inspector.audit.rows import CallRow, DispatchRow, Rows
from signal_inspector.display.numbers import percentile as percentile_of

#: The largest relative error of ``percentile``.
ERROR: Final = 1 / 16
_EXACT: Final = 16  # each smaller number has its own bucket

SLOT_SECONDS: Final = 300  # the shortest slot: all others are multiples of it
_FORMAT: Final = 1
_FIXED: Final = 4  # numbers of an encoded Measure before its buckets

_RAISED: Final = int(Ending.RAISED)
_NOT_RUN: Final = int(Ending.SKIPPED)
_RUNNING: Final = int(Ending.RUNNING)  # its duration is not known
_RETRY: Final = int(Origin.RETRY)
_ROLLED_BACK: Final = int(TransactionOutcome.ROLLED_BACK)

Key = TypeVar("Key")


def bucket_of(number: int) -> int:
    """The bucket of a duration in nanoseconds; negative durations count as 0."""
    if number < _EXACT:
        return max(number, 0)
    shift = number.bit_length() - 4
    return (shift << 3) + (number >> shift)


def bounds(bucket: int) -> tuple[int, int]:
    """The smallest and the largest number of a bucket."""
    if bucket < _EXACT:
        return bucket, bucket
    shift = (bucket >> 3) - 1
    low = ((bucket & 7) + 8) << shift
    return low, low + (1 << shift) - 1


def percentile(buckets: Mapping[int, int], share: float, longest: int | None = None) -> int | None:
    """The duration that this share of all (0 to 1) does not exceed; None if nothing was counted.

    It is the middle of the bucket that ``display.numbers.percentile`` finds, but never more than
    ``longest``, the longest of all durations, if that is known.
    """
    bucket = percentile_of(buckets, share)
    if bucket is None:
        return None
    found = sum(bounds(bucket)) // 2
    return found if longest is None else min(found, longest)


@dataclass(slots=True)
class Measure:
    """Counts of a signal's dispatches, or of a receiver's calls. Skipped calls do not count."""

    count: int = 0
    failed: int = 0
    total_ns: int = 0
    longest_ns: int = 0
    buckets: dict[int, int] = field(default_factory=dict)  # counts of the known durations

    def add(self, duration_ns: int, failed: bool, timed: bool = True) -> None:
        """Count one. The writer calls this for every receiver call, so it is kept short."""
        self.count += 1
        if failed:
            self.failed += 1
        if timed:
            self.total_ns += duration_ns
            if duration_ns > self.longest_ns:
                self.longest_ns = duration_ns
            bucket = bucket_of(duration_ns)
            buckets = self.buckets
            buckets[bucket] = buckets.get(bucket, 0) + 1

    def merge(self, other: Measure) -> None:
        """Count all that another has counted."""
        self.count += other.count
        self.failed += other.failed
        self.total_ns += other.total_ns
        self.longest_ns = max(self.longest_ns, other.longest_ns)
        buckets = self.buckets
        for bucket, count in other.buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count

    def percentile(self, share: float) -> int | None:
        """Nanoseconds that this share of all does not exceed, within ``ERROR``."""
        return percentile(self.buckets, share, self.longest_ns)

    def encoded(self) -> list[int]:
        """Encode the counts as a flat list of numbers."""
        flat = [number for pair in self.buckets.items() for number in pair]
        return [self.count, self.failed, self.total_ns, self.longest_ns, *flat]

    def merge_encoded(self, numbers: Sequence[int]) -> None:
        """Add the counts in a list from ``encoded``."""
        self.count += numbers[0]
        self.failed += numbers[1]
        self.total_ns += numbers[2]
        if numbers[3] > self.longest_ns:
            self.longest_ns = numbers[3]
        buckets = self.buckets
        rest = iter(numbers[_FIXED:])
        for bucket, count in zip(rest, rest, strict=True):
            buckets[bucket] = buckets.get(bucket, 0) + count


@dataclass(slots=True)
class Failures:
    """Calls of one receiver that failed with one exception."""

    count: int = 0
    first_us: int = 0  # microseconds since 1970: when the first of their dispatches started
    last_us: int = 0
    raised: int = 0  # how many of the calls ended the send
    skipped: int = 0  # receivers that did not run because of this
    rolled_back: int = 0  # how many of the calls were in a transaction that was rolled back

    def add(self, at_us: int, raised: bool, skipped: int, rolled_back: bool) -> None:
        """Count one."""
        if not self.count or at_us < self.first_us:
            self.first_us = at_us
        if at_us > self.last_us:
            self.last_us = at_us
        self.count += 1
        self.raised += raised
        self.skipped += skipped
        self.rolled_back += rolled_back

    def merge(self, other: Failures) -> None:
        """Count all that another has counted."""
        self.first_us = min(self.first_us, other.first_us) if self.count else other.first_us
        self.last_us = max(self.last_us, other.last_us)
        self.count += other.count
        self.raised += other.raised
        self.skipped += other.skipped
        self.rolled_back += other.rolled_back

    def encoded(self) -> list[int]:
        """Encode the counts as a list of numbers."""
        return [
            self.count,
            self.first_us,
            self.last_us,
            self.raised,
            self.skipped,
            self.rolled_back,
        ]


class _Made(dict[Key, Measure], Generic[Key]):
    """Measures by a key; each is made when it is first used."""

    def __missing__(self, key: Key) -> Measure:
        made = self[key] = Measure()
        return made


class Figures:
    """All counts of some time. Signals, receivers and exceptions are given by ``Name.id``.

    Retries are counted separately, only in ``retries``: they are not part of the application's
    load, and what a receiver raised during a retry was not raised to its sender.
    """

    __slots__ = ("failures", "receivers", "retries", "signals")

    def __init__(self) -> None:
        self.signals: dict[int, Measure] = _Made()
        self.receivers: dict[int, Measure] = _Made()
        self.failures: dict[tuple[int, int], Failures] = {}  # by receiver and exception
        self.retries = Measure()  # dispatches of retries, and what the receivers sent in them

    def add(self, started_us: int, dispatch: DispatchRow, calls: Iterable[CallRow]) -> None:
        """Count a dispatch, given as its rows with numbers in place of names."""
        is_failed = dispatch.is_failed is not None
        if dispatch.origin == _RETRY:
            self.retries.add(dispatch.duration_ns, is_failed)
            return
        self.signals[dispatch.signal_id].add(dispatch.duration_ns, is_failed)
        receivers = self.receivers
        for call in calls:
            outcome = call.outcome
            if outcome != _NOT_RUN:
                has_failed = outcome == _RAISED
                receivers[call.receiver_id].add(
                    call.duration_ns,
                    has_failed,
                    call.offset_ns is not None and outcome != _RUNNING,
                )
                if has_failed:
                    self._add_failure(started_us, dispatch, call)

    def _add_failure(self, started_us: int, dispatch: DispatchRow, call: CallRow) -> None:
        raised = dispatch.outcome == _RAISED
        self._failures(call.receiver_id, call.exception_id or 0).add(
            started_us,
            raised,
            dispatch.skipped_count if raised else 0,
            dispatch.transaction_outcome == _ROLLED_BACK,
        )

    def dispatches(self) -> Measure:
        """The dispatches of all signals together."""
        together = Measure()
        for measure in self.signals.values():
            together.merge(measure)
        return together

    def merge(self, other: Figures) -> None:
        """Count all that another has counted."""
        for number, measure in other.signals.items():
            self.signals[number].merge(measure)
        for number, measure in other.receivers.items():
            self.receivers[number].merge(measure)
        for (receiver, exception), failures in other.failures.items():
            self._failures(receiver, exception).merge(failures)
        self.retries.merge(other.retries)

    def encoded(self) -> str:
        """Encode the counts as text, for ``Tally.content``."""
        content = {
            "v": _FORMAT,
            "s": [[number, *measure.encoded()] for number, measure in self.signals.items()],
            "r": [[number, *measure.encoded()] for number, measure in self.receivers.items()],
            "x": [[*key, *failures.encoded()] for key, failures in self.failures.items()],
            "t": self.retries.encoded(),
        }
        return json.dumps(content, separators=(",", ":"))

    def merge_encoded(self, text: str) -> None:
        """Add the counts in a text from ``encoded``. Raises ValueError for another format."""
        content: dict[str, Any] = json.loads(text)
        if content["v"] != _FORMAT:
            raise ValueError(f"A tally has an unknown format: {content['v']!r}")
        for number, *numbers in content["s"]:
            self.signals[number].merge_encoded(numbers)
        for number, *numbers in content["r"]:
            self.receivers[number].merge_encoded(numbers)
        for receiver, exception, *numbers in content["x"]:
            self._failures(receiver, exception).merge(Failures(*numbers))
        self.retries.merge_encoded(content["t"])

    def _failures(self, receiver: int, exception: int) -> Failures:
        key = receiver, exception
        found = self.failures.get(key)
        if found is None:
            found = self.failures[key] = Failures()
        return found


def slot_of(unix_seconds: int, seconds: int = SLOT_SECONDS) -> int:
    """The start of the slot, of this length, that contains a moment."""
    return unix_seconds // seconds * seconds


def tallied(
    batch: Sequence[Rows], dispatches: Sequence[DispatchRow], calls: Sequence[CallRow]
) -> dict[int, Figures]:
    """The figures of a batch by slot.

    ``dispatches`` and ``calls`` are the rows with numbers in place of names, in the same order.
    """
    found: dict[int, Figures] = {}
    position = 0
    for rows, dispatch in zip(batch, dispatches, strict=True):
        end = position + len(rows.calls)
        started_us = rows.dispatch.started_at
        slot = slot_of(started_us // 1_000_000)
        figures = found.get(slot)
        if figures is None:
            figures = found[slot] = Figures()
        figures.add(started_us, dispatch, calls[position:end])
        position = end
    return found
