"""Receivers that started failing: those that fail now and, for as far as is known, did not."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from signal_inspector.audit.overview.figures import Part, Read
from signal_inspector.audit.tallies import Failures, Measure

#: How rarely so many failures would be seen if nothing had changed.
_RARELY: Final = 0.001
#: Failures that would have been seen by now, had it not been mended.
_CONVINCING: Final = 3.0
_LONGEST_SUM: Final = 1_000


@dataclass(slots=True, kw_only=True)
class Started:
    """A receiver that started failing in the span."""

    receiver: int  # Name.id
    exceptions: dict[int, Failures]  # by Name.id, of the time in which it failed
    since_us: int  # the first failure, microseconds since 1970
    until_us: int  # the last
    now: Measure  # its calls since then; those after the last failure where it has recovered
    now_from: int  # from when on these are, Unix seconds
    before: Measure  # its calls in 30 days until then
    is_recovered: bool
    together: Failures = field(init=False)

    def __post_init__(self) -> None:
        self.together = Failures()
        for failures in self.exceptions.values():
            self.together.merge(failures)


@dataclass(slots=True)
class _Run:
    """Slots in which a receiver failed more than it used to."""

    parts: list[Part] = field(default_factory=list)
    surplus: float = 0.0  # failures beyond what is allowed, so far
    peak: float = 0.0  # the most that this was


def started_failing(read: Read) -> list[Started]:
    """Those that fail now first, then by when it started, the latest first."""
    failing = {receiver for receiver, _ in read.whole.failures}
    found = [_judged(receiver, read) for receiver in sorted(failing)]
    known = [each for each in found if each is not None]
    return sorted(known, key=lambda each: (each.is_recovered, -each.since_us))


def _judged(receiver: int, read: Read) -> Started | None:
    """None where it fails no more than it used to."""
    usual = read.baseline.receivers.get(receiver, Measure())
    rate = usual.failed / usual.count if usual.count else 0.0
    run = _worst_run(receiver, read, rate)
    counted = _measure(receiver, run.parts)
    if usual.failed and _chance(counted.failed, rate * counted.count) > _RARELY:
        return None
    start = run.parts[0].slot
    since = [part for part in read.parts if part.slot >= start]
    exceptions: dict[int, Failures] = {}
    for part in since:
        for (who, exception), failures in part.figures.failures.items():
            if who == receiver:
                exceptions.setdefault(exception, Failures()).merge(failures)
    before = _measure(receiver, [part for part in read.parts if part.slot < start])
    before.merge(usual)
    since_us = min(each.first_us for each in exceptions.values())
    shown, is_recovered = _now(receiver, since, since_us)
    return Started(
        receiver=receiver,
        exceptions=exceptions,
        since_us=since_us,
        until_us=max(each.last_us for each in exceptions.values()),
        now=_measure(receiver, shown),
        now_from=shown[0].slot,
        before=before,
        is_recovered=is_recovered,
    )


def _worst_run(receiver: int, read: Read, rate: float) -> _Run:
    """A time in which it failed more than twice as often as usual, and most beyond that."""
    runs: list[_Run] = []
    run = _Run()
    for part in read.parts:
        measure = _measure(receiver, [part])
        if measure.failed or run.parts:
            run.parts.append(part)
            run.surplus += measure.failed - 2 * rate * measure.count
            run.peak = max(run.peak, run.surplus)
        if run.parts and run.surplus <= 0:
            runs.append(run)
            run = _Run()
    return max([*runs, run] if run.parts else runs, key=lambda run: run.peak)


def _now(receiver: int, since: list[Part], since_us: int) -> tuple[list[Part], bool]:
    """The slots that tell how it is now, and whether it has recovered.

    Those after the last failure if it would have failed again by now; else those that lie wholly
    in the time of failing, if it was called in these.
    """
    last = max(part.slot for part in since if _measure(receiver, [part]).failed)
    after = [part for part in since if part.slot > last]
    bad = _measure(receiver, [part for part in since if part.slot <= last])
    if bad.failed / bad.count * _measure(receiver, after).count >= _CONVINCING:
        return after, True
    wholly = [part for part in since if part.slot * 1_000_000 >= since_us]
    return (wholly if _measure(receiver, wholly).count else since), False


def _measure(receiver: int, parts: list[Part]) -> Measure:
    together = Measure()
    for part in parts:
        together.merge(part.figures.receivers.get(receiver, Measure()))
    return together


def _chance(failed: int, expected: float) -> float:
    """How probable at least so many failures are where so many are usual (Poisson)."""
    if expected <= 0:
        return 0.0
    if failed <= expected:
        return 1.0
    if failed > _LONGEST_SUM:  # far beyond what is usual, or near enough to it to be told so
        return 0.0 if failed > expected + 6 * math.sqrt(expected) else 1.0
    fewer = (
        math.exp(n * math.log(expected) - expected - math.lgamma(n + 1)) for n in range(failed)
    )
    return max(1.0 - math.fsum(fewer), 0.0)
