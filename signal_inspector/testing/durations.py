"""How long receivers took in a run of tests, for ``--signal-durations``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Outcome
from signal_inspector.sinks import Sink


@dataclass(slots=True)
class Duration:
    """What all calls of one receiver took."""

    calls: int = 0
    total_ns: int = 0
    max_ns: int = 0
    worst: str = ""  # the test in which that was

    def add(self, calls: int, total_ns: int, max_ns: int, worst: str) -> None:
        """Add some more calls."""
        self.calls += calls
        self.total_ns += total_ns
        if max_ns > self.max_ns or not self.worst:
            self.max_ns, self.worst = max_ns, worst


class DurationSink(Sink):
    """Adds up the times of receivers by their names; keeps no record."""

    def __init__(self) -> None:
        self.test = ""  # the one that runs
        self._by_receiver: dict[str, Duration] = {}

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        for call in dispatch.calls:
            if call.timed and call.outcome not in (Outcome.SKIPPED, Outcome.RUNNING):
                known = self._by_receiver.setdefault(call.receiver, Duration())
                known.add(1, call.duration_ns, call.duration_ns, self.test)

    def as_dict(self) -> dict[str, dict[str, int | str]]:
        """Plain data, which another process can take."""
        return {name: asdict(known) for name, known in self._by_receiver.items()}

    def merge(self, plain: dict[str, dict[str, int | str]]) -> None:
        """Add what another process has added up."""
        for name, known in plain.items():
            self._by_receiver.setdefault(name, Duration()).add(**known)  # type: ignore[arg-type]

    def lines(self, count: int) -> list[str]:
        """The ``count`` receivers that took most in all, as a table; all of them for 0."""
        slowest = sorted(self._by_receiver.items(), key=lambda item: -item[1].total_ns)
        if not slowest:
            return ["no receiver was called"]
        return list(_table(slowest[: count or None]))


def _table(rows: Iterable[tuple[str, Duration]]) -> Iterable[str]:
    yield f"{'total':>10}  {'max':>10}  {'calls':>7}  receiver, and the test of its longest call"
    for name, known in rows:
        total, most = (f"{ns / 1e6:,.1f} ms" for ns in (known.total_ns, known.max_ns))
        worst = f"  {known.worst}" if known.worst else ""
        yield f"{total:>10}  {most:>10}  {known.calls:>7}  {name}{worst}"
