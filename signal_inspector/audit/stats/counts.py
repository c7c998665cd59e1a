"""What is counted of dispatches: how many, how many failed, how long they took, and why.

Durations are counted on a scale of ratios, so that percentiles can be read and counts be added.
There are eight buckets for each doubling: a percentile is read as the middle of the bucket that
holds it, and so is off by a sixteenth of its value at most (``ERROR``), whatever was added up.
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
_EXACT: Final = 16  # smaller numbers have a bucket each

SLOT_SECONDS: Final = 300  # the shortest slot: all others are multiples
_FORMAT: Final = 1
_FIXED: Final = 4  # numbers of an encoded Measure before its buckets

_RAISED: Final = int(Ending.RAISED)
_NOT_RUN: Final = int(Ending.SKIPPED)
_RUNNING: Final = int(Ending.RUNNING)  # how long it takes is not known
_RETRY: Final = int(Origin.RETRY)
_ROLLED_BACK: Final = int(TransactionOutcome.ROLLED_BACK)

Key = TypeVar("Key")


def bucket_of(number: int) -> int:
    """The bucket of a duration in nanoseconds; what is below 0 counts as 0."""
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
    """The duration that this share of all (0 to 1) does not exceed; None where there are none.

    It is the middle of the bucket that ``display.numbers.percentile`` finds. ``longest`` is the
    longest of all, where that is known: no percentile is longer.
    """
    bucket = percentile_of(buckets, share)
    if bucket is None:
        return None
    found = sum(bounds(bucket)) // 2
    return found if longest is None else min(found, longest)


@dataclass(slots=True)
class Measure:
    """Dispatches of a signal, or calls of a receiver. Skipped calls are none."""

    count: int = 0
    failed: int = 0
    total_ns: int = 0
    longest_ns: int = 0
    buckets: dict[int, int] = field(default_factory=dict)  # of those whose duration is known

    def add(self, duration_ns: int, failed: bool, timed: bool = True) -> None:
        """Count one. The writer does it for every receiver call, so it is kept short."""
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
        """Nanoseconds that this share of all does not exceed, within ``histograms.ERROR``."""
        return percentile(self.buckets, share, self.longest_ns)

    def encoded(self) -> list[int]:
        """As a flat list of numbers."""
        flat = [number for pair in self.buckets.items() for number in pair]
        return [self.count, self.failed, self.total_ns, self.longest_ns, *flat]

    def merge_encoded(self, numbers: Sequence[int]) -> None:
        """Count what such a list tells of."""
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
    raised: int = 0  # of them, those that ended the send
    skipped: int = 0  # receivers that did not run for that reason
    rolled_back: int = 0  # of all, those whose transaction was rolled back

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
        """As a list of numbers."""
        return [
            self.count,
            self.first_us,
            self.last_us,
            self.raised,
            self.skipped,
            self.rolled_back,
        ]


class _Made(dict[Key, Measure], Generic[Key]):
    """Measures by a key, made when first asked for."""

    def __missing__(self, key: Key) -> Measure:
        made = self[key] = Measure()
        return made


class Figures:
    """All that is counted of some time. Signals, receivers and exceptions by ``Name.id``.

    What somebody ran again stands apart, in ``retries`` alone: a person at work is no load of the
    application, and what a receiver raised to that person it did not raise to the sender.
    """

    __slots__ = ("failures", "receivers", "retries", "signals")

    def __init__(self) -> None:
        self.signals: dict[int, Measure] = _Made()
        self.receivers: dict[int, Measure] = _Made()
        self.failures: dict[tuple[int, int], Failures] = {}  # by receiver and exception
        self.retries = Measure()  # dispatches of retries, and of what the receivers sent then

    def add(self, started_us: int, dispatch: DispatchRow, calls: Iterable[CallRow]) -> None:
        """Count a dispatch by its rows with numbers for names."""
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
        """All dispatches, of whatever signal."""
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
        """As text, for ``Tally.content``."""
        content = {
            "v": _FORMAT,
            "s": [[number, *measure.encoded()] for number, measure in self.signals.items()],
            "r": [[number, *measure.encoded()] for number, measure in self.receivers.items()],
            "x": [[*key, *failures.encoded()] for key, failures in self.failures.items()],
            "t": self.retries.encoded(),
        }
        return json.dumps(content, separators=(",", ":"))

    def merge_encoded(self, text: str) -> None:
        """Count what such a text tells of. Raises ValueError for one of another format."""
        content: dict[str, Any] = json.loads(text)
        if content["v"] != _FORMAT:
            raise ValueError(f"A tally of an unknown format: {content['v']!r}")
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
    """When the slot of this length begins that a moment is in."""
    return unix_seconds // seconds * seconds


def tallied(
    batch: Sequence[Rows], dispatches: Sequence[DispatchRow], calls: Sequence[CallRow]
) -> dict[int, Figures]:
    """The figures of a batch by slot. The rows with numbers for names are in the batch's order."""
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
