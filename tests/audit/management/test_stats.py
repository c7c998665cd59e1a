"""``signal_audit stats`` and ``ship``."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.utils import timezone

from signal_inspector.audit.models import Ending, Gap, GapReason, Origin, Writer
from tests.audit.management.made import finish, made, put, refused, run, run_json, start
from tests.audit.programs import Programs, real
from tests.audit.rows_made import on_order, on_order_badly, with_calls, with_column

DAY = timedelta(days=1)


@pytest.mark.django_db
class TestStats:
    def test_empty(self) -> None:
        """An empty log has figures, too."""
        data = run_json("stats", "--json")
        assert data["dispatches"]["number"] == data["recent"]["dispatches"] == 0
        assert (data["oldest"], data["newest"], data["last_write_at"]) == (None, None, None)
        assert "Dispatches   0" in run("stats")

    def test_figures(self) -> None:
        """Counts, rate, oldest and newest, failures, by signal and by receiver."""
        put(
            made(3 * DAY, "shop.old"),
            made(timedelta(hours=2), "shop.a", receivers=[on_order, on_order_badly]),
            made(timedelta(hours=1), "shop.a"),
            made(timedelta(minutes=5), "shop.b"),
        )
        data = run_json("stats", "--json")
        recent = data["recent"]
        assert (data["dispatches"]["number"], recent["dispatches"], recent["failed"]) == (4, 3, 1)
        assert recent["per_hour"] == pytest.approx(3 / 24, abs=0.001)
        assert data["oldest"] < data["newest"] <= data["last_write_at"]
        assert [(each["name"], each["count"], each["failed"]) for each in recent["signals"]] == [
            ("shop.a", 2, 1),
            ("shop.b", 1, 0),
        ]
        names = {each["name"].rpartition(".")[2]: each["count"] for each in recent["receivers"]}
        assert names == {"on_order": 3, "on_order_badly": 1}

    def test_retries(self) -> None:
        """What somebody ran again stands apart, from receivers and means too."""
        put(made(signal="shop.a", failed=True))
        again = made(signal="shop.a", failed=True, receivers=[on_order, on_order_badly])
        put(with_column(again, "origin", int(Origin.RETRY)))
        recent = run_json("stats", "--json")["recent"]
        assert (recent["dispatches"], recent["failed"]) == (1, 1)
        assert recent["retries"] == {"dispatches": 1, "failed": 1}
        assert [(each["name"], each["count"]) for each in recent["signals"]] == [("shop.a", 1)]
        names = [each["name"].rpartition(".")[2] for each in recent["receivers"]]
        assert names == ["on_order_badly"]
        assert "not counting 1 retry, 1 failed" in run("stats")

    def test_receivers_that_never_ran(self) -> None:
        """A receiver that was skipped was not called, and no mean is of it."""
        rows = made(receivers=[on_order, on_order_badly])
        put(with_calls(rows, outcome=[int(Ending.RAISED), int(Ending.SKIPPED)]))
        (line,) = run_json("stats", "--json")["recent"]["receivers"]
        assert (line["name"].rpartition(".")[2], line["count"], line["failed"]) == (
            "on_order",
            1,
            1,
        )

    def test_only_known_times_are_averaged(self) -> None:
        """A call counts whose time is not known, or which still ran; means are of the others."""
        for outcome, offset, took in (
            (Ending.RETURNED, 0, 8_000_000),
            (Ending.RETURNED, None, 0),
            (Ending.RUNNING, 0, 90_000_000),
        ):
            columns = {"outcome": [int(outcome)], "offset_ns": [offset], "duration_ns": [took]}
            put(with_calls(made(), **columns))
        (line,) = run_json("stats", "--json")["recent"]["receivers"]
        assert (line["count"], line["mean_ms"], line["longest_ms"]) == (3, 8.0, 8.0)

    def test_no_time_is_known(self) -> None:
        """A mean of nothing is no number."""
        put(with_calls(made(), offset_ns=[None]))
        (line,) = run_json("stats", "--json")["recent"]["receivers"]
        assert (line["count"], line["mean_ms"], line["longest_ms"]) == (1, None, None)
        assert " –  " in run("stats")

    def test_last(self) -> None:
        """--last looks at another time, --top at fewer names."""
        put(made(3 * DAY, "shop.old"), made(signal="shop.new"))
        data = run_json("stats", "--json", "--last", "7d", "--top", "1")
        assert data["recent"]["dispatches"] == 2
        assert len(data["recent"]["signals"]) == 1
        assert "In the last 7 days" in run("stats", "--last", "7d")
        assert "In the last 1 h 30 min" in run("stats", "--last", "90m")

    def test_gaps_and_writers(self) -> None:
        """Missing dispatches and processes that write are told."""
        now = timezone.now()
        Gap.objects.create(from_at=now, to_at=now, missing=7, is_upper_bound=True,
                           reason=GapReason.DATABASE, key="1", written_at=now)  # fmt: skip
        Writer.objects.create(id="01a0cefe-7c51-7628-8e7e-d9779bce3933", host="h", pid=1,
                              process="web", delivery="buffered", started_at=now, seen_at=now,
                              waiting=3)  # fmt: skip
        text = run("stats")
        assert "up to 7 dispatches missing" in text
        assert "1 alive, 0 late, 3 dispatches waiting" in text

    def test_sizes(self) -> None:
        """Where the database tells how large a table is, each table is told of."""
        put(made())
        sizes = run_json("stats", "--json")["bytes"]
        assert {"signal_audit_dispatch", "signal_audit_call", "signal_audit_name"} <= sizes.keys()
        assert all(size is None or size >= 0 for size in sizes.values())

    def test_usage(self) -> None:
        """No time at all is an error of usage."""
        refused(2, "stats", "--last", "0d")


@pytest.mark.django_db
class TestShip:
    def test_no_directory(self, tmp_path: Path) -> None:
        """Without a directory it says what is missing."""
        assert "SPOOL_DIR" in refused(2, "ship")
        assert "is not a directory" in refused(1, "ship", "--directory", str(tmp_path / "none"))

    def test_nothing(self, tmp_path: Path) -> None:
        """An empty directory is none of a problem."""
        with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"SPOOL_DIR": str(tmp_path)}}):
            assert run("ship").startswith("0 dispatches")


@real
def test_ships_what_a_dead_process_left(programs: Programs, tmp_path: Path) -> None:
    """What a killed process had in its file is in the log afterwards, once."""
    spool = {"DELIVERY": "spooled", "SPOOL_DIR": str(tmp_path / "spool"), "FLUSH_SECONDS": 60}
    sender = programs.start("place(3)\nos.kill(os.getpid(), signal.SIGKILL)", **spool)
    sender.communicate(timeout=60)
    options = ("ship", "--directory", str(tmp_path / "spool"), "--json")
    for _ in range(2):
        out, _err = finish(start(programs, *options))
    assert programs.numbers() == [0, 1, 2]
    assert '"dispatches": 0' in out
