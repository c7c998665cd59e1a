"""What went wrong inside the inspector: logged once per kind, counted always, raised never.

What it dropped is counted beside.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterable
from threading import RLock

logger = logging.getLogger("signal_inspector")

_counts: Counter[str] = Counter()
_drops: Counter[str] = Counter()
_known_failures: set[str] = {"opening a record", "closing a record", "recording an exception"}
_known_drops: set[str] = {"dispatches"}
_lock = RLock()


def _after_fork() -> None:
    global _lock
    _lock = RLock()  # the thread that held it is not in the child


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_after_fork)


def report(kind: str, error: BaseException) -> None:
    """Count a failure of ours; log the first of its kind, with its traceback.

    ``kind`` names the place that failed ("payload", "sink shop.sinks.Audit"), so that a failure
    on every dispatch fills no log. Must be called while ``error`` is being handled or after.
    """
    with _lock:
        _counts[kind] += 1
        first = _counts[kind] == 1
    if first:
        logger.error(
            "Signal Inspector failed in %s; further failures of this kind are only counted. "
            "The signal was sent as usual.",
            kind,
            exc_info=error,
        )


def tell(kind: str, text: str) -> None:
    """The same of a failure that a sentence explains better than a traceback."""
    with _lock:
        _counts[kind] += 1
        first = _counts[kind] == 1
    if first:
        logger.error("Signal Inspector: %s", text)


def announce(*, failures: Iterable[str] = (), drops: Iterable[str] = ()) -> None:
    """Let these kinds be known, at 0, before the first of them: an alert compares with that."""
    with _lock:
        _known_failures.update(failures)
        _known_drops.update(drops)


def counts() -> dict[str, int]:
    """How often each kind of failure happened in this process."""
    with _lock:
        return dict(_counts)


def drop(kind: str, count: int = 1) -> None:
    """Count what is not kept as a limit was reached: no failure, but something is missing."""
    with _lock:
        _drops[kind] += count


def drops() -> dict[str, int]:
    """How much of each kind was dropped in this process."""
    with _lock:
        return dict(_drops)


def known_counts() -> dict[str, int]:
    """The same as ``counts``, with those that are announced and have not happened."""
    with _lock:
        return dict.fromkeys(_known_failures, 0) | _counts


def known_drops() -> dict[str, int]:
    """The same as ``drops``, with those that are announced and have not happened."""
    with _lock:
        return dict.fromkeys(_known_drops, 0) | _drops


def reset() -> None:
    """Forget all counts, so that the next failure of each kind is logged again (for tests)."""
    with _lock:
        _counts.clear()
        _drops.clear()
