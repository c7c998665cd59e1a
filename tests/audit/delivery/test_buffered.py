"""The queue and the thread that writes it: order, bounds, lost databases, open transactions."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.signals import connection_created

from signal_inspector.audit.attribution.circumstances import Circumstances
from signal_inspector.audit.delivery import buffered, current, writer
from signal_inspector.audit.delivery.buffered import Buffered
from signal_inspector.audit.delivery.gaps import losses
from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.writing import Unavailable
from signal_inspector.audit.models import (
    AuditedDispatch,
    Gap,
    GapReason,
    TransactionOutcome,
    Writer,
)
from signal_inspector.audit.rows import Item, Rows
from signal_inspector.audit.settings import Audit
from signal_inspector.audit.testing import audited
from signal_inspector.core import internal_errors
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.transactions import TransactionMark
from tests.audit.programs import eventually
from tests.audit.rows_made import FULL, dispatched, on_order

NOT_NOW = "writing the audit log (the database is unavailable)"

on_server = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="a SQLite file has no second writer"
)


class Book:
    """Stands for the database, and takes down what the thread writes."""

    def __init__(self) -> None:
        self.batches: list[list[Rows]] = []
        self.corrections: list[tuple[UUID, TransactionOutcome]] = []
        self.error: Exception | None = None
        self.attempts = 0
        self.is_open = threading.Event()
        self.is_open.set()

    def written(self, batch: Sequence[Rows], using: str) -> int:
        self.attempts += 1
        assert self.is_open.wait(60)
        if self.error is not None:
            raise self.error
        self.batches.append(list(batch))
        return len(batch)

    def correct(self, outcomes: Iterable[tuple[UUID, TransactionOutcome]], using: str) -> None:
        self.corrections += outcomes

    @property
    def numbers(self) -> list[int]:
        return [json.loads(rows.dispatch.payload)["n"] for batch in self.batches for rows in batch]

    @property
    def outcomes(self) -> list[int]:
        return [rows.dispatch.transaction_outcome for batch in self.batches for rows in batch]


class NoRegister:
    """A row among the writers that is nowhere."""

    is_known = True

    def __init__(self, *args: Any) -> None:
        self.said: list[int] = []

    def beat(self, waiting: int, *, is_due: bool = True) -> None:
        self.said.append(waiting)

    def count(self, written: int) -> None: ...

    def stop(self, waiting: int) -> None: ...


class Waits(threading.Event):
    """An event that nobody waits for: it takes down for how long it was to be."""

    def __init__(self, waited: list[float | None]) -> None:
        super().__init__()
        self.waited = waited

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        return False


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> Book:
    book = Book()
    monkeypatch.setattr(writer, "written", book.written)
    monkeypatch.setattr(writer, "correct", book.correct)
    monkeypatch.setattr(writer, "Register", NoRegister)
    monkeypatch.setattr(losses, "write", lambda using, is_last=False: None)
    monkeypatch.setattr(writer, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(writer, "_LONGEST_PAUSE", 0.01)
    return book


@contextmanager
def delivering_by(**settings: Any) -> Iterator[Buffered]:
    delivery = Buffered(Audit(**{"flush_seconds": 600, **settings}))
    try:
        yield delivery
    finally:
        delivery.close(60)


def item(number: int = 0, mark: TransactionMark | None = None) -> Item:
    dispatch: Dispatch = dispatched(on_order, n=number)
    dispatch.in_transaction = mark is not None
    dispatch.transactions = () if mark is None else (mark,)
    return Item(dispatch, Circumstances(), FULL)


def items(*numbers: int) -> list[Item]:
    return [item(number) for number in numbers]


class TestQueue:
    def test_each_once_in_order(self, book: Book) -> None:
        """What was taken is written once, in its order, in batches of a size at most."""
        with delivering_by(batch_size=10) as delivery:
            for each in items(*range(35)):
                delivery.take(each)
            assert delivery.flush(60)
            assert book.numbers == list(range(35))
            assert max(map(len, book.batches)) <= 10
            assert delivery.waiting == 0

    def test_a_full_batch_is_not_waited_with(self, book: Book) -> None:
        """A batch that is full is written before the time to flush is over."""
        with delivering_by(batch_size=5) as delivery:
            for each in items(*range(5)):
                delivery.take(each)
            eventually(lambda: len(book.numbers) == 5)
            for each in items(*range(5, 10)):
                delivery.take(each)
            eventually(lambda: len(book.numbers) == 10)

    def test_after_an_idle_time_at_once(self, book: Book) -> None:
        """The first after an idle time is written at once; the next waits its time."""
        with delivering_by() as delivery:
            delivery.take(item(1))
            eventually(lambda: book.numbers == [1])
            delivery.take(item(2))
            eventually(lambda: delivery._writer._register.said[-1:] == [1])  # type: ignore[attr-defined]
            assert delivery.waiting == 1
            assert book.numbers == [1]

    def test_is_bounded(self, book: Book) -> None:
        """No more than QUEUE_SIZE wait; of more the newest are lost, and counted."""
        book.is_open.clear()
        with delivering_by(queue_size=10, batch_size=4) as delivery:
            for each in items(*range(25)):
                delivery.take(each)
            assert delivery.waiting == 10
            assert losses.total == 15
            assert {loss.reason for loss in losses._open.values()} == {GapReason.OVERFLOW}
            book.is_open.set()
            assert delivery.flush(60)
            assert book.numbers == list(range(10))
            delivery.take(item(99))
            assert losses.total == 15

    def test_senders_do_not_wait(self, book: Book) -> None:
        """While a write takes its time, senders go on."""
        book.is_open.clear()
        with delivering_by(batch_size=1) as delivery:
            delivery.take(item(1))
            eventually(lambda: book.attempts == 1)
            for each in items(2, 3, 4):
                delivery.take(each)
            assert delivery.waiting == 4
            book.is_open.set()

    def test_a_dispatch_that_makes_no_rows(
        self, book: Book, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One that cannot be put into rows is lost, counted and told of; the others are kept."""
        broken = item(2)
        broken.dispatch.method = None  # type: ignore[assignment]
        with delivering_by() as delivery:
            for each in (item(1), broken, item(3)):
                delivery.take(each)
            assert delivery.flush(60)
        assert book.numbers == [1, 3]
        assert losses.total == 1
        assert list(internal_errors.counts()) == ["putting a dispatch into rows for the audit"]


class TestTransactions:
    def test_waits_for_the_end(self, book: Book) -> None:
        """A dispatch whose transaction is open waits; the others do not wait for it."""
        mark = TransactionMark(None)
        with delivering_by() as delivery:
            for each in (item(1, mark), item(2)):
                delivery.take(each)
            assert delivery.flush(60)
            assert book.numbers == [2]
            mark.roll_back()
            mark.end()
            assert delivery.flush(60)
            assert book.numbers == [2, 1]
            assert book.outcomes[1] == TransactionOutcome.ROLLED_BACK
            assert book.corrections == []

    def test_a_long_transaction(self, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        """After ten seconds it is written as unknown, and corrected when the end is known."""
        monkeypatch.setattr(buffered, "TRANSACTION_SECONDS", 0.0)
        mark = TransactionMark(None)
        late = item(1, mark)
        with delivering_by() as delivery:
            delivery.take(late)
            eventually(lambda: delivery.flush(60) and book.outcomes)
            assert book.outcomes == [TransactionOutcome.UNKNOWN]
            mark.end()
            assert delivery.flush(60)
            assert book.corrections == [(late.dispatch.id, TransactionOutcome.COMMITTED)]

    def test_many_in_one_transaction(self, book: Book) -> None:
        """A transaction with more dispatches than there is room for makes none of them lost."""
        mark = TransactionMark(None)
        with delivering_by(queue_size=20, batch_size=5) as delivery:
            for number in range(60):
                delivery.take(item(number, mark))
                assert delivery.flush(60)
            assert losses.total == 0
            assert delivery.waiting <= 20
            mark.end()
            assert delivery.flush(60)
        assert sorted(book.numbers) == list(range(60))
        early = book.outcomes.count(TransactionOutcome.UNKNOWN)
        assert early >= 40
        assert [outcome for _, outcome in book.corrections] == [
            TransactionOutcome.COMMITTED
        ] * early

    def test_at_the_end_of_the_process(self, book: Book) -> None:
        """What waits for a transaction when the process ends is written as unknown."""
        with delivering_by() as delivery:
            delivery.take(item(1, TransactionMark(None)))
        assert book.outcomes == [TransactionOutcome.UNKNOWN]


class TestALostDatabase:
    @pytest.mark.parametrize("error", [Unavailable("away"), OperationalError("away")])
    def test_that_comes_back(self, book: Book, error: Exception) -> None:
        """While the database is away it is tried again; nothing is lost and nothing is twice."""
        book.error = error
        with delivering_by() as delivery:
            for each in items(*range(5)):
                delivery.take(each)
            eventually(lambda: book.attempts > 3)
            assert delivery.waiting == 5
            book.error = None
            assert delivery.flush(60)
        assert book.numbers == list(range(5))
        assert losses.total == 0
        assert list(internal_errors.counts()) == [NOT_NOW]

    def test_is_told_of_once(self, book: Book, caplog: pytest.LogCaptureFixture) -> None:
        """However often it is tried, the log of the process has one line."""
        book.error = Unavailable("away")
        with delivering_by() as delivery:
            delivery.take(item())
            eventually(lambda: book.attempts > 5)
            book.error = None
        assert len([each for each in caplog.records if each.name == "signal_inspector"]) == 1

    def test_that_stays_away_too_long(self, book: Book) -> None:
        """What comes while the queue is full for that reason is counted as such."""
        book.error = Unavailable("away")
        with delivering_by(queue_size=5) as delivery:
            for each in items(*range(5)):
                delivery.take(each)
            eventually(lambda: delivery._writer.is_cut_off)
            for each in items(5, 6):
                delivery.take(each)
            assert list(losses._open) == [GapReason.DATABASE]
            assert losses.total == 2
            book.error = None

    def test_a_flush_in_vain(self, book: Book) -> None:
        """flush() says when it did not work out, and does not wait for longer."""
        book.error = Unavailable("away")
        with delivering_by() as delivery:
            delivery.take(item())
            assert not delivery.flush(0.05)
            book.error = None

    def test_at_the_end_of_the_process(self, book: Book) -> None:
        """What could not be written before the time was over is counted."""
        book.error = Unavailable("away")
        delivery = Buffered(Audit())
        for each in items(1, 2, 3):
            delivery.take(each)
        assert not delivery.close(0.05)
        eventually(lambda: losses.total == 3)
        assert list(losses._open) == [GapReason.SHUTDOWN]

    def test_pauses_grow(self, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        """After each failure in a row it waits for twice as long, up to half a minute."""
        monkeypatch.setattr(writer, "_FIRST_PAUSE", 0.5)
        monkeypatch.setattr(writer, "_LONGEST_PAUSE", 30.0)
        monkeypatch.setattr(writer.random, "uniform", lambda least, most: most)
        delivery = Buffered(Audit())
        waited: list[float | None] = []
        delivery._writer._event = Waits(waited)  # type: ignore[assignment]
        delivery._queue.append(item())
        book.error = Unavailable("away")
        for _ in range(9):
            assert not delivery._writer._work(is_last=False)
            delivery._writer._rest()
        assert waited == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        book.error = None
        assert delivery._writer._work(is_last=False)
        assert delivery._writer._pause == 0

    def test_pauses_differ(self, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        """Processes that lost the same database do not all come back to it at once."""
        monkeypatch.setattr(writer, "_FIRST_PAUSE", 0.5)
        asked: list[tuple[float, float]] = []
        monkeypatch.setattr(writer.random, "uniform", lambda *share: asked.append(share) or 0.5)
        delivery = Buffered(Audit())
        delivery._queue.append(item())
        book.error = Unavailable("away")
        assert not delivery._writer._work(is_last=False)
        assert asked == [(0.5, 1.0)]
        book.error = None

    def test_a_failure_of_ours(self, book: Book) -> None:
        """A batch that fails for another reason is given up after some tries, and counted."""
        book.error = ZeroDivisionError("ours")
        with delivering_by() as delivery:
            for each in items(1, 2):
                delivery.take(each)
            eventually(lambda: losses.total == 2)
            book.error = None
            delivery.take(item(3))
            assert delivery.flush(60)
        assert book.numbers == [3]
        assert list(losses._open) == [GapReason.FAILURE]


class TestTheEnd:
    def test_what_comes_too_late(self, book: Book) -> None:
        """What is sent after the end is counted as lost."""
        delivery = Buffered(Audit())
        assert delivery.close(60)
        delivery.take(item())
        assert delivery.waiting == 0
        assert list(losses._open) == [GapReason.SHUTDOWN]

    def test_the_thread_ends(self, book: Book) -> None:
        """Closing ends the thread; closing twice is harmless."""
        delivery = Buffered(Audit())
        delivery.take(item())
        assert delivery.close(60)
        assert delivery.close(60)
        assert not [each for each in threading.enumerate() if each.name == "signal-audit"]

    def test_where_no_thread_can_start(self, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where no thread can be started, flush() and close() write in the thread they are in."""

        def refuses(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuses)
        delivery = Buffered(Audit())
        delivery.take(item(1))
        assert delivery.flush(60)
        delivery.take(item(2))
        assert delivery.close(60)
        assert book.numbers == [1, 2]

    def test_a_fork(self, book: Book) -> None:
        """A child starts with nothing, and with a thread of its own."""
        book.is_open.clear()
        delivery = Buffered(Audit(flush_seconds=600))
        for each in items(1, 2):
            delivery.take(each)
        parent = delivery._writer._thread
        delivery.forked()
        assert delivery.waiting == 0
        assert delivery._writer._thread is None
        book.is_open.set()
        delivery.take(item(3))
        assert delivery.close(60)
        assert 3 in book.numbers
        assert parent is not None


@on_server
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
class TestAServer:
    @pytest.fixture(autouse=True)
    def _buffered(self) -> Iterator[None]:
        with audited("buffered"):
            yield

    def place(self, number: int = 0) -> None:
        dispatched(on_order, n=number)

    def kill_writers(self) -> int:
        """Drop every connection to this database but our own; how many."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                return len(cursor.fetchall())
            cursor.execute(
                "SELECT id FROM information_schema.processlist"
                " WHERE db = database() AND id <> connection_id()"
            )
            ids = [row[0] for row in cursor.fetchall()]
            for id_ in ids:
                cursor.execute(f"KILL {id_}")
            return len(ids)

    def test_the_rollback_does_not_take_it(self) -> None:
        """A dispatch whose transaction rolls back is in the log, with that outcome."""
        with transaction.atomic():
            Group.objects.create(name="gone")
            self.place()
            transaction.set_rollback(True)
        assert current.flush(60)
        assert AuditedDispatch.objects.get().transaction_outcome == TransactionOutcome.ROLLED_BACK
        assert not Group.objects.exists()

    def test_the_senders_connection(self, django_assert_num_queries: Any) -> None:
        """The sender's connection sees no query of ours, and stays open."""
        connection.ensure_connection()
        raw = connection.connection
        with django_assert_num_queries(0):
            self.place()
            assert current.flush(60)
        assert connection.connection is raw
        assert AuditedDispatch.objects.count() == 1

    def test_a_connection_that_is_dropped(self) -> None:
        """When the server drops the writer's connection another one is made: nothing is lost."""
        for number in range(3):
            self.place(number)
            assert current.flush(60)
            assert self.kill_writers() >= 1
        self.place(3)
        assert current.flush(60)
        assert AuditedDispatch.objects.count() == 4
        assert Gap.objects.count() == 0

    def test_a_missing_table(self) -> None:
        """While the tables are missing everything waits; it is told once, and then written."""
        table, name = AuditedDispatch._meta.db_table, connection.ops.quote_name
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {name(table)} RENAME TO {name('away')}")
            try:
                self.place()
                eventually(lambda: internal_errors.counts().get(NOT_NOW))
            finally:
                cursor.execute(f"ALTER TABLE {name('away')} RENAME TO {name(table)}")
        assert current.flush(60)
        assert AuditedDispatch.objects.count() == 1
        assert Gap.objects.count() == 0

    def test_the_writers_row(self) -> None:
        """The row of the writer says how much it wrote, and when."""
        self.place()
        assert current.flush(60)
        writer = Writer.objects.get()
        assert (writer.written, writer.waiting, writer.stopped_at) == (1, 0, None)
        assert writer.last_write_at is not None

    def test_one_connection(self) -> None:
        """However often it writes, it is on one connection, which is none of Django's."""
        made: list[int] = []

        def note(connection: Any, **kwargs: Any) -> None:
            made.append(threading.get_ident())

        connection_created.connect(note)
        for number in range(20):
            self.place(number)
            assert current.flush(60)
        connection_created.disconnect(note)
        assert AuditedDispatch.objects.count() == 20
        assert len(made) == 1
        assert threading.get_ident() not in made

    def test_an_idle_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When nothing was written for a while the connection is closed, until it is needed."""
        monkeypatch.setattr(own_connections, "IDLE_SECONDS", 0.0)
        for number in range(2):
            self.place(number)
            assert current.flush(60)
            eventually(lambda: self.kill_writers() == 0)
        assert AuditedDispatch.objects.count() == 2
        assert internal_errors.counts() == {}

    def test_a_fork(self) -> None:
        """Before a fork the connection is closed, so that no child has a copy of it."""
        self.place()
        assert current.flush(60)
        current.process.hold()
        assert self.kill_writers() == 0
        current.process.go_on()
        self.place(1)
        assert current.flush(60)
        assert AuditedDispatch.objects.count() == 2

    def test_a_test_database_that_is_destroyed(self) -> None:
        """A database that tests made can be dropped while we have a connection to it."""
        made = connections.create_connection("default")
        of_tests = {**made.settings_dict["TEST"], "NAME": None}
        made.settings_dict = {**made.settings_dict, "NAME": "of_the_test", "TEST": of_tests}
        creation = made.creation
        creation._create_test_db(0, autoclobber=True)
        name = creation._get_test_db_name()
        before = connections.settings["default"]
        connections.settings["default"] = {**before, "NAME": name}
        try:
            own = own_connections.OwnConnection("default")
            with own.used(), connections["default"].cursor() as cursor:
                cursor.execute("SELECT 1")
        finally:
            connections.settings["default"] = before
        made.settings_dict["NAME"] = name
        creation.destroy_test_db(verbosity=0)
        assert own._wrapper is None

    def test_no_connection_stays(self) -> None:
        """Closing the delivery closes its connection, and no other."""
        self.place()
        delivery = current.process.use(None)
        assert delivery is not None
        assert delivery.close(60)
        assert self.kill_writers() == 0
        assert connections["default"].is_usable()
