"""``signal_audit prune``: what goes, what stays, and how it is stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from django.test import override_settings
from django.utils import timezone

from signal_inspector.audit.destinations.database.statements import Blame
from signal_inspector.audit.lookups import first_id_at
from signal_inspector.audit.management.signal_audit import prune as prune_part
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    Operation,
    OperationKind,
    Retry,
    RetryOutcome,
    Tally,
)
from signal_inspector.audit.operations import prune
from signal_inspector.audit.operations.prune import Chunks, Stratum
from signal_inspector.audit.stats import rollup
from signal_inspector.audit.stats.counts import Figures, slot_of
from signal_inspector.audit.stats.rollup import TALLIES, new_row
from tests.audit.management.made import (
    fill,
    finish,
    kept,
    made,
    put,
    refused,
    run,
    run_json,
    start,
    told,
)
from tests.audit.programs import Programs, eventually, real
from tests.audit.rows_made import needs

DAY = timedelta(days=1)


def rules(**by_glob: Any) -> Any:
    """The settings with these rules; ``shop__all`` stands for ``shop.*``."""
    named = {key.replace("__all", ".*").replace("any", "*"): rule for key, rule in by_glob.items()}
    return override_settings(SIGNAL_INSPECTOR={"AUDIT": {"RULES": named}})


@pytest.mark.django_db
class TestClock:
    @pytest.mark.parametrize("hours", [-3, 3, 24 * 3_650])
    @pytest.mark.parametrize("options", [(), ("--older-than", "90d"), ("--dry-run",)], ids=str)
    def test_two_clocks(
        self, monkeypatch: pytest.MonkeyPatch, hours: int, options: tuple[str, ...]
    ) -> None:
        """Where the database takes it to be another time nothing is deleted."""
        put(made(200 * DAY))
        theirs = datetime.now(UTC) + timedelta(hours=hours)
        monkeypatch.setattr(prune_part, "clock_of_server", lambda connection: theirs)
        with rules(any={"KEEP_DAYS": 30}):
            said = refused(1, "prune", *options)
        assert said.startswith("Nothing was deleted: the clock of this machine says ")
        assert f"the clock of the database says {theirs:%Y-%m-%d %H:%M:%S} (UTC)" in said
        assert len(kept()) == 1

    def test_nearly_the_same_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A minute or two is no difference."""
        put(made(200 * DAY))
        theirs = datetime.now(UTC) + timedelta(minutes=2)
        monkeypatch.setattr(prune_part, "clock_of_server", lambda connection: theirs)
        run("prune", "--older-than", "90d")
        assert kept() == []

    def test_the_clock_of_the_server(self) -> None:
        """A server is asked what time it is; SQLite has the clock of this machine."""
        theirs = prune_part.clock_of_server(connection)
        if connection.vendor == "sqlite":
            assert theirs is None
        else:
            assert theirs is not None
            assert abs(theirs - datetime.now(UTC)) < timedelta(minutes=5)


@pytest.mark.django_db
class TestRules:
    @rules(shop__all={"KEEP_DAYS": 30})
    def test_keep_days(self) -> None:
        """What is older than KEEP_DAYS goes, of the signals of the glob alone."""
        _, *rest = put(made(31 * DAY), made(29 * DAY), made(31 * DAY, "crm.changed"))
        run("prune")
        assert set(kept()) == set(rest)

    @rules(shop__all={"KEEP_DAYS": 30, "KEEP_FAILURES_DAYS": 90})
    def test_failures_stay_longer(self) -> None:
        """Dispatches in which something failed stay for KEEP_FAILURES_DAYS."""
        put(made(91 * DAY, failed=True), made(60 * DAY))
        stay = put(made(60 * DAY, failed=True), made(DAY))
        run("prune")
        assert kept() == stay

    @rules(shop__all={"KEEP_DAYS": 90, "KEEP_FAILURES_DAYS": 30})
    def test_failures_may_go_sooner(self) -> None:
        """KEEP_FAILURES_DAYS may be the shorter of the two."""
        put(made(60 * DAY, failed=True))
        stay = put(made(60 * DAY))
        run("prune")
        assert kept() == stay

    @rules(shop__all={"KEEP_FAILURES_DAYS": 30})
    def test_failures_alone(self) -> None:
        """Where only KEEP_FAILURES_DAYS is set, the others stay for ever."""
        put(made(60 * DAY, failed=True))
        stay = put(made(6_000 * DAY))
        run("prune")
        assert kept() == stay

    @rules(shop__all={"KEEP_DAYS": 300}, any={"KEEP_DAYS": 30})
    def test_first_match(self) -> None:
        """Of several rules the first that matches counts."""
        stay = put(made(60 * DAY))
        put(made(60 * DAY, "crm.changed"))
        run("prune")
        assert kept() == stay

    @rules(shop__all={"MAX_ROWS": 3})
    def test_max_rows(self) -> None:
        """The newest MAX_ROWS stay of the signals of a glob together, failed or not."""
        ages = range(6, 0, -1)
        ids = put(*[made(age * DAY, f"shop.s{age % 2}", failed=age == 6) for age in ages])
        (other,) = put(made(100 * DAY, "crm.changed"))
        run("prune")
        assert kept() == [other, *ids[3:]]

    @rules(shop__all={"MAX_ROWS": 3})
    def test_fewer_than_max_rows(self) -> None:
        """Nothing goes where there are no more than that."""
        put(made(3 * DAY), made(2 * DAY), made(DAY))
        run("prune")
        assert len(kept()) == 3

    @rules(shop__all={"MAX_ROWS": 1, "KEEP_DAYS": 30, "KEEP_FAILURES_DAYS": 90})
    def test_cap_and_age(self) -> None:
        """What is beyond the cap goes, however young and however failed."""
        put(made(3 * DAY), made(2 * DAY, failed=True))
        stay = put(made(DAY))
        run("prune")
        assert kept() == stay

    @override_settings(SIGNAL_INSPECTOR={"AUDIT": {"EXCLUDE": ["*"], "RULES": {
        "*": {"KEEP_DAYS": 30}}}})  # fmt: skip
    def test_not_audited_any_more(self) -> None:
        """Signals that are not audited any more are pruned as their rule says."""
        put(made(60 * DAY))
        run("prune")
        assert kept() == []

    def test_no_rules(self) -> None:
        """Without rules there is nothing to delete, and the command says so."""
        put(made(6_000 * DAY))
        assert "Nothing to delete" in told("prune")
        assert len(kept()) == 1

    @rules(shop__all={"KEEP_DAYS": "thirty"})
    def test_wrong_rules(self) -> None:
        """Rules that are wrong delete nothing: the command says what is wrong."""
        put(made(60 * DAY))
        assert "KEEP_DAYS" in refused(1, "prune")
        assert len(kept()) == 1


@pytest.mark.django_db
class TestOptions:
    def test_older_than(self) -> None:
        """--older-than takes failed ones too, whatever the rules say."""
        put(made(3 * DAY), made(3 * DAY, failed=True))
        stay = put(made(DAY))
        run("prune", "--older-than", "2d")
        assert kept() == stay

    def test_failures_older_than(self) -> None:
        """--failures-older-than gives those an age of their own."""
        put(made(3 * DAY), made(9 * DAY, failed=True))
        stay = put(made(3 * DAY, failed=True))
        run("prune", "--older-than", "2d", "--failures-older-than", "5d")
        assert kept() == stay

    def test_signal(self) -> None:
        """--signal leaves the others alone; it can be given twice."""
        put(made(3 * DAY, "shop.a"), made(3 * DAY, "crm.b"))
        stay = put(made(3 * DAY, "news.c"))
        run("prune", "--older-than", "1d", "--signal", "shop.*", "--signal", "crm.b")
        assert kept() == stay

    @rules(any={"KEEP_DAYS": 2})
    def test_signal_with_rules(self) -> None:
        """With the rules it takes only those of their signals."""
        put(made(3 * DAY, "shop.a"))
        stay = put(made(3 * DAY, "crm.b"))
        run("prune", "--signal", "shop.*")
        assert kept() == stay

    @rules(shop__all={"KEEP_DAYS": 30, "KEEP_FAILURES_DAYS": 90, "MAX_ROWS": 2})
    def test_dry_run(self) -> None:
        """--dry-run counts by glob what would go, exactly, and deletes and notes nothing."""
        put(made(100 * DAY, failed=True), *[made(age * DAY) for age in (40, 35, 3, 2, 1)])
        told_ = run_json("prune", "--dry-run", "--json")
        assert (len(kept()), Operation.objects.count()) == (6, 0)
        assert [(each["glob"], each["dispatches"]) for each in told_["by_glob"]] == [
            ("shop.*", 4),
            ("*", 0),
        ]
        assert run_json("prune", "--json")["dispatches"] == told_["dispatches"] == 4

    def test_failures_alone_are_refused(self) -> None:
        """--failures-older-than alone is an error of usage."""
        assert "--older-than" in refused(2, "prune", "--failures-older-than", "1d")

    def test_quiet(self) -> None:
        """There is no bar where no terminal is, and one line that says what was done."""
        put(made(3 * DAY))
        said = told("prune", "--older-than", "1d")
        assert said.startswith("1 dispatch deleted, in ")
        assert "\x1b" not in said
        assert "\r" not in said


@pytest.mark.django_db
class TestWhatHangsOnThem:
    def test_goes_too(self) -> None:
        """Calls, objects and retries go with their dispatch, those of others stay."""
        ids = put(*[made(age * DAY, objects=["shop.Order:1"]) for age in (3, 1)])
        for id_ in ids:
            Retry.objects.create(dispatch_id=id_, call_index=0, attempt=1, at=timezone.now(),
                                 outcome=RetryOutcome.RETURNED)  # fmt: skip
        run("prune", "--older-than", "2d")
        for model in (AuditedCall, AuditedObject, Retry):
            found = set(model._default_manager.values_list("dispatch_id", flat=True))
            assert found == {ids[1]}, model

    def test_orphans_before_the_oldest(self) -> None:
        """Calls and objects older than every dispatch go by themselves."""
        gone, young = put(*[made(age * DAY, objects=["shop.Order:1"]) for age in (9, 3)])
        AuditedDispatch.objects.filter(id=gone).delete()
        run("prune")
        assert list(AuditedCall.objects.values_list("dispatch_id", flat=True)) == [young]
        assert list(AuditedObject.objects.values_list("dispatch_id", flat=True)) == [young]

    def test_sweep(self) -> None:
        """--sweep finds those between, and leaves what is younger than an hour alone."""
        first, gone, new = put(made(9 * DAY), made(3 * DAY), made())
        AuditedDispatch.objects.filter(id__in=[gone, new]).delete()
        run("prune")
        assert AuditedCall.objects.count() == 3
        assert run_json("prune", "--sweep", "--json")["swept"] == 1
        found = AuditedCall.objects.order_by("dispatch_id").values_list("dispatch_id", flat=True)
        assert list(found) == [first, new]


def counted(age: timedelta, number: int) -> None:
    """A row of counts of so long ago, as the writer makes them."""
    figures = Figures()
    figures.signals[1].count = number
    moment = int((timezone.now() - age).timestamp())
    Tally.objects.create(
        **dict(zip(TALLIES.columns, new_row(slot_of(moment), 300, figures), strict=True))
    )


@pytest.mark.django_db
class TestCounts:
    def test_become_fewer(self) -> None:
        """Counts that no process has added up are, and those of more than two years ago go."""
        for number in (1, 2, 4):
            counted(70 * DAY, number)
        counted(3 * 366 * DAY, 8)
        counted(timedelta(0), 16)
        assert run_json("prune", "--json")["counts"] == 3
        rows = Tally.objects.order_by("slot").values_list("seconds", "content")
        figures = [Figures() for _ in rows]
        for each, (_, content) in zip(figures, rows, strict=True):
            each.merge_encoded(content)
        assert [each.dispatches().count for each in figures] == [7, 16]
        assert [seconds for seconds, _ in rows] == [86_400, 300]
        assert run_json("prune", "--json")["counts"] == 0

    def test_dry_run(self) -> None:
        """A dry run leaves them alone."""
        counted(3 * 366 * DAY, 1)
        run("prune", "--dry-run")
        assert Tally.objects.count() == 1

    def test_busy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the database is busy they are left for the next time."""

        def refuse(*args: Any) -> int:
            raise OperationalError("busy")

        monkeypatch.setattr(rollup, "forget_tallies", refuse)
        monkeypatch.setattr(rollup, "blame", lambda *args: Blame.DATABASE)
        counted(3 * 366 * DAY, 1)
        assert run_json("prune", "--json")["counts"] == 0
        assert Tally.objects.count() == 1


@pytest.mark.django_db
class TestChunks:
    def test_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Many chunks delete all of a stratum and no more, and skip what stays between."""
        monkeypatch.setattr(prune, "_FIRST", 7)
        monkeypatch.setattr(prune, "_MOST", 7)
        put(*[made((n + 2) * DAY, failed=n % 3 == 0) for n in range(60)])
        run("prune", "--older-than", "1d", "--failures-older-than", "9999d")
        assert len(kept()) == 20
        assert Operation.objects.get().rows == 40

    def test_busy(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A chunk that the database refuses for now is tried again."""
        put(made(3 * DAY))
        real_delete = prune.delete_rows
        refusals = [OperationalError("deadlock"), OperationalError("locked")]

        def refuse(*args: Any) -> int:
            if refusals:
                raise refusals.pop()
            return real_delete(*args)

        monkeypatch.setattr(prune, "delete_rows", refuse)
        run("prune", "--older-than", "1d")
        assert kept() == []

    def test_act(self) -> None:
        """A prune is noted, with what was asked for and its count."""
        put(made(3 * DAY))
        run("prune", "--older-than", "1d", "--signal", "shop.*")
        operation = Operation.objects.get()
        assert (operation.kind, operation.rows) == (OperationKind.PRUNE, 1)
        assert operation.detail == "--signal shop.* --older-than 1 day, 0:00:00"
        assert operation.ended_at is not None

    def test_size_fits_the_time(self) -> None:
        """Chunks shrink where they take long and grow where they do not."""
        chunks = Chunks()
        first = chunks._size
        chunks._learn(10.0, first)
        small = chunks._size
        chunks._learn(0.001, small)
        assert small < chunks._size <= first * 2

    def test_last_rows(self) -> None:
        """What was written between two chunks is not taken for pruned."""
        (old, new) = put(made(3 * DAY), made())
        number = AuditedDispatch.objects.get(id=old).signal_id
        deletions = Chunks().of_signal(number, Stratum(first_id_at(timezone.now() - DAY)))
        assert list(deletions) == [1]
        assert kept() == [new]


SLOW = """
from signal_inspector.audit.operations import prune
prune._FIRST = prune._MOST = 50
"""


@real
@pytest.mark.programs
class TestProgram:
    @pytest.fixture
    def full(self, programs: Programs) -> Programs:
        fill(programs, "put(*[made((n + 2) * timedelta(1)) for n in range(500)])")
        return programs

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_stopped(self, full: Programs, number: signal.Signals) -> None:
        """A signal stops it between two chunks; it says how far it came, and can go on."""
        process = start(full, "prune", "--older-than", "1d", "--pause", "0.3", before=SLOW)
        eventually(lambda: full.count() < 500)
        process.send_signal(number)
        _, err = finish(process, 128 + number)
        left = full.count()
        assert 0 < left < 500
        assert f"{500 - left} dispatches deleted" in err
        assert f"Stopped by {number.name}" in err
        ((rows, detail),) = full.query("SELECT a.rows, a.detail FROM signal_audit_operation a")
        assert rows == 500 - left
        assert "Incomplete" in detail
        finish(start(full, "prune", "--older-than", "1d"))
        assert full.count() == 0
        assert full.query("SELECT count(*) FROM signal_audit_call") == [(0,)]

    def test_two_at_once(self, full: Programs) -> None:
        """Two prunes at once share the work: each dispatch is deleted and counted once."""
        options = ("prune", "--older-than", "1d", "--pause", "0.02", "--json")
        both = [start(full, *options, before=SLOW) for _ in range(2)]
        for process in both:
            finish(process)
        assert full.count() == 0
        assert full.query("SELECT sum(a.rows) FROM signal_audit_operation a") == [(500,)]

    def test_killed(self, full: Programs) -> None:
        """After kill -9 no call is left without its dispatch, and the next run goes on."""
        process = start(full, "prune", "--older-than", "1d", "--pause", "0.05", before=SLOW)
        eventually(lambda: full.count() < 400)
        process.kill()
        process.communicate()
        orphans = """SELECT count(*) FROM signal_audit_call WHERE dispatch_id NOT IN
                     (SELECT id FROM signal_audit_dispatch)"""
        assert full.query(orphans) == [(0,)]
        finish(start(full, "prune", "--older-than", "1d"))
        assert full.count() == 0


@pytest.mark.django_db
def test_indexes_are_used() -> None:
    """PostgreSQL finds what is to go of a signal, and what hangs on it, by an index."""
    needs("postgresql")
    put(*[made(n * DAY, f"shop.s{n % 5}", objects=["shop.Order:1"]) for n in range(200)])
    plans = []
    find: Callable[[str, list[Any]], None]

    def find(sql: str, params: list[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {sql}", params)
            plans.append("\n".join(row[0] for row in cursor.fetchall()))

    ids = [f"{{{UUID(int=1)},{UUID(int=2)}}}"]
    for table in prune.CHILDREN:
        find(f"DELETE FROM {table} WHERE dispatch_id = ANY(%s::uuid[])", ids)
    find("DELETE FROM signal_audit_dispatch WHERE id = ANY(%s::uuid[])", ids)
    assert not [plan for plan in plans if "Seq Scan" in plan]
