"""``signal_inspector.display.numbers``: one form of each number."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils import timezone as django_timezone

from signal_inspector.display import numbers

MS = 1_000_000


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (-5, "0 ms"),
        (1, "< 0.1 ms"),
        (49_999, "< 0.1 ms"),
        (50_000, "0.1 ms"),
        (18_312_000, "18.3 ms"),
        (5_471_200_000, "5,471.2 ms"),
        (9_999_900_000, "9,999.9 ms"),
        (10_000_000_000, "10.0 s"),
        (15_000_000_000, "15.0 s"),
    ],
)
def test_durations(nanoseconds: int | None, text: str) -> None:
    """A duration has one decimal, and what is not nothing never reads as nothing."""
    assert numbers.duration(nanoseconds) == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (72.2, 84.2, "from 72.2 to 84.2 ms"),
        (0, 3.5, "from 0 to 3.5 ms"),
        (-1, 0.01, "from 0 to < 0.1 ms"),
        (0, 15_000, "from 0 to 15.0 s"),
        (3.2, 15_000, "from 3.2 ms to 15.0 s"),
        (12_000, 15_000, "from 12.0 to 15.0 s"),
    ],
)
def test_periods(start: float, end: float, text: str) -> None:
    """A period has its unit once, unless the two ends have different ones."""
    assert numbers.period(int(start * MS), int(end * MS)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (41.9, "41 s"),
        (360, "6 min"),
        (362, "6 min 2 s"),
        (11_520, "3 h 12 min"),
        (129_600, "1 day 12 h"),
        (604_800, "7 days"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    """A length of time has its two largest units."""
    assert numbers.length_of_time(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2.9, "2 s ago"),
        (3_100, "51 min ago"),
        (5_799, "1 h 36 min ago"),
        (90_000, "1 day 1 h ago"),
    ],
)
def test_how_long_ago(seconds: float, text: str) -> None:
    """How long ago something was is told without seconds from a minute on."""
    assert numbers.ago(seconds) == text


def test_time_in_all() -> None:
    """Durations together read as one of them below a minute, and as a length of time above."""
    assert numbers.total_time(97 * MS) == "97.0 ms"
    assert numbers.total_time(41_000 * MS) == "41.0 s"
    assert numbers.total_time(362_000 * MS) == "6 min 2 s"


def test_plurals() -> None:
    """A word has an s behind any number but one, unless its plural is given."""
    assert [numbers.plural(n, "row") for n in (0, 1, 5_212)] == ["0 rows", "1 row", "5,212 rows"]
    assert numbers.plural(2, "query", "queries") == "2 queries"
    assert [numbers.dispatch_count(n) for n in (1, 5_212)] == ["1 dispatch", "5,212 dispatches"]
    assert [numbers.more_arguments(n) for n in (1, 3)] == [
        "1 more argument was not kept",
        "3 more arguments were not kept",
    ]


def test_the_column_of_queries_is_empty_without_one() -> None:
    """No query leaves its cell empty."""
    assert numbers.queries(0, 0) == ""
    assert numbers.queries(9_920, 1_874_000_000) == "9,920 in 1,874.0 ms"


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "0%"),
        (0, 9, "0%"),
        (1, 2_000, "< 0.1%"),
        (1, 150, "0.7%"),
        (24, 25, "96%"),
        (9_999, 10_000, "> 99%"),
        (7, 7, "100%"),
    ],
)
def test_shares(part: int, whole: int, text: str) -> None:
    """A share is never rounded to nothing or to all."""
    assert numbers.percent(part, whole) == text


def test_percentiles() -> None:
    """A percentile is a value that occurs: the one that so many do not exceed."""
    assert numbers.percentile(Counter([3, 1, 2]), 0.5) == 2
    assert numbers.percentile(Counter([1, 101]), 0.5) == 1
    assert numbers.percentile(Counter([1, 101]), 0.95) == 101
    assert numbers.percentile(Counter([7] * 99 + [8]), 0.99) == 7
    assert numbers.percentile({}, 0.5) is None


def test_the_clock_is_that_of_the_current_time_zone() -> None:
    """A moment is told to the millisecond, where the reader is."""
    moment = datetime(2026, 11, 22, 10, 14, 7, 410_999, tzinfo=UTC)
    with django_timezone.override(timezone(timedelta(hours=-6))):
        assert numbers.clock(moment) == "2026-11-22 04:14:07.410"
        assert numbers.clock(moment, with_day=False) == "04:14:07.410"
    naive = datetime(2026, 11, 22, 10, 14, 7)
    assert numbers.clock(naive) == "2026-11-22 10:14:07.000"


@pytest.mark.parametrize(("nanoseconds", "text"), [(0, "< 0.1 ms"), (15_000_000_000, "15.0 s")])
def test_what_happened_took_its_time(nanoseconds: int, text: str) -> None:
    """What did happen reads as short, never as nothing: some rooms keep whole microseconds."""
    assert numbers.took(nanoseconds) == text
