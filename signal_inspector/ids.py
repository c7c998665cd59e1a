"""UUIDv7 ids (RFC 9562) made from numbers that are cheap to take during a dispatch.

Taking an id costs a counter step; the UUID itself is put together when somebody reads it.
"""

from __future__ import annotations

import itertools
import os
from uuid import UUID

_COUNTER_BITS = 28
_counter = itertools.count()
next_sequence = _counter.__next__
_process_bits = 0


def _reseed() -> None:
    """Give this process random bits of its own: a forked child shares its parent's counter."""
    global _process_bits
    _process_bits = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)


_reseed()
if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_reseed)


def uuid7(unix_ns: int, sequence: int) -> UUID:
    """The id of the event number ``sequence`` of this process, at ``unix_ns`` nanoseconds.

    48 bits of milliseconds, 12 bits of the fraction of the millisecond (RFC 9562, 6.2, method
    3), 34 random bits of the process, 28 bits of its counter.
    """
    milliseconds, rest = divmod(unix_ns, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    counter_mask = (1 << _COUNTER_BITS) - 1
    counter = (sequence + _process_bits) & counter_mask
    low = (_process_bits & ~counter_mask) | counter
    return UUID(
        int=(milliseconds & ((1 << 48) - 1)) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | low
    )
