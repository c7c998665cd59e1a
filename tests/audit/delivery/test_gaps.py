"""What is missing: counted, written when that is possible, told of; and writers that died."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError
from django.test import override_settings
from django.utils import timezone

from signal_inspector import capture
from signal_inspector.audit import checks
from signal_inspector.audit.attribution import processes
from signal_inspector.audit.delivery import gaps
from signal_inspector.audit.delivery.gaps import Loss, Losses, Register, losses, notice_the_dead
from signal_inspector.audit.models import Gap, GapReason, Writer
from signal_inspector.audit.operations.health import status
from signal_inspector.audit.signals import audit_lost
from signal_inspector.audit.testing import audited
from signal_inspector.core import internal_errors
from tests.audit.rows_made import dispatched, on_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[tuple[GapReason, int, bool]]]:
    """What audit_lost told."""
    told: list[tuple[GapReason, int, bool]] = []

    def receiver(sender: Any, loss: Loss, **kwargs: Any) -> None:
        told.append((loss.reason, loss.missing, loss.is_over))

    audit_lost.connect(receiver)
    yield told
    audit_lost.disconnect(receiver)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap is over as soon as nothing was lost since."""
    monkeypatch.setattr(gaps, "QUIET_NS", 0)


class TestLosses:
    def test_become_a_gap(self) -> None:
        """What is lost in a row for one reason is one gap, which grows while it goes on."""
        kept = Losses()
        kept.lose(GapReason.OVERFLOW, 2, "the first says why")
        kept.lose(GapReason.OVERFLOW, 3, "and no other")
        kept.write("default")
        gap = Gap.objects.get()
        assert (gap.reason, gap.missing, gap.to_at) == (GapReason.OVERFLOW, 5, None)
        assert (gap.detail, gap.process) == ("the first says why", processes.label())
        kept.lose(GapReason.OVERFLOW)
        kept.write("default")
        assert Gap.objects.get().missing == 6
        assert kept.total == 6

    def test_reasons_are_told_apart(self) -> None:
        """Each reason has a gap of its own."""
        kept = Losses()
        kept.lose(GapReason.OVERFLOW)
        kept.lose(GapReason.SPOOL, 4)
        kept.write("default")
        found = Gap.objects.order_by("reason").values_list("reason", "missing")
        assert list(found) == [(GapReason.OVERFLOW, 1), (GapReason.SPOOL, 4)]

    @pytest.mark.usefixtures("quickly")
    def test_end(self) -> None:
        """A gap is closed when nothing more is lost for a while; the next loss opens another."""
        kept = Losses()
        for _ in range(2):
            kept.lose(GapReason.OVERFLOW)
            kept.write("default")
        assert [gap.missing for gap in Gap.objects.all()] == [1, 1]
        assert all(gap.to_at is not None for gap in Gap.objects.all())
        assert not kept.has_news

    def test_end_with_the_process(self) -> None:
        """The last writing closes all gaps."""
        kept = Losses()
        kept.lose(GapReason.OVERFLOW)
        kept.write("default", is_last=True)
        assert Gap.objects.get().to_at is not None

    def test_wait_for_the_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What could not be written stays, and is written once."""
        kept = Losses()
        kept.lose(GapReason.DATABASE, 7)

        def fails(*args: Any) -> None:
            raise DatabaseError

        monkeypatch.setattr(gaps, "write_loss", fails)
        with pytest.raises(DatabaseError):
            kept.write("default")
        monkeypatch.undo()
        assert kept.has_news
        kept.write("default")
        kept.write("default")
        assert Gap.objects.get().missing == 7

    def test_a_refused_dispatch(self) -> None:
        """A dispatch that the database refuses has a gap with its id and the reason."""
        kept, id_ = Losses(), uuid4()
        kept.refuse(id_, 1_790_000_000_000_000_000, "DataError: \x00 no such number")
        kept.write("default")
        gap = Gap.objects.get()
        assert (gap.dispatch_id, gap.missing, gap.reason) == (id_, 1, GapReason.UNWRITABLE)
        assert gap.detail == "DataError: \\u0000 no such number"
        assert gap.from_at == gap.to_at
        assert gap.from_at.year == 2026

    def test_many_refused_dispatches(self) -> None:
        """Beyond a thousand that wait they are counted together: memory is bounded."""
        kept = Losses()
        for _ in range(1_010):
            kept.refuse(uuid4(), 1, "no")
        assert len(kept._over) == 1_000
        assert kept.total == 1_010

    def test_from_many_threads(self) -> None:
        """No loss is lost."""
        kept = Losses()

        def lose() -> None:
            for _ in range(1_000):
                kept.lose(GapReason.OVERFLOW)

        threads = [threading.Thread(target=lose) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        kept.write("default")
        assert Gap.objects.get().missing == 4_000


class TestAuditLost:
    @pytest.mark.usefixtures("quickly")
    def test_tells_of_the_start_and_the_end(
        self, heard: list[tuple[GapReason, int, bool]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Programs hear when something is missing, and when no more is."""
        kept = Losses()
        monkeypatch.setattr(gaps, "QUIET_NS", 10**18)
        kept.lose(GapReason.OVERFLOW, 2)
        kept.write("default")
        kept.lose(GapReason.OVERFLOW, 3)
        kept.write("default")
        monkeypatch.setattr(gaps, "QUIET_NS", 0)
        kept.write("default")
        assert heard == [(GapReason.OVERFLOW, 2, False), (GapReason.OVERFLOW, 5, True)]

    def test_a_receiver_that_fails(self) -> None:
        """A receiver that raises is reported, and stops nothing."""

        def fails(**kwargs: Any) -> None:
            raise ValueError

        audit_lost.connect(fails)
        try:
            kept = Losses()
            kept.lose(GapReason.OVERFLOW)
            kept.write("default")
        finally:
            audit_lost.disconnect(fails)
        assert Gap.objects.count() == 1
        assert sum(internal_errors.counts().values()) == 1
        internal_errors.reset()

    def test_is_not_recorded(self, heard: list[Any]) -> None:
        """It is outside the inspection, whatever the settings include."""
        with (
            override_settings(SIGNAL_INSPECTOR={"EXCLUDE": []}),
            capture() as dispatches,
        ):
            kept = Losses()
            kept.lose(GapReason.OVERFLOW)
            kept.write("default")
        assert len(heard) == 1
        assert "signal_inspector.audit.signals.audit_lost" not in [
            each.signal for each in dispatches
        ]


def writer(**fields: Any) -> Writer:
    values = {
        "id": uuid4(),
        "host": "elsewhere",
        "pid": 1,
        "process": "elsewhere, pid 1",
        "delivery": "buffered",
        "started_at": timezone.now(),
        "seen_at": timezone.now(),
        "waiting": 5,
        **fields,
    }
    return Writer.objects.create(**values)


LONG_AGO = timedelta(seconds=gaps.SILENT_SECONDS + 5)


class TestTheDead:
    def test_on_another_machine(self) -> None:
        """A writer elsewhere that was silent for long, with something waiting, is a gap."""
        dead = writer(seen_at=timezone.now() - LONG_AGO)
        assert notice_the_dead("default") == 1
        gap = Gap.objects.get()
        assert gap.reason == GapReason.DEAD_WRITER
        assert gap.is_upper_bound
        assert (gap.missing, gap.process) == (10_000, dead.process)
        assert abs(gap.from_at - dead.seen_at) < timedelta(milliseconds=1)
        assert notice_the_dead("default") == 0

    def test_one_that_was_heard_of(self) -> None:
        """A writer elsewhere that was heard of lately lives."""
        writer()
        assert notice_the_dead("default") == 0

    def test_on_this_machine(self) -> None:
        """Here a writer is dead as soon as there is no such process; a living one never is."""
        silent = timezone.now() - LONG_AGO
        living = writer(host=processes.machine(), pid=os.getppid(), seen_at=silent)
        pid = next(pid for pid in range(4_000_000, 2**22) if not gaps._exists(pid))
        writer(host=processes.machine(), pid=pid)
        assert notice_the_dead("default") == 1
        living.refresh_from_db()
        assert living.stopped_at is None

    @pytest.mark.parametrize("fields", [{"waiting": 0}, {"delivery": "spooled"}])
    def test_without_a_loss(self, fields: dict[str, Any]) -> None:
        """One that had nothing waiting, or has it in a file, leaves no gap."""
        writer(seen_at=timezone.now() - LONG_AGO, **fields)
        assert notice_the_dead("default") == 1
        assert Gap.objects.count() == 0

    def test_are_forgotten(self) -> None:
        """Rows of writers that ended long ago are removed."""
        writer(stopped_at=timezone.now() - timedelta(days=30))
        kept = writer(stopped_at=timezone.now() - timedelta(days=1))
        notice_the_dead("default")
        assert list(Writer.objects.all()) == [kept]


class TestRegister:
    def test_a_life(self, django_assert_num_queries: Any) -> None:
        """It says when something starts to wait, when nothing does any more, and goodbye."""
        register = Register("default", "buffered")
        register.beat(3)
        assert Writer.objects.get().waiting == 3
        with django_assert_num_queries(0):
            register.beat(4, is_due=False)
        register.count(3)
        register.beat(0, is_due=False)
        row = Writer.objects.get()
        assert (row.waiting, row.written, row.pid) == (0, 3, os.getpid())
        assert row.last_write_at is not None
        register.stop(0)
        assert Writer.objects.get().stopped_at is not None


class TestStatus:
    def test_of_an_empty_log(self) -> None:
        """An empty log has no last write, and nothing is missing."""
        found = status()
        assert (found.last_write_at, found.waiting, found.missing) == (None, 0, 0)

    def test_of_a_log(self) -> None:
        """It adds up what writers and gaps say."""
        now = timezone.now()
        writer(waiting=2, last_write_at=now - timedelta(hours=1))
        writer(waiting=3, last_write_at=now)
        losses.lose(GapReason.OVERFLOW, 4)
        losses.write("default")
        found = status()
        assert (found.waiting, found.writers, found.late) == (5, 2, 1)
        assert (found.open_gaps, found.missing, found.is_missing_exact) == (1, 4, True)
        assert found.last_write_at is not None
        assert abs(found.last_write_at - now) < timedelta(milliseconds=1)

    def test_knows_rows_without_a_writer(self) -> None:
        """Where no process writes in the background the newest row tells of the last write."""
        with audited():
            dispatched(on_order)
        assert status().last_write_at is not None


def ids(found: list[Any]) -> list[str]:
    return [each.id for each in found]


class TestChecks:
    def of(self, **audit: Any) -> list[str]:
        with override_settings(SIGNAL_INSPECTOR={"AUDIT": audit}):
            return ids(checks.check_delivery(None))

    @pytest.mark.parametrize(
        ("audit", "expected"),
        [
            ({}, []),
            ({"DELIVERY": "inline"}, []),
            ({"DATABASE": "nowhere"}, ["signal_audit.E001"]),
            ({"DELIVERY": "pigeon"}, ["signal_audit.E002"]),
            ({"DELIVERY": "shop.missing.Delivery"}, ["signal_audit.E002"]),
            ({"DELIVERY": "signal_inspector.Sink"}, ["signal_audit.E002"]),
            ({"DELIVERY": "signal_inspector.audit.delivery.inline.Inline"}, []),
        ],
    )
    def test_the_settings(self, audit: dict[str, Any], expected: list[str]) -> None:
        """A delivery or a database that there is none of is told of."""
        assert self.of(**audit) == expected

    def test_a_spool_without_a_directory(self) -> None:
        """The spool needs a directory."""
        assert "signal_audit.E003" in self.of(DELIVERY="spooled")
        assert "signal_audit.E003" not in self.of(DELIVERY="spooled", SPOOL_DIR="/somewhere")

    def test_a_file_that_is_shared(self, settings: Any) -> None:
        """A thread for a SQLite file that the project writes to is told of."""
        from django.db import connection

        expected = ["signal_audit.W001"] if connection.vendor == "sqlite" else []
        assert self.of(DELIVERY="buffered") == expected

    def test_the_log(self) -> None:
        """Gaps and late writers are told of, where databases are checked."""
        assert checks.check_log(None, databases=["default"]) == []
        losses.lose(GapReason.OVERFLOW, 4)
        losses.write("default")
        writer(last_write_at=timezone.now() - timedelta(hours=1))
        found = checks.check_log(None, databases=["default"])
        assert ids(found) == ["signal_audit.W004", "signal_audit.W005"]
        assert "4 (queue full)" in found[0].msg
        assert checks.check_log(None) == []
        assert checks.check_log(None, databases=["other"]) == []

    def test_a_gap_that_is_dealt_with(self) -> None:
        """A gap that somebody has marked, or an old one, is no longer told of."""
        losses.lose(GapReason.OVERFLOW)
        losses.write("default")
        Gap.objects.update(closed_at=timezone.now())
        assert checks.check_log(None, databases=["default"]) == []
        Gap.objects.update(closed_at=None, written_at=timezone.now() - timedelta(days=30))
        assert checks.check_log(None, databases=["default"]) == []

    def test_they_are_registered(self, capsys: pytest.CaptureFixture[str]) -> None:
        """manage.py check --database runs them."""
        losses.lose(GapReason.OVERFLOW, 4)
        losses.write("default")
        call_command("check", tags=["database"], databases=["default"])
        assert "signal_audit.W004" in capsys.readouterr().err
