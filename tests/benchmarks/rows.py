"""The table of goals, and what was measured beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Final

from tests.benchmarks import contest
from tests.benchmarks.measure import ratio

#: By how much a figure may miss its "must" before that counts. Other work on the machine shares
#: its caches, and recording touches more memory than bare Django: up to a tenth was seen.
MARGIN: Final = 0.1

#: The same for a ratio of two that touch as much memory.
CLOSE_MARGIN: Final = 0.05

#: By contestant and number of receivers: the ratio to bare Django that must be reached, and the
#: one to aim at.
GOALS: Final[dict[tuple[str, int], tuple[float, float]]] = {
    (contest.IDLE, 0): (0.75, 0.6),
    (contest.IDLE, 1): (1.05, 0.95),
    (contest.IDLE, 5): (1.02, 0.95),
    (contest.IDLE, 20): (1.00, 0.95),
    (f"asend: {contest.IDLE}", 0): (1.05, 0.9),
    (contest.CAPTURE, 1): (2.2, 1.5),
    (contest.CAPTURE, 5): (1.8, 1.5),
    (contest.CAPTURE, 20): (1.7, 1.5),
    (contest.COLLECTOR, 1): (2.2, 1.5),
    (contest.COLLECTOR, 5): (1.8, 1.5),
    (contest.COLLECTOR, 20): (1.7, 1.5),
    (contest.WATCHABLE, 1): (1.5, 1.25),
    (contest.WATCHABLE, 5): (1.2, 1.1),
    (contest.WATCHABLE, 20): (1.1, 1.05),
    (contest.API_ONLY, 5): (1.5, 1.2),
    (contest.UNSAMPLED, 5): (2.6, 2.0),
}

#: How many times slower than ours recording sentry-sdk's instrumentation must be at least.
SENTRY_MUST: Final = 5.0

#: Microseconds that may be added to ``connect()``, and those to aim at.
CONNECTING_GOALS: Final = (6.0, 5.0)

#: By number of receivers: how many times what is written by hand our spans may cost.
BY_HAND_GOALS: Final[dict[int, tuple[float, float]]] = {5: (1.1, 1.0)}


@dataclass
class Row:
    """One figure: a ratio, or the microseconds added, and what it should be."""

    case: str
    receivers: int
    ns: float  # per send
    ratio: float
    must: float | None = None
    aim: float | None = None
    at_least: bool = False  # whether more is better
    margin: float = MARGIN

    @property
    def verdict(self) -> str:
        if self.must is None:
            return ""
        better = self.ratio >= self.must if self.at_least else self.ratio <= self.must
        if not better:
            return "within noise" if self.is_near else "MISSED"
        return "aim" if self.aim is not None and self.ratio <= self.aim else "ok"

    @property
    def is_near(self) -> bool:
        """Whether it is reached, or missed by less than the noise."""
        if self.must is None:
            return True
        if self.at_least:
            return self.ratio >= self.must * (1 - self.margin)
        return self.ratio <= self.must * (1 + self.margin)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


def rows_of(taken: dict[str, list[float]], receivers: int, *, prefix: str = "") -> list[Row]:
    """A row per contestant of one contest, against bare Django."""
    base = taken[contest.BARE]
    if contest.CONNECTING in taken:  # a ratio would say more of how many receivers there are
        times = taken[contest.CONNECTING]
        added = median(ours - theirs for ours, theirs in zip(times, base, strict=True)) / 1000
        most, aim_at = CONNECTING_GOALS
        return [Row(contest.CONNECTING, receivers, median(times), added, must=most, aim=aim_at)]
    rows = []
    for name, times in taken.items():
        case = prefix + name
        must, aim = GOALS.get((case, receivers), (None, None))
        rows.append(Row(case, receivers, median(times), ratio(times, base), must=must, aim=aim))
    if contest.SENTRY in taken and contest.CAPTURE in taken:
        row = _against(taken, contest.SENTRY, contest.CAPTURE, receivers, "ours recording")
        rows.append(replace(row, must=SENTRY_MUST, at_least=True))
    if contest.SAMPLED in taken and contest.SAMPLED_BY_HAND in taken:
        row = _against(taken, contest.SAMPLED, contest.SAMPLED_BY_HAND, receivers, "by hand")
        must, aim = BY_HAND_GOALS.get(receivers, (None, None))
        rows.append(replace(row, must=must, aim=aim, margin=CLOSE_MARGIN))
    return rows


def _against(
    taken: dict[str, list[float]], subject: str, base: str, receivers: int, base_words: str
) -> Row:
    times = taken[subject]
    case = f"{subject}, against {base_words}"
    return Row(case, receivers, median(times), ratio(times, taken[base]))


def table(rows: list[Row]) -> str:
    """The rows for people."""
    head = f"{'case':<48} {'receivers':>9} {'ns/send':>9} {'ratio':>6} {'must':>6} {'aim':>5}"
    lines = [head, "-" * (len(head) + 14)]
    for row in rows:
        must = "" if row.must is None else f"{'≥' if row.at_least else '≤'}{row.must:.2f}"
        aim = "" if row.aim is None else f"{row.aim:.2f}"
        lines.append(
            f"{row.case:<48} {row.receivers:>9} {row.ns:>9,.0f} {row.ratio:>6.2f} "
            f"{must:>6} {aim:>5}  {row.verdict}"
        )
    return "\n".join(lines)
