"""What is added up while a receiver runs: its queries, and the time of nested dispatches."""

from __future__ import annotations

from signal_inspector.records import Query


class Tally:
    """Queries of one receiver call, as they are counted."""

    __slots__ = ("by_time", "count", "ns", "statements")

    def __init__(self) -> None:
        self.count = 0
        self.ns = 0
        self.by_time = 0  # of `count`, those that another thread or task sent meanwhile
        self.statements: list[Query] = []


class Busy:
    """Time covered by nested dispatches, which may overlap and end in any order.

    Intervals arrive in the order of their ends. Only the latest few stay apart; older ones can
    no longer be overlapped by anything short of a dispatch that outlived all of them.
    """

    __slots__ = ("_folded", "_spans")
    _APART = 32

    def __init__(self) -> None:
        self._folded = 0
        self._spans: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        while self._spans and self._spans[-1][1] >= start:
            earlier, _ = self._spans.pop()
            start = min(start, earlier)
        self._spans.append((start, end))
        if len(self._spans) > self._APART:
            first, last = self._spans.pop(0)
            self._folded += last - first

    @property
    def total(self) -> int:
        """Nanoseconds covered."""
        return self._folded + sum(end - start for start, end in self._spans)
