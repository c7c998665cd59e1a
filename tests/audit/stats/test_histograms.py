"""``signal_inspector.audit.stats.counts``: durations in buckets, and percentiles of them."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector.audit.stats.counts import ERROR, bounds, bucket_of, percentile


def exact(durations: list[int], share: float) -> int:
    return sorted(durations)[max(math.ceil(share * len(durations)), 1) - 1]


def counted(durations: list[int]) -> dict[int, int]:
    buckets: dict[int, int] = {}
    for duration in durations:
        bucket = bucket_of(duration)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    return buckets


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_bounds_hold(number: int) -> None:
    """Every duration lies in the bounds of its bucket, and the next bucket begins after them."""
    low, high = bounds(bucket_of(number))
    assert low <= number <= high
    assert bucket_of(high + 1) == bucket_of(number) + 1


@given(
    st.lists(st.integers(min_value=1, max_value=10**13), min_size=1, max_size=200),
    st.floats(min_value=0, max_value=1),
)
def test_error_is_bounded(durations: list[int], share: float) -> None:
    """A percentile is off by no more than is promised, whatever the durations are."""
    told = percentile(counted(durations), share, max(durations))
    wanted = exact(durations, share)
    assert told is not None
    assert abs(told - wanted) <= ERROR * wanted


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_against_exact(share: float) -> None:
    """p50, p95 and p99 of 20,000 durations as receivers have them are right to within 6.25%."""
    chance = random.Random(7)
    durations = [int(chance.lognormvariate(16, 1.5)) for _ in range(20_000)]
    told = percentile(counted(durations), share)
    assert told == pytest.approx(exact(durations, share), rel=ERROR)


def test_one() -> None:
    """One duration is every percentile of itself, and nothing has none."""
    buckets = counted([1_234_567])
    assert percentile(buckets, 0.5, 1_234_567) == pytest.approx(1_234_567, rel=ERROR)
    assert percentile({}, 0.5) is None


def test_negative() -> None:
    """A clock that was set back counts as no time."""
    assert percentile(counted([-5]), 0.5) == 0
