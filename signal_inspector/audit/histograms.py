"""Durations counted on a scale of ratios, so that percentiles can be read and counts be added.

Eight buckets for each doubling: a percentile is read as the middle of the bucket that holds it,
and so is off by a sixteenth of its value at most (``ERROR``), whatever was added up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

#: The largest relative error of ``percentile``.
ERROR: Final = 1 / 16
_EXACT: Final = 16  # smaller numbers have a bucket each


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

    Of n durations in order it is the one numbered ``ceil(share * n)``. ``longest`` is the longest
    of all, where that is known: no percentile is longer.
    """
    total = sum(buckets.values())
    if not total:
        return None
    rank = max(math.ceil(share * total), 1)
    passed = 0
    found = 0
    for bucket in sorted(buckets):
        passed += buckets[bucket]
        if passed >= rank:
            found = sum(bounds(bucket)) // 2
            break
    return found if longest is None else min(found, longest)
