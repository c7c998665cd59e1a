"""Writing on the sender's connection: after its transaction, in it, and in tests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sqlite3
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.core.signals import request_finished
from django.db import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.db.backends.sqlite3.base import SQLiteCursorWrapper
from django.dispatch import Signal
from django.test import TestCase, override_settings
from django.test.utils import CaptureQueriesContext

from signal_inspector import capture
from signal_inspector.audit.delivery import after_transaction, base, current, inline
from signal_inspector.audit.delivery.base import Delivery
from signal_inspector.audit.destinations.database import own_connections
from signal_inspector.audit.destinations.database.adapters import forget_names
from signal_inspector.audit.destinations.database.statements import _is_begun_on_mysql, is_begun
from signal_inspector.audit.models import (
    AuditedDispatch,
    Gap,
    GapReason,
    Name,
    Tally,
    TransactionOutcome,
)
from signal_inspector.audit.stats.counts import Figures
from signal_inspector.audit.testing import audited
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import captures, sinks
from signal_inspector.core.record.running import RunningDispatch
from tests.audit.programs import eventually
from tests.audit.rows_made import needs
from tests.test_interruptions import Interrupter, Limit

committing = pytest.mark.django_db(transaction=True, databases=["default", "other"])
COMMITTED, ROLLED_BACK = TransactionOutcome.COMMITTED, TransactionOutcome.ROLLED_BACK
NONE, UNKNOWN = TransactionOutcome.NONE, TransactionOutcome.UNKNOWN


class MineError(Exception):
    """What the tests raise to roll back."""


def place(**arguments: Any) -> None:
    signal = Signal()
    receiver = lambda **kwargs: None  # noqa: E731
    signal.connect(receiver)
    signal.send(None, **arguments)


@contextmanager
def undone(using: str = "default") -> Iterator[None]:
    """An atomic block that an exception ends."""
    try:
        with transaction.atomic(using):
            yield
            raise MineError
    except MineError:
        pass


def outcomes() -> list[int]:
    """How the transactions ended of what is in the log."""
    rows = AuditedDispatch.objects.order_by("id")
    return list(rows.values_list("transaction_outcome", flat=True))


def the_delivery() -> Delivery:
    found = current.process.delivery
    assert found is not None
    return found


pytestmark = pytest.mark.usefixtures("nothing_failed")


@pytest.fixture
def delivered_after() -> Iterator[None]:
    with audited("after_transaction"):
        yield


@pytest.fixture
def by_inline() -> Iterator[None]:
    with audited("inline"):
        yield


@committing
@pytest.mark.usefixtures("delivered_after")
class TestCaller:
    def test_without_a_transaction(self) -> None:
        """Where no transaction is open the dispatch is in the log when send() returns."""
        place()
        assert outcomes() == [NONE]

    def test_after_a_commit(self) -> None:
        """In a transaction nothing is written; when the outermost block is left, it is."""
        with transaction.atomic():
            with transaction.atomic():
                place()
            assert outcomes() == []
            assert the_delivery().waiting == 1
        assert outcomes() == [COMMITTED]
        assert the_delivery().waiting == 0

    def test_after_a_rollback(self) -> None:
        """A dispatch whose transaction rolled back is in the log, with that outcome."""
        with undone():
            place()
            Group.objects.create(name="gone")
        assert outcomes() == [ROLLED_BACK]
        assert not Group.objects.exists()

    def test_after_an_error_of_the_database(self) -> None:
        """One whose receiver broke the transaction is in the log."""
        Group.objects.create(name="there")
        with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012
            place()
            Group.objects.create(name="there")
        assert outcomes() == [ROLLED_BACK]

    def test_a_rolled_back_savepoint(self) -> None:
        """A savepoint that rolled back in a transaction that committed is told apart."""
        with transaction.atomic():
            place()
            with undone():
                place()
        assert outcomes() == [COMMITTED, ROLLED_BACK]

    def test_a_savepoint_made_by_hand_that_rolled_back(self) -> None:
        """One of transaction.savepoint() is told apart as well."""
        with transaction.atomic():
            place()
            create = getattr(transaction, "savepoint_create", transaction.savepoint)  # 6.1
            sid = create()
            place()
            transaction.savepoint_rollback(sid)
        assert outcomes() == [COMMITTED, ROLLED_BACK]

    def test_a_commit_whose_answer_is_lost(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody knows how it ended, so the log says that it is unknown."""

        class TimeIsUpError(Exception):
            pass

        def interrupted() -> None:
            monkeypatch.undo()
            raise TimeIsUpError

        with pytest.raises(TimeIsUpError), transaction.atomic():  # noqa: PT012
            place()
            monkeypatch.setattr(connection, "_commit", interrupted)
        assert outcomes() == [TransactionOutcome.UNKNOWN]

    def test_the_transaction_id(self) -> None:
        """The dispatches of one transaction share an id."""
        with transaction.atomic():
            place()
            place()
        place()
        ids = list(AuditedDispatch.objects.order_by("id").values_list("transaction_id", flat=True))
        assert ids[0] == ids[1] is not None
        assert ids[2] is None

    def test_no_query_in_the_transaction(self, django_assert_num_queries: Any) -> None:
        """The transaction has no query and no callback of ours in it, and none is seen after."""
        place()  # so that the delivery and the names are there
        with django_assert_num_queries(3), transaction.atomic():
            place()
            Group.objects.exists()
            assert connection.run_on_commit == []
        assert len(outcomes()) == 2

    def test_a_callback_of_on_commit_that_sends(self) -> None:
        """What on_commit sends is written at once, as outside of any transaction."""
        with transaction.atomic():
            transaction.on_commit(place)
            place()
        assert sorted(outcomes()) == [NONE, COMMITTED]

    def test_a_callback_of_on_commit_that_raises(self) -> None:
        """Where on_commit raises to the caller, the log is written all the same."""

        def fails() -> None:
            raise MineError

        def commits() -> None:
            with transaction.atomic():
                place()
                transaction.on_commit(fails)

        with pytest.raises(MineError):
            commits()
        assert outcomes() == [COMMITTED]

    def test_a_transaction_of_another_database(self) -> None:
        """One sent in a transaction of another database waits for the end of that."""
        with undone("other"):
            place()
            assert outcomes() == []
        assert outcomes() == [ROLLED_BACK]

    def test_with_autocommit_off(self) -> None:
        """With autocommit off it is written, and committed, after commit() or rollback()."""
        transaction.set_autocommit(False)
        try:
            place()
            assert outcomes() == []
            transaction.rollback()
            transaction.rollback()  # of nothing: what was written is committed
            assert outcomes() == [ROLLED_BACK]
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_a_copy_for_a_capture(self) -> None:
        """What waits keeps no capture() alive."""
        with transaction.atomic():
            with capture() as dispatches:
                place()
            [item] = the_delivery()._held  # type: ignore[attr-defined]
            assert item.dispatch is not dispatches[0]
            assert item.dispatch.id == dispatches[0].id
            assert isinstance(item.dispatch, RunningDispatch)
            assert item.dispatch.hearers is captures.NOBODY
        assert outcomes() == [COMMITTED]


@committing
@pytest.mark.usefixtures("delivered_after")
class TestEventLoops:
    def test_the_loop_is_not_blocked(self) -> None:
        """Under an event loop it is written in the thread of Django's async queries, soon."""

        async def main() -> int:
            place()
            for _ in range(2_000):
                if await AuditedDispatch.objects.acount():
                    break
                await asyncio.sleep(0.005)
            return await AuditedDispatch.objects.acount()

        assert async_to_sync(main)() == 1

    def test_a_transaction_of_async_code(self) -> None:
        """What a sync part sends in a transaction is written after it."""

        def part() -> None:
            with undone():
                place()

        async def main() -> None:
            await sync_to_async(part)()

        async_to_sync(main)()
        assert outcomes() == [ROLLED_BACK]


@committing
@pytest.mark.usefixtures("delivered_after")
class TestADatabaseThatDoesNot:
    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception | None], None]:
        """Let writing raise this, or let it work again."""
        real = base.written

        def break_by(error: Exception | None) -> None:
            def fails(*args: Any) -> int:
                assert error is not None
                raise error

            monkeypatch.setattr(after_transaction, "written", real if error is None else fails)
            monkeypatch.setattr(after_transaction, "_PAUSE", 0.0)

        return break_by

    def test_is_tried_at_the_next_chance(self, broken: Callable[..., None]) -> None:
        """What could not be written is written with the next, in its order; nothing raises."""
        broken(DatabaseError("locked"))
        place(n=1)
        place(n=2)
        assert the_delivery().waiting == 2
        broken(None)
        place(n=3)
        payloads = AuditedDispatch.objects.order_by("id").values_list("payload", flat=True)
        assert list(payloads) == ['{"n":1}', '{"n":2}', '{"n":3}']
        assert Gap.objects.count() == 0
        assert set(internal_errors.counts().values()) == {2}
        internal_errors.reset()

    def test_overflow(self, broken: Callable[..., None]) -> None:
        """Beyond QUEUE_SIZE what comes is lost, and a gap says how much."""
        with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"QUEUE_SIZE": 3}}):
            broken(DatabaseError("locked"))
            for _ in range(8):
                place()
            broken(None)
            assert the_delivery().flush(0)
        assert len(outcomes()) == 3
        assert list(Gap.objects.values_list("reason", "missing")) == [(GapReason.DATABASE, 5)]
        internal_errors.reset()

    def test_a_failure_of_ours(self, broken: Callable[..., None]) -> None:
        """What fails again and again for no reason of the database's is given up, and counted."""
        broken(ZeroDivisionError("ours"))
        for _ in range(3):
            place()
        assert the_delivery().waiting == 0
        broken(None)
        place()
        assert len(outcomes()) == 1
        assert list(Gap.objects.values_list("reason", "missing")) == [(GapReason.FAILURE, 3)]
        internal_errors.reset()


@pytest.fixture
def in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[BaseDatabaseWrapper]:
    """A SQLite file with the tables of the log, that is the audit's database."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    configured = connections.configure_settings({"default": database})["default"]
    monkeypatch.setitem(connections.settings, "file", configured)
    with django_db_blocker.unblock():
        from django.core.management import call_command

        call_command("migrate", "signal_audit", database="file", verbosity=0)
        with (
            override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DATABASE": "file"}}),
            audited("after_transaction"),
        ):
            yield connections["file"]
        connections["file"].close()
    del connections["file"]


class InDelivery(Interrupter):
    """Rings at the n-th place of the method that takes dispatches in hand to write them."""

    def trace(self, frame: types.FrameType, event: str, what: object) -> Any:
        if frame.f_code.co_name == "_write_batch":
            return super().trace(frame, event, what)
        if frame.f_back is not None:
            self.callers.add(id(frame.f_back))
        return None


@pytest.fixture
def time_limit() -> Iterator[None]:
    def handler(number: int, frame: types.FrameType | None) -> None:
        raise Limit

    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no SIGUSR1")
@pytest.mark.usefixtures("time_limit")
class TestTimeLimits:
    def test_one_that_strikes_while_a_transaction_begins(
        self, in_a_file: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The sender's connection is left without a transaction, and the dispatch waits."""
        in_a_file.ensure_connection()
        execute = SQLiteCursorWrapper.execute

        def ringing(cursor: Any, query: str, params: Any = None) -> Any:
            answer = execute(cursor, query, params)
            if query == "BEGIN IMMEDIATE":
                signal.raise_signal(signal.SIGUSR1)
            return answer

        monkeypatch.setattr(SQLiteCursorWrapper, "execute", ringing)
        with pytest.raises(Limit):
            place()
        monkeypatch.setattr(SQLiteCursorWrapper, "execute", execute)
        assert not is_begun(in_a_file)
        assert the_delivery().waiting == 1
        place()
        assert AuditedDispatch.objects.using("file").count() == 2

    def test_one_that_strikes_while_dispatches_are_taken(
        self, in_a_file: BaseDatabaseWrapper
    ) -> None:
        """Wherever it strikes there, each dispatch is written all the same."""
        in_a_file.ensure_connection()
        number = 0
        while True:
            number += 1
            interrupter = InDelivery(number)
            with contextlib.suppress(Limit), interrupter:
                place()
            if not interrupter.where:
                break
        assert number > 5
        assert the_delivery().flush(0)
        assert AuditedDispatch.objects.using("file").count() == number
        assert the_delivery().waiting == 0


class TestAFile:
    def test_a_connection_that_was_closed(self, in_a_file: BaseDatabaseWrapper) -> None:
        """A connection that was not open is closed again; one that was open is left open."""
        in_a_file.close()
        place()
        assert in_a_file.connection is None
        in_a_file.ensure_connection()
        place()
        assert in_a_file.connection is not None
        assert AuditedDispatch.objects.using("file").count() == 2

    def test_a_thread_without_a_connection(self, in_a_file: BaseDatabaseWrapper) -> None:
        """Senders that have no connection open use one of ours, and open none each time."""
        in_a_file.close()
        made: list[BaseDatabaseWrapper] = []

        def note(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
            made.append(connection)

        def work() -> None:
            for _ in range(5):
                place()
            assert not [each for each in connections.all(initialized_only=True) if each.connection]

        connection_created.connect(note)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        connection_created.disconnect(note)
        assert len(made) == 1
        assert made[0] is not in_a_file
        current.flush()
        assert AuditedDispatch.objects.using("file").count() == 15
        the_delivery().close(1)
        assert made[0].connection is None

    def test_an_idle_one(
        self, in_a_file: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ours is closed when nobody has used it for a while, at the end of a request say."""
        in_a_file.close()
        place()
        own = the_delivery()._own  # type: ignore[attr-defined]
        request_finished.send(None)
        assert own._wrapper is not None
        monkeypatch.setattr(own_connections, "IDLE_SECONDS", -1.0)
        request_finished.send(None)
        assert own._wrapper is None

    def test_without_tables(
        self, in_a_file: BaseDatabaseWrapper, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A log that was not migrated is told of in one line, which says what to run."""
        with in_a_file.schema_editor() as editor:
            editor.delete_model(Name)
        place()
        [record] = [each for each in caplog.records if each.name == "signal_inspector"]
        told = logging.Formatter().format(record)
        assert "does not have the tables of the signal audit" in told
        assert "manage.py migrate signal_audit --database file" in told
        assert "\n" not in told
        with in_a_file.schema_editor() as editor:
            editor.create_model(Name)
        assert the_delivery().flush(0)
        assert AuditedDispatch.objects.using("file").count() == 1
        internal_errors.reset()

    def test_the_cause_that_is_told(
        self,
        in_a_file: BaseDatabaseWrapper,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The log of a failure tells of its own cause, and of no search for an event loop."""

        def fails(*args: Any) -> int:
            raise DatabaseError("locked")

        monkeypatch.setattr(after_transaction, "written", fails)
        place()
        [record] = [each for each in caplog.records if each.name == "signal_inspector"]
        told = logging.Formatter().format(record)
        assert "locked" in told
        assert "event loop" not in told
        assert "During handling" not in told
        monkeypatch.undo()
        current.flush()
        internal_errors.reset()

    def test_threads(self, in_a_file: BaseDatabaseWrapper) -> None:
        """Each thread writes what it sent, on its own connection."""

        def work() -> None:
            try:
                with transaction.atomic("file"):
                    place()
            finally:
                connections.close_all()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
            thread.join()
        rows = AuditedDispatch.objects.using("file")
        assert list(rows.values_list("transaction_outcome", flat=True)) == [COMMITTED] * 3

    def test_what_a_loop_leaves_behind(self, in_a_file: BaseDatabaseWrapper) -> None:
        """What is sent right before its event loop ends is written all the same."""

        async def main() -> None:
            place()

        asyncio.run(main())
        delivery = the_delivery()
        eventually(lambda: delivery.flush(0) and not delivery.waiting)
        assert AuditedDispatch.objects.using("file").count() == 1

    def test_a_file_that_another_one_holds(
        self, in_a_file: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While another writes to the file the sender waits shortly, and the rows wait on."""
        monkeypatch.setattr(after_transaction, "_PAUSE", 0.0)
        place()
        other = sqlite3.connect(in_a_file.settings_dict["NAME"], isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        place()
        assert the_delivery().waiting == 1
        other.execute("ROLLBACK")
        other.close()
        place()
        assert the_delivery().waiting == 0
        assert AuditedDispatch.objects.using("file").count() == 3
        assert set(internal_errors.counts().values()) == {1}
        internal_errors.reset()

    def test_the_usual_wait_comes_back(self, in_a_file: BaseDatabaseWrapper) -> None:
        """The connection's own patience with locks is what it was."""
        in_a_file.ensure_connection()
        in_a_file.connection.execute("PRAGMA busy_timeout = 4321")
        place()
        assert in_a_file.connection.execute("PRAGMA busy_timeout").fetchone() == (4321,)

    def test_a_connection_closed_in_its_transaction(self, in_a_file: BaseDatabaseWrapper) -> None:
        """What was sent in a transaction whose connection was closed is written afterwards."""
        with transaction.atomic("file"):
            place()
            in_a_file.close()
        place()
        rows = AuditedDispatch.objects.using("file").order_by("id")
        assert list(rows.values_list("transaction_outcome", flat=True)) == [ROLLED_BACK, NONE]


@committing
@pytest.mark.usefixtures("by_inline")
class TestInline:
    def test_at_once(self) -> None:
        """A dispatch is in the log when send() returns, in a transaction too."""
        place()
        with transaction.atomic():
            place()
            assert outcomes() == [NONE, COMMITTED]

    def test_goes_with_a_rollback(self) -> None:
        """What was sent in a transaction that rolls back is not in the log."""
        with undone():
            place()
        assert outcomes() == []

    def test_a_doomed_transaction(self) -> None:
        """In a transaction that can only roll back it is written afterwards."""
        with transaction.atomic():
            transaction.set_rollback(True)
            place()
        assert outcomes() == [ROLLED_BACK]

    def test_a_row_that_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A write that fails leaves the sender's transaction as it was."""

        def fails(*args: Any) -> int:
            with connection.cursor() as cursor:
                cursor.execute("SELECT nothing FROM nowhere")
            return 0

        monkeypatch.setattr(inline, "written", fails)
        with transaction.atomic():
            Group.objects.create(name="kept")
            place()
            assert not connection.needs_rollback
            assert Group.objects.count() == 1
        assert Group.objects.count() == 1
        assert outcomes() == []
        internal_errors.reset()

    def test_a_transaction_that_the_server_has_ended(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where the write costs the whole transaction (a deadlock on MySQL) its commit fails."""
        needs("postgresql", "mysql")

        def fails(*args: Any) -> int:
            with contextlib.closing(connection.connection.cursor()) as cursor:
                cursor.execute("ROLLBACK")
            raise DatabaseError("deadlock")

        def sells() -> None:
            with transaction.atomic():
                Group.objects.create(name="gone")
                place()

        monkeypatch.setattr(inline, "written", fails)
        with pytest.raises((DatabaseError, InterfaceError)):
            sells()
        assert not Group.objects.exists()
        internal_errors.reset()

    def test_a_transaction_of_another_database(self) -> None:
        """How a transaction of another database ends is known when it has ended."""
        with undone("other"):
            place()
        assert outcomes() == [ROLLED_BACK]


def begin() -> None:
    """Begin a transaction in SQL, past Django."""
    execute("BEGIN")


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


@committing
class TestATransactionBegunInSQL:
    @pytest.fixture(autouse=True)
    def _ended(self) -> Iterator[None]:
        yield
        execute("ROLLBACK") if is_begun(connection) else None

    def test_rolled_back(self, delivery: str) -> None:
        """ROLLBACK undoes what it would undo without the log, and Django's own work goes on."""
        with audited(delivery):
            place()
            begin()
            Group.objects.create(name="gone")
            place()
            place()
            execute("ROLLBACK")
            assert not Group.objects.exists()
            with transaction.atomic():
                Group.objects.create(name="kept")
        assert [group.name for group in Group.objects.all()] == ["kept"]

    @pytest.fixture(params=["after_transaction", "inline"])
    def delivery(self, request: pytest.FixtureRequest) -> Any:
        return request.param

    @pytest.mark.usefixtures("delivered_after")
    def test_the_callers_promise(self) -> None:
        """What was sent in it is kept, whatever becomes of it."""
        for end in ("ROLLBACK", "COMMIT"):
            begin()
            Group.objects.create(name=end)
            place()
            execute(end)
        assert the_delivery().flush(0)
        assert len(outcomes()) == 2
        assert [group.name for group in Group.objects.all()] == ["COMMIT"]

    @pytest.mark.usefixtures("delivered_after")
    def test_at_once_on_a_server(self) -> None:
        """On a server it is kept at once, on another connection."""
        needs("postgresql", "mysql")
        begin()
        place()
        assert the_delivery().waiting == 0
        execute("ROLLBACK")
        assert len(outcomes()) == 1

    @pytest.mark.usefixtures("by_inline")
    def test_inline(self) -> None:
        """An inline row is in it: there if and only if it commits."""
        for end in ("ROLLBACK", "COMMIT"):
            begin()
            place()
            execute(end)
        assert outcomes() == [COMMITTED]

    @pytest.mark.usefixtures("by_inline")
    def test_that_has_failed(self) -> None:
        """In one that can only be rolled back, inline does as after_transaction, silently."""
        needs("postgresql")
        begin()
        with pytest.raises(DatabaseError):
            execute("SELECT nothing FROM nowhere")
        place()
        execute("ROLLBACK")
        assert len(outcomes()) == 1

    def test_a_driver_that_does_not_tell(self) -> None:
        """Where the driver does not say whether a transaction is open (mysqlclient) we ask."""
        needs("mysql")

        class Silent:
            def cursor(self) -> Any:
                return connection.connection.cursor()

        connection.ensure_connection()
        assert not _is_begun_on_mysql(Silent())
        begin()
        Group.objects.create(name="gone")
        assert _is_begun_on_mysql(Silent())
        execute("ROLLBACK")
        assert not _is_begun_on_mysql(Silent())
        assert not Group.objects.exists()

    def test_autocommit_off_in_sql(self) -> None:
        """A connection that SQL has taken out of autocommit is in a transaction."""
        needs("mysql")
        execute("SET autocommit = 0")
        assert is_begun(connection)
        execute("SET autocommit = 1")
        assert not is_begun(connection)


@committing
@pytest.mark.usefixtures("by_inline")
class TestNewNames:
    """Names are new after each deployment, and every process and place has some."""

    @pytest.fixture(autouse=True)
    def _new(self) -> Iterator[None]:
        needs("postgresql", "mysql")
        forget_names()
        yield
        forget_names()

    def in_threads(self, *functions: Callable[[], None]) -> list[BaseException]:
        """Run each in a thread of its own; what they raised."""
        raised: list[BaseException] = []

        def run(function: Callable[[], None]) -> None:
            try:
                function()
            except BaseException as error:
                raised.append(error)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=run, args=(function,)) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return raised

    def test_nobody_waits_for_them(self) -> None:
        """While a transaction is open that was first to need a name, others that need it go on."""
        sent, through = threading.Event(), threading.Event()

        def first() -> None:
            with transaction.atomic():
                place()
                sent.set()
                assert through.wait(30)

        def second() -> None:
            assert sent.wait(30)
            forget_names()  # as in another process
            with transaction.atomic():
                place()
            through.set()

        assert self.in_threads(first, second) == []
        assert outcomes() == [COMMITTED, COMMITTED]

    def test_no_deadlock(self) -> None:
        """One that sends and then locks a row, and one that does it the other way round."""
        group = Group.objects.create(name="a row")
        sent, locked = threading.Event(), threading.Event()

        def first() -> None:
            with transaction.atomic():
                place()
                sent.set()
                assert locked.wait(30)
                Group.objects.filter(pk=group.pk).update(name="first")  # waits for the second

        def second() -> None:
            assert sent.wait(30)
            forget_names()
            with transaction.atomic():
                Group.objects.filter(pk=group.pk).update(name="second")
                locked.set()
                place()

        assert self.in_threads(first, second) == []
        assert outcomes() == [COMMITTED, COMMITTED]

    def test_they_stay(self) -> None:
        """Names of a transaction that rolls back stay, and are known when it is tried again."""
        with undone():
            place()
        assert outcomes() == []
        assert Name.objects.exists()
        place()
        assert AuditedDispatch.objects.select_related("signal").get().signal.text

    def test_where_no_other_connection_can_be_had(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """If the server has no connection left, it is written after the transaction instead."""
        real = own_connections._made

        def refused(using: str) -> BaseDatabaseWrapper:
            wrapper = real(using)
            wrapper.settings_dict = {**wrapper.settings_dict, "PORT": "1"}
            return wrapper

        monkeypatch.setattr(after_transaction, "_PAUSE", 0.0)
        monkeypatch.setattr(own_connections, "_made", refused)
        with transaction.atomic():
            Group.objects.create(name="kept")
            place()
            assert outcomes() == []
        assert Group.objects.exists()
        assert outcomes() == [COMMITTED]
        assert Gap.objects.count() == 0
        internal_errors.reset()


@committing
@pytest.mark.usefixtures("by_inline")
class TestFigures:
    def test_rows_of_transactions_are_rolled_up(self) -> None:
        """Counts of dispatches that are sent in transactions are put together as others are."""
        for number in range(200):
            with undone() if number % 10 == 0 else transaction.atomic():
                place()
        assert len(outcomes()) == 180
        assert Tally.objects.count() < 80
        figures = Figures()
        for content in Tally.objects.values_list("content", flat=True):
            figures.merge_encoded(content)
        assert figures.dispatches().count == 180


class TestUnderATestRunner(TestCase):
    """In Django's own TestCase, whose tests run in a transaction."""

    def test_nothing_is_written(self) -> None:
        """A test that does not ask finds nothing in the log, and nothing listens."""
        place()
        assert outcomes() == []
        assert not sinks.process_sinks()

    @audited()
    def test_one_that_asks(self) -> None:
        """A test that asks finds what it sent at once."""
        place()
        with transaction.atomic():
            place()
        assert len(outcomes()) == 2

    def test_a_part_that_asks(self) -> None:
        """It can ask for a part of it, and parts of parts."""
        place()
        with audited():
            place()
            with audited():
                place()
            place()
        place()
        assert len(outcomes()) == 3

    @audited()
    def test_queries_are_not_counted(self) -> None:
        """assertNumQueries counts what it counted without the log."""
        place()
        with self.assertNumQueries(1):
            place()
            Group.objects.exists()
        with CaptureQueriesContext(connection) as queries:
            place()
        assert not queries.captured_queries

    @audited()
    def test_callbacks_are_not_counted(self) -> None:
        """captureOnCommitCallbacks finds the callbacks of the test alone."""
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            place()
        assert callbacks == []

    @audited()
    def test_a_database_that_is_not_declared(self) -> None:
        """A log in a database that the test may not use is not written; nothing is raised."""
        with override_settings(SIGNAL_INSPECTOR={"AUDIT": {"DATABASE": "other"}}):
            place()
        assert set(internal_errors.counts()) == {
            "writing the audit log (the database is unavailable)"
        }
        internal_errors.reset()

    @audited()
    def test_names_of_a_test(self) -> None:
        """Names go with the transaction of the test, as all it does."""
        forget_names()
        place()
        assert Name.objects.exists()
        if connection.vendor != "sqlite":
            with own_connections.opened("default") as other, other.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM signal_audit_name")
                assert cursor.fetchone() == (0,)
        forget_names()

    def test_isolation(self) -> None:
        """What another test kept is gone with its transaction."""
        assert outcomes() == []
