"""``signal_inspector.audit.stats.counts``: what the writer counts, on the tests' database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from signal_inspector import capture
from signal_inspector.audit.destinations.database import writing
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.lookups import number_of
from signal_inspector.audit.models import AuditedDispatch, Ending, NameKind, Origin, Tally
from signal_inspector.audit.rows import Rows
from signal_inspector.audit.stats import rollup
from signal_inspector.audit.stats.counts import Figures, slot_of
from signal_inspector.audit.stats.rollup import _own
from signal_inspector.core import internal_errors
from tests.audit.rows_made import (
    dispatched,
    many_rows,
    on_order,
    on_order_badly,
    with_calls,
    with_column,
)
from tests.audit.rows_made import rows_of as rows_of_dispatch

GOOD = number_of(NameKind.RECEIVER, "tests.audit.rows_made.on_order")
BAD = number_of(NameKind.RECEIVER, "tests.audit.rows_made.on_order_badly")
ERROR = number_of(NameKind.EXCEPTION, "ValueError")


@pytest.fixture(autouse=True)
def _as_new() -> Iterator[None]:
    forget_names()
    _own.clear()
    yield
    _own.clear()
    forget_names()


def figures() -> Figures:
    """All that is counted."""
    together = Figures()
    for content in Tally.objects.values_list("content", flat=True):
        together.merge_encoded(content)
    return together


def started(rows: Rows, unix_seconds: int) -> Rows:
    return with_column(rows, "started_at", unix_seconds * 1_000_000)


@pytest.mark.django_db(transaction=True)
class TestCounted:
    def test_batch(self) -> None:
        """A batch is counted: dispatches, calls, failures, with what they took."""
        batch = many_rows(5)
        write(batch, "default")
        found = figures()
        together = found.dispatches()
        assert (together.count, together.failed) == (5, 5)
        assert together.total_ns == sum(rows.dispatch.duration_ns for rows in batch)
        assert together.longest_ns == max(rows.dispatch.duration_ns for rows in batch)
        assert (found.receivers[GOOD].count, found.receivers[GOOD].failed) == (5, 0)
        assert (found.receivers[BAD].count, found.receivers[BAD].failed) == (5, 5)
        failures = found.failures[BAD, ERROR]
        times = [rows.dispatch.started_at for rows in batch]
        assert (failures.count, failures.raised) == (5, 0)
        assert (failures.first_us, failures.last_us) == (min(times), max(times))

    def test_repeated(self) -> None:
        """What is written again, in whatever batches, is not counted again."""
        batch = many_rows(6)
        write(batch[:4], "default")
        write(batch, "default")
        write(batch[3:], "default")
        assert figures().dispatches().count == 6 == AuditedDispatch.objects.count()
        assert figures().receivers[GOOD].count == 6

    def test_repeated_without_copy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor is it where rows come in by INSERT and the driver does not tell of conflicts."""
        monkeypatch.setattr(writing, "can_copy", lambda *args: False)
        monkeypatch.setattr(writing, "tells_of_conflicts", lambda *args: False)
        batch = many_rows(5)
        write(batch[:3], "default")
        write(batch, "default")
        assert figures().dispatches().count == 5

    def test_refused(self) -> None:
        """A dispatch that the database refuses is not counted; its batch is."""
        batch = many_rows(4)
        batch[2] = with_column(batch[2], "method", None)
        assert write(batch, "default").count == 3
        assert figures().dispatches().count == 3

    def test_rolled_back(self) -> None:
        """What is rolled back with somebody's transaction is not counted either."""
        with transaction.atomic():
            write(many_rows(1), "default")
            transaction.set_rollback(True)
        assert not Tally.objects.exists()

    def test_skipped(self) -> None:
        """Receivers that never ran are no calls; the failure tells how many it stopped."""

        def run() -> Rows:
            from django.dispatch import Signal

            signal = Signal()
            signal.connect(on_order_badly, weak=False)
            signal.connect(on_order, weak=False)
            with capture() as found, pytest.raises(ValueError, match="no stock"):
                signal.send("the till")
            return rows_of_dispatch(found[0])

        write([run()], "default")
        found = figures()
        assert GOOD not in found.receivers
        [failures] = found.failures.values()
        assert (failures.raised, failures.skipped) == (1, 1)

    def test_retries(self) -> None:
        """What somebody ran again is counted apart, and no failure of a receiver."""
        batch = many_rows(3)
        batch[1] = with_column(batch[1], "origin", int(Origin.RETRY))
        write(batch, "default")
        found = figures()
        assert (found.dispatches().count, found.dispatches().failed) == (2, 2)
        assert (found.retries.count, found.retries.failed) == (1, 1)
        assert (found.receivers[BAD].count, found.failures[BAD, ERROR].count) == (2, 2)

    def test_running(self) -> None:
        """A receiver that still ran was called; nobody knows how long it took."""
        rows = rows_of_dispatch(dispatched(on_order))
        write([with_calls(rows, outcome=[int(Ending.RUNNING)], duration_ns=[7])], "default")
        measure = figures().receivers[GOOD]
        assert (measure.count, measure.total_ns, measure.buckets) == (1, 0, {})

    def test_slots(self) -> None:
        """Each dispatch is counted in the slot in which it started, late ones too."""
        first, second = many_rows(2)
        write([started(first, 1_700_000_123), started(second, 1_600_000_000)], "default")
        slots = set(Tally.objects.values_list("slot", "seconds"))
        assert slots == {(slot_of(1_700_000_123), 300), (slot_of(1_600_000_000), 300)}

    def test_failure_of_ours(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If counting fails, the dispatches are written all the same, and it is told."""
        told: list[str] = []
        monkeypatch.setattr(internal_errors, "report", lambda what, error: told.append(what))

        def fail(*args: Any) -> None:
            raise RuntimeError("ours")

        monkeypatch.setattr(rollup, "tallied", fail)
        assert write(many_rows(2), "default").count == 2
        assert AuditedDispatch.objects.count() == 2
        assert len(told) == 1

    def test_own_parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A process makes one row of its own now and then, and what they count stays."""
        monkeypatch.setattr(rollup, "_PARTS", 5)
        now = slot_of(1_700_000_000)
        for rows in many_rows(23):
            write([started(rows, now)], "default")
        assert Tally.objects.count() < 10
        assert figures().dispatches().count == 23


def test_encoded() -> None:
    """What is stored is what was counted."""
    one, other = Figures(), Figures()
    one.signals[1].add(1_000, False)
    one.signals[1].add(5_000_000, True)
    one.receivers[2**63 - 1].add(70, True)
    one.receivers[3].add(0, False, False)
    one._failures(3, 0).add(17, True, 2, True)
    one.retries.add(900, True)
    other.merge_encoded(one.encoded())
    assert other.encoded() == one.encoded()
    assert other.signals == one.signals
    assert other.failures == one.failures


def test_unknown_format() -> None:
    """A row of another version is refused, not misread."""
    with pytest.raises(ValueError, match="unknown format"):
        Figures().merge_encoded('{"v": 2}')


def test_one_of_a_kind() -> None:
    """A dispatch that nobody received is counted for its signal alone."""
    rows = rows_of_dispatch(dispatched())
    found = Figures()
    found.add(1, rows.dispatch, [])
    assert found.dispatches().count == 1
    assert not found.receivers
