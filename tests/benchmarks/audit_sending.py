"""What the audit adds to a send, by the way it is delivered, beside bare Django.

Two figures per send: processor time of the sender's own thread, and time by the clock, which has
the waiting for disks and servers in it, and for the writer's thread where both want to run Python.
What the writer does by itself is not the sender's: it is in the rows a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from statistics import median
from time import perf_counter_ns, thread_time_ns
from typing import Any, Final

from django.db import transaction
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector.audit import sink
from signal_inspector.audit.attribution.circumstances import audit_circumstances
from signal_inspector.audit.delivery.base import Delivery
from signal_inspector.audit.delivery.current import delivery_class, process
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.settings import get_settings
from signal_inspector.core.listening.sinks import remove_sink
from tests.benchmarks import contest
from tests.benchmarks.measure import FIRST, SENDS, Contestant, Effort, Sender, measure, ratio

#: Microseconds of the sender's processor that a buffered dispatch with five receivers may add,
#: and those to aim at, where no payload is kept.
MUST: Final = 10.0
AIM: Final = 5.0
MARGIN: Final = 0.1  # by which a figure may miss its must on a machine that others share
RECEIVERS: Final = (1, 5, 20)


@dataclass
class Way:
    """One way to deliver, with its delivery, which lives as long as the measurement."""

    name: str
    delivery: str
    using: str = "default"
    payload: str = "none"
    within: Callable[[], AbstractContextManager[Any]] = nullcontext
    spool: Path | None = None
    #: Whether a send waits for a database: fewer are timed.
    is_slow: bool = False
    _made: Delivery | None = field(default=None, init=False)

    @contextmanager
    def around(self) -> Iterator[None]:
        """Audit in this way; what was taken is written afterwards, and nothing may be lost."""
        audit = {
            "DATABASE": self.using,
            "DELIVERY": self.delivery,
            "RULES": {"*": {"PAYLOAD": self.payload}},
            "SPOOL_DIR": str(self.spool or ""),
        }
        with override_settings(SIGNAL_INSPECTOR={"AUDIT": audit}):
            if self._made is None:
                self._made = delivery_class(self.delivery)(get_settings())
            process.use(self._made)
            listening = sink.listen()
            try:
                with audit_circumstances(origin="request", name="POST /checkout/"), self.within():
                    yield
            finally:
                remove_sink(listening)
                process.use(None)
                assert self._made.flush(60), f"{self.name}: not written"
                assert not losses.has_news, f"{self.name}: lost some"

    def close(self) -> None:
        """End its thread."""
        if self._made is not None:
            self._made.close(60)


@dataclass(frozen=True)
class Added:
    """One line of the table; times in microseconds."""

    case: str
    receivers: int
    processor: float
    clock: float
    ratio: float  # of processor time to bare Django's
    has_goal: bool = False

    @property
    def is_near(self) -> bool:
        return not self.has_goal or self.processor <= MUST * (1 + MARGIN)

    @property
    def verdict(self) -> str:
        if not self.has_goal:
            return ""
        if self.processor > MUST:
            return "within noise" if self.is_near else "MISSED"
        return "aim" if self.processor <= AIM else "ok"


def ways(directory: Path, servers: Sequence[str]) -> list[Way]:
    """What is measured: on SQLite, and on the servers of these aliases.

    A writer of its own never shares a SQLite file with others, so it has one for itself.
    """
    found = [
        Way("buffered", "buffered", "log"),
        Way("buffered, with payload", "buffered", "log", payload="full"),
        Way("spooled", "spooled", "log", spool=directory / "spool"),
        Way("after the transaction, SQLite", "after_transaction", is_slow=True),
        Way("inline, SQLite", "inline", within=transaction.atomic, is_slow=True),
    ]
    for server in servers:
        found += [
            Way(f"buffered, {server}", "buffered", server),
            Way(
                f"inline, {server}",
                "inline",
                server,
                within=lambda server=server: transaction.atomic(using=server),  # type: ignore[misc]
                is_slow=True,
            ),
        ]
    return found


def measured(cases: Sequence[Way], effort: Effort, attempts: int) -> Iterator[Added]:
    """The lines of the table; one with a goal that is missed is measured again."""
    for receivers in RECEIVERS:
        quick = [way for way in cases if not way.is_slow]
        lines = _contest(quick, receivers, effort)
        for _ in range(attempts):
            if all(line.is_near for line in lines):
                break
            lines = _contest(quick, receivers, effort)
        yield from lines
        slow = [way for way in cases if way.is_slow]
        yield from _contest(slow, receivers, Effort(rounds=effort.rounds // 2, turns=1))[1:]


def _contest(cases: Sequence[Way], receivers: int, effort: Effort) -> list[Added]:
    signal = contest.SIGNALS[receivers]
    clocks: dict[str, list[int]] = {}
    contestants = [
        _contestant(contest.BARE, contest.bare_send(), signal, nullcontext, clocks),
        *(_contestant(way.name, Signal.send, signal, way.around, clocks) for way in cases),
    ]
    taken = measure(contestants, effort)
    bare = taken[contest.BARE]
    waited = {name: median(each) for name, each in clocks.items()}
    return [
        Added(
            name,
            receivers,
            _difference(times, bare) / 1_000,
            (waited[name] - waited[contest.BARE] * (name != contest.BARE)) / SENDS / 1_000,
            ratio(times, bare),
            has_goal=(name, receivers) == ("buffered", 5),
        )
        for name, times in taken.items()
    ]


def _difference(times: list[float], bare: list[float]) -> float:
    """The median of the rounds' differences; bare Django's own is its whole time."""
    if times is bare:
        return median(bare)
    return median(ours - theirs for ours, theirs in zip(times, bare, strict=True))


def _contestant(
    name: str,
    send: Callable[..., Any],
    signal: Signal,
    around: Callable[[], AbstractContextManager[Any]],
    clocks: dict[str, list[int]],
) -> Contestant:
    clock = clocks[name] = []

    def take() -> int:
        with around():
            for _ in repeat(None, FIRST):
                send(signal, Sender, number=1)
            since, began = perf_counter_ns(), thread_time_ns()
            for _ in repeat(None, SENDS):
                send(signal, Sender, number=1)
            spent = thread_time_ns() - began
            clock.append(perf_counter_ns() - since)
            return spent

    return Contestant(name, take)


def table(lines: Sequence[Added]) -> str:
    """The lines for people."""
    head = f"{'added to a send, in µs':<32} {'receivers':>9} {'processor':>10} {'clock':>9}"
    head += f" {'ratio':>7} {'must':>6} {'aim':>5}"
    shown = [head, "-" * (len(head) + 14)]
    for line in lines:
        goal = f"{f'≤{MUST:.0f}':>6} {AIM:>5.0f}" if line.has_goal else " " * 12
        shown.append(
            f"{line.case:<32} {line.receivers:>9} {line.processor:>10.2f} {line.clock:>9.1f} "
            f"{line.ratio:>7.2f} {goal}  {line.verdict}".rstrip()
        )
    return "\n".join(shown)
