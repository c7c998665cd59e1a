"""What the table of figures says; the figures themselves are `make bench`."""

from __future__ import annotations

import pytest

from tests.benchmarks import contest
from tests.benchmarks.measure import ratio
from tests.benchmarks.rows import MARGIN, Row, rows_of, table


def row(measured: float, **goals: float | bool) -> Row:
    return Row("recording", 1, 1000.0, measured, **goals)  # type: ignore[arg-type]


class TestVerdict:
    @pytest.mark.parametrize(
        ("measured", "verdict"),
        [(1.4, "aim"), (1.5, "aim"), (1.6, "ok"), (2.0, "ok"), (2.1, "within noise")],
    )
    def test_of_what_is_near_enough(self, measured: float, verdict: str) -> None:
        """A ratio up to the aim, to the must, or to the noise above it, is told apart."""
        figure = row(measured, must=2.0, aim=1.5)
        assert (figure.verdict, figure.is_near) == (verdict, True)

    def test_of_what_is_not(self) -> None:
        """A ratio beyond the noise is missed."""
        figure = row(2.0 * (1 + MARGIN) + 0.01, must=2.0, aim=1.5)
        assert (figure.verdict, figure.is_near) == ("MISSED", False)

    @pytest.mark.parametrize(
        ("measured", "verdict"), [(6.0, "ok"), (4.9, "within noise"), (3.0, "MISSED")]
    )
    def test_where_more_is_better(self, measured: float, verdict: str) -> None:
        """A goal that is a minimum is missed from below."""
        assert row(measured, must=5.0, at_least=True).verdict == verdict

    def test_without_a_goal(self) -> None:
        """A figure for information has no verdict and misses nothing."""
        assert (row(99.0).verdict, row(99.0).is_near) == ("", True)


class TestRows:
    def test_are_ratios_to_bare_django_of_the_same_round(self) -> None:
        """The ratio is the median of the rounds' ratios, not the ratio of medians."""
        assert ratio([2.0, 90.0, 3.0], [1.0, 30.0, 3.0]) == 2.0

    def test_have_the_goals_of_their_case(self) -> None:
        """A contestant's goals are those of the design for this number of receivers."""
        rows = rows_of({contest.BARE: [1.0], contest.CAPTURE: [1.6]}, 5)
        assert [(each.ratio, each.must, each.aim) for each in rows] == [
            (1.0, None, None),
            (1.6, 1.8, 1.5),
        ]

    def test_set_sentry_against_ours(self) -> None:
        """Where both were timed a row says how many times slower sentry-sdk is."""
        taken = {contest.BARE: [1.0], contest.CAPTURE: [2.0], contest.SENTRY: [12.0]}
        last = rows_of(taken, 1)[-1]
        assert (last.ratio, last.must, last.at_least) == (6.0, 5.0, True)

    def test_are_printed_with_their_goals_and_verdicts(self) -> None:
        """A line has the case, its figures, its goals and what to think of it."""
        line = table([row(1.6, must=2.0, aim=1.5)]).splitlines()[-1]
        assert line.split() == ["recording", "1", "1,000", "1.60", "≤2.00", "1.50", "ok"]
