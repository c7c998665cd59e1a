"""``signal_inspector.audit.stats.rollup``, on the database of the tests."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
from django.db import connection, connections

from signal_inspector.audit.destinations.database.statements import Blame, blame
from signal_inspector.audit.models import Tally
from signal_inspector.audit.stats import rollup
from signal_inspector.audit.stats.counts import Figures
from signal_inspector.audit.stats.rollup import forget_tallies, roll_up, tidy
from tests.audit.rows_made import needs
from tests.audit.stats.story import DAY, HOUR, NOW, calls, count

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _as_new() -> Iterator[None]:
    rollup._own.clear()
    yield
    rollup._own.clear()


def part(slot: int, number: int = 1, seconds: int = 300) -> None:
    figures = Figures()
    figures.signals[1] = calls(number)
    count(slot, figures, seconds)


def slots() -> list[tuple[int, int, int]]:
    """Start, length and number of dispatches of each row."""
    found = []
    for slot, seconds, content in Tally.objects.values_list("slot", "seconds", "content"):
        figures = Figures()
        figures.merge_encoded(content)
        found.append((slot, seconds, figures.dispatches().count))
    return sorted(found)


def test_slot_that_is_over() -> None:
    """The rows of a slot that is over become one with their sum; the present slot is left."""
    present = NOW // 300 * 300
    for number in (1, 2, 4):
        part(present - 300, number)
        part(present, number)
    assert roll_up(connection, NOW) == 2
    assert slots() == [
        (present - 300, 300, 7),
        (present, 300, 1),
        (present, 300, 2),
        (present, 300, 4),
    ]


def test_ages() -> None:
    """Slots become an hour, six hours and a day as they age, on their boundaries."""
    hour, quarter, day = 5 * HOUR, 5 * DAY, 40 * DAY
    for age in (hour, quarter, day):
        start = (NOW - age) // DAY * DAY if age == day else (NOW - age) // HOUR * HOUR
        part(start, 1)
        part(start + 300, 2)
    roll_up(connection, NOW)
    found = {seconds: (slot % seconds, number) for slot, seconds, number in slots()}
    assert found == {3_600: (0, 3), 21_600: (0, 3), 86_400: (0, 3)}


def test_again() -> None:
    """Rolling up what was changes nothing; a late row is added to what is there."""
    old = (NOW - 40 * DAY) // DAY * DAY
    part(old, 3)
    roll_up(connection, NOW)
    assert roll_up(connection, NOW) == 0
    part(old + 7 * HOUR // 300 * 300, 2)
    roll_up(connection, NOW)
    assert slots() == [(old, DAY, 5)]


def test_nothing_is_lost_over_time() -> None:
    """However often it is rolled up while time goes on, every dispatch stays counted once."""
    start = NOW - 20 * DAY
    for hours in range(0, 20 * 24, 7):
        part((start + hours * HOUR) // 300 * 300, 1)
        roll_up(connection, start + hours * HOUR + 400)
    roll_up(connection, NOW)
    assert sum(number for _, _, number in slots()) == len(range(0, 20 * 24, 7))


def test_somebody_was_first() -> None:
    """Rows that are gone when they are to be replaced leave all as it was."""
    part(NOW - HOUR, 3)
    [id_] = Tally.objects.values_list("id", flat=True)
    row = rollup.new_row(NOW - HOUR, 300, Figures())
    with rollup.driver_cursor(connection) as cursor:
        assert not rollup._replace(connection, cursor, [id_, id_ + 1], row)
    assert slots() == [(NOW - HOUR, 300, 3)]


def test_two_at_once() -> None:
    """Two that roll up the same at the same time lose nothing and count nothing twice."""
    needs("postgresql", "mysql")
    for number in range(60):
        part(NOW // 300 * 300 - 300 * (1 + number % 3), 1)
    barrier = threading.Barrier(4)
    blamed: list[Blame] = []

    def run() -> None:
        barrier.wait()
        try:
            roll_up(connections["default"], NOW)
        except Exception as error:  # a deadlock: another time, then
            blamed.append(blame(error, connections["default"]))
        finally:
            connections["default"].close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    roll_up(connection, NOW)
    assert set(blamed) <= {Blame.DATABASE}
    assert [number for _, _, number in slots()] == [20, 20, 20]


def test_fork() -> None:
    """A forked child owns none of its parent's rows, and waits for no thread of it."""
    rollup._own["default"] = rollup._Own(NOW, [1, 2])
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with rollup._lock:
            held.set()
            done.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(60)
    child = os.fork()
    if not child:
        free = rollup._lock.acquire(timeout=1)
        os._exit(0 if free and not rollup._own else 1)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
    assert rollup._own


def test_forget() -> None:
    """Old figures can be deleted, and those that reach into the time to keep stay."""
    part(NOW - 400 * DAY)
    part((NOW - 300 * DAY) // DAY * DAY, 1, DAY)
    assert forget_tallies("default", NOW - 300 * DAY) == 1
    assert len(slots()) == 1


def test_prune_rolls_up_until_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows a slot has, prune leaves one; others do only so many at once."""
    monkeypatch.setattr(rollup, "_MOST", 20)
    present = NOW // 300 * 300
    for _ in range(90):
        part(present - 300)
    assert roll_up(connection, NOW, rollup._MOST) <= 20
    assert tidy(connection, NOW) > 0
    assert slots() == [(present - 300, 300, 90)]
    assert tidy(connection, NOW) == 0
