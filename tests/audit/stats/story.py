"""A month of a shop, counted: the same numbers each time it is told."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from signal_inspector.audit.lookups import number_of
from signal_inspector.audit.models import Gap, GapReason, Name, NameKind, Tally
from signal_inspector.audit.stats.counts import (
    SLOT_SECONDS,
    Failures,
    Figures,
    Measure,
    bucket_of,
    slot_of,
)
from signal_inspector.audit.stats.rollup import LEVELS, LONGEST, new_row

#: A Sunday; the hour, the quarter of a day and the day are not over.
NOW = int(datetime(2026, 11, 22, 10, 32, 10, tzinfo=UTC).timestamp())
HOUR, DAY = 3_600, 86_400
SIGNALS = {"shop.signals.order_placed": 0.6, "shop.signals.order_paid": 0.4}


@dataclass
class Receiver:
    """How long it takes (ms, half of all calls), how much that varies, of how many dispatches."""

    name: str
    p50: float
    spread: float
    share: float
    samples: int = 60  # how many different durations it has in a slot, at most


RECEIVERS = [
    Receiver("inventory.receivers.sync_warehouse", 139, 0.13, 0.55),
    Receiver("crm.receivers.push_order", 118, 0.33, 0.50),
    Receiver("billing.receivers.send_invoice_email", 58, 0.15, 0.90),
    Receiver("shipping.receivers.book_courier", 91, 0.20, 0.40),
    Receiver("recommendations.receivers.refresh_for_user", 35, 0.25, 0.50),
    Receiver("loyalty.receivers.award_points", 12, 0.55, 0.55),
    Receiver("fraud.receivers.check_velocity", 4, 0.4, 0.20),
    Receiver("search.receivers.index_order", 9, 0.3, 0.80),
]
POINTS = "loyalty.models.LoyaltyAccount.DoesNotExist"
ABUSE = "fraud.errors.CouponAbuse"
TIMEOUT = "httpx.ReadTimeout"


def name(kind: NameKind, text: str) -> int:
    """The number of a name, which the log has then."""
    number = number_of(kind, text)
    Name.objects.get_or_create(id=number, defaults={"kind": kind, "text": text})
    return number


def receiver(text: str) -> int:
    return name(NameKind.RECEIVER, text)


def count(slot: int, figures: Figures, seconds: int = SLOT_SECONDS) -> None:
    """Have these figures in the log."""
    id_, *_, content = new_row(slot, seconds, figures)
    Tally.objects.create(id=id_, slot=slot, seconds=seconds, content=content)


def calls(number: int, failed: int = 0, ms: float = 1.0) -> Measure:
    """So many calls that took as long each."""
    measure = Measure()
    for index in range(number):
        measure.add(int(ms * 1e6), index < failed)
    return measure


def called(
    slot: int, text: str, number: int, failed: int = 0, exception: str = POINTS, **more: Any
) -> None:
    """Have calls of a receiver in the log, and as many dispatches."""
    figures = Figures()
    figures.signals[name(NameKind.SIGNAL, "shop.signals.order_placed")] = calls(number, failed)
    figures.receivers[receiver(text)] = calls(number, failed)
    if failed:
        key = receiver(text), name(NameKind.EXCEPTION, exception)
        at = (slot + 7) * 1_000_000
        figures.failures[key] = Failures(count=failed, first_us=at, last_us=at + 1_000_000, **more)
    count(slot, figures)


def gap(start: int, seconds: float | None, missing: int, **options: Any) -> Gap:
    """A gap in the log."""
    at = datetime.fromtimestamp(start, UTC)
    end = None if seconds is None else datetime.fromtimestamp(start + seconds, UTC)
    values = {"reason": GapReason.DATABASE, "process": "web-1, pid 3991", "key": f"{start}"}
    return Gap.objects.create(
        from_at=at, to_at=end, missing=missing, written_at=at, **(values | options)
    )


def tell(now: int = NOW, *, volume: float = 1.0, more_receivers: int = 0, days: int = 61) -> int:
    """Two months until now, with what the pictures show; how many dispatches that are."""
    chance = random.Random(42)
    many = RECEIVERS + [
        Receiver(
            f"shop.parts.part_{i}.on_order",
            chance.uniform(0.2, 60),
            0.3,
            chance.random(),
            samples=4,
        )
        for i in range(more_receivers)
    ]
    total = 0
    rows = []
    signals = {name(NameKind.SIGNAL, text): share for text, share in SIGNALS.items()}
    numbers = [receiver(each.name) for each in many]
    for slot, seconds in _slots(now, days):
        figures = Figures()
        length = min(seconds, now - slot)
        number = max(int(_busy(slot, seconds) * length / HOUR * volume), 1)
        total += number
        for key, share in signals.items():
            measure = _timed(int(number * share), 1.6, 1.9, chance)
            measure.failed = int(number * share * 0.0015 * chance.random() * 2)
            figures.signals[key] = measure
        for key, each in zip(numbers, many, strict=True):
            times = int(number * each.share * 0.1)
            figures.receivers[key] = _timed(times, each.p50, each.spread, chance, each.samples)
        rows.append(Tally(**dict(zip(("id", "slot", "seconds", "content"),
                    new_row(slot, seconds, _with_failures(figures, slot, seconds, now)),
                    strict=True))))  # fmt: skip
    Tally.objects.bulk_create(rows)
    return total


def _slots(now: int, days: int) -> Iterator[tuple[int, int]]:
    """The slots as the rollup leaves them."""
    slot = slot_of(now - days * DAY, DAY)
    while slot <= now:
        seconds = LONGEST
        for (level, kept), following in zip(LEVELS, (HOUR, 6 * HOUR, DAY), strict=True):
            if slot_of(slot, following) + following > now - kept:
                seconds = level
                break
        yield slot, seconds
        slot += seconds


def _busy(slot: int, seconds: int) -> float:
    """Dispatches per hour at this time of day."""
    hour = ((slot + seconds / 2) % DAY) / HOUR
    return 1_900 + 1_700 * math.sin((hour - 11) / 24 * 2 * math.pi)


def _timed(
    number: int, p50: float, spread: float, chance: random.Random, samples: int = 60
) -> Measure:
    measure = Measure()
    samples = min(number, samples)
    for index in range(samples):
        # Each sample stands for several calls.
        ms = p50 * math.exp(chance.gauss(0, spread))
        nanoseconds = int(ms * 1e6)
        times = number // samples + (index < number % samples)
        bucket = bucket_of(nanoseconds)
        measure.count += times
        measure.total_ns += nanoseconds * times
        measure.longest_ns = max(measure.longest_ns, nanoseconds)
        measure.buckets[bucket] = measure.buckets.get(bucket, 0) + times
    return measure


def _with_failures(figures: Figures, slot: int, seconds: int, now: int) -> Figures:
    points_from = now - 51 * 60
    fraud_from = now - 96 * 60
    crm_from, crm_to = now - 15 * HOUR, now - 14 * HOUR
    end = slot + seconds
    if end > points_from and seconds == SLOT_SECONDS:
        first = max(slot, points_from)
        _fail(figures, RECEIVERS[5].name, POINTS, 0.96, first, end, Failures())
    if end > fraud_from and seconds == SLOT_SECONDS:
        first = max(slot, fraud_from)
        _fail(figures, RECEIVERS[6].name, ABUSE, 0.14, first, end, Failures(raised=1, skipped=2))
    if crm_from < end and slot < crm_to:
        _fail(figures, RECEIVERS[1].name, TIMEOUT, 0.12, max(slot, crm_from), end, Failures())
    return figures


def _fail(
    figures: Figures, text: str, exception: str, share: float, first: int, end: int, each: Failures
) -> None:
    measure = figures.receivers[receiver(text)]
    failed = max(int(measure.count * share), 1)
    measure.count = max(measure.count, failed)
    measure.failed = failed
    figures.failures[receiver(text), name(NameKind.EXCEPTION, exception)] = Failures(
        failed,
        first * 1_000_000,
        (end - 1) * 1_000_000,
        each.raised * failed,
        each.skipped * failed,
        each.raised * failed,
    )
    signal = next(iter(figures.signals.values()))
    signal.failed += failed
