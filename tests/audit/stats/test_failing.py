"""``signal_inspector.audit.stats.overview``: which receivers started failing, and since when."""

from __future__ import annotations

import pytest

from signal_inspector.audit.models import NameKind
from signal_inspector.audit.stats.overview import (
    Counts,
    Span,
    Started,
    _chance,
    read,
    started_failing,
)
from tests.audit.stats.story import ABUSE, DAY, HOUR, NOW, POINTS, called, name, receiver

pytestmark = pytest.mark.django_db
WHO = "loyalty.receivers.award_points"
SLOT = NOW // 300 * 300


def found(key: str = "24h") -> list[Started]:
    return started_failing(read(Span(key, NOW), "default"))


def usual(failed: int = 0, number: int = 1_000, days: int = 20) -> None:
    """It was called every day, and so many of all these calls failed."""
    for day in range(2, days):
        share = failed // (days - 2) + (day - 2 < failed % (days - 2))
        called((NOW - day * DAY) // 300 * 300, WHO, number, share)


def test_nothing() -> None:
    """Nobody fails in a log without failures, nor in an empty one."""
    assert found() == []
    usual()
    called(SLOT, WHO, 10)
    assert found() == []


def test_first_failures() -> None:
    """A receiver that never failed before is told with its first failure, and how it is now."""
    usual()
    called(SLOT - 600, WHO, 10)
    called(SLOT - 300, WHO, 10, 4)
    called(SLOT, WHO, 6, 5)
    [started] = found()
    assert started.receiver == receiver(WHO)
    assert started.since_us == (SLOT - 300 + 7) * 1_000_000
    assert started.now == Counts(6, 5)  # since the first slot wholly after the first failure
    assert started.before == Counts(18_010, 0)
    assert started.exceptions.keys() == {name(NameKind.EXCEPTION, POINTS)}
    assert not started.is_recovered


def test_as_ever() -> None:
    """One that fails as rarely as it always did has not started to."""
    usual(failed=180)
    called(SLOT - 300, WHO, 100, 1)
    called(SLOT, WHO, 100, 2)
    assert found() == []


def test_more_than_ever() -> None:
    """One that fails far more often than it did has, and what it did before is told."""
    usual(failed=18)
    called(SLOT - 300, WHO, 100, 1)
    called(SLOT, WHO, 100, 40)
    [started] = found()
    assert started.since_us // 1_000_000 // 300 * 300 in (SLOT - 300, SLOT)
    assert started.before.failed >= 18


@pytest.mark.parametrize("key", ["1h", "24h", "7d", "30d"])
def test_began_before_the_span(key: str) -> None:
    """When it began is the same whatever time is looked at."""
    usual(failed=3)
    began = SLOT - 5 * HOUR
    for slot in range(began, SLOT + 1, 300):
        called(slot, WHO, 20, 3, ABUSE, raised=3, skipped=6)
    [started] = found(key)
    assert started.since_us == (began + 7) * 1_000_000
    assert started.before == Counts(18_000, 3)
    assert (started.together.raised, started.together.skipped) == (183, 366)


def test_recovered() -> None:
    """It has recovered when it would have failed again by now; then calls since are told."""
    usual()
    called(SLOT - 3 * HOUR, WHO, 20, 10)
    called(SLOT - 2 * HOUR, WHO, 5)
    [started] = found()
    assert not started.is_recovered  # five calls without a failure say little
    called(SLOT - HOUR, WHO, 5)
    [started] = found()
    assert started.is_recovered
    assert started.now == Counts(10, 0)
    assert started.now_from == SLOT - 2 * HOUR


def test_order() -> None:
    """Those that fail now come first, then the latest."""
    for number, ago in enumerate((9, 5, 7)):
        called(SLOT - ago * HOUR, f"shop.on_{number}", 10, 10)
    called(SLOT - HOUR, "shop.on_1", 50)
    assert [each.receiver for each in found()] == [receiver(f"shop.on_{n}") for n in (2, 0, 1)]


def test_not_in_this_time() -> None:
    """What failed before the time that is looked at, and not in it, is not told."""
    called(SLOT - 3 * HOUR, WHO, 10, 10)
    assert found("1h") == []
    assert len(found("24h")) == 1


@pytest.mark.parametrize(
    ("failed", "expected", "chance"),
    [
        (1, 0.0, 0.0),
        (0, 0.5, 1.0),
        (1, 0.1, 0.0951626),
        (3, 0.5, 0.0143877),
        (2, 1.0, 1.0 - 0.735759),
    ],
)
def test_chance(failed: int, expected: float, chance: float) -> None:
    """The chance of at least so many failures is Poisson's."""
    assert _chance(failed, expected) == pytest.approx(chance, abs=1e-6)


def test_chance_of_many() -> None:
    """Large numbers are judged without adding up thousands of terms."""
    assert _chance(5_000, 100.0) == 0.0
    assert _chance(100_100, 100_000.0) == 1.0
