"""Whether a dispatch was sent in a transaction, and whether that rolled back."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import (
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.db.backends.base.base import BaseDatabaseWrapper
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse
from django.test import Client, TestCase
from django.urls import path

from signal_inspector import Details, Dispatch, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.captures import Dispatches
from signal_inspector.core.record import transactions
from tests.cutting import Cutting

#: Django 6.1 has a new name for it, and warns of the other.
savepoint = getattr(transaction, "savepoint_create", transaction.savepoint)

#: Without the blocks of a TestCase: transactions are what they are in production.
committing = pytest.mark.django_db(transaction=True, databases=["default", "other"])

order_placed = Signal()


class MineError(Exception):
    """What the tests raise to roll back."""


@contextmanager
def undone(using: str | None = None, **options: Any) -> Iterator[None]:
    """An atomic block that an exception ends."""
    try:
        with transaction.atomic(using, **options):
            yield
            raise MineError
    except MineError:
        pass


@pytest.fixture(autouse=True)
def _nothing_failed() -> Iterator[None]:
    """Nothing of ours failed in silence, and watching is on again."""
    yield
    transactions.install()
    assert internal_errors.counts() == {}


@pytest.fixture
def dispatches() -> Iterator[Dispatches]:
    with capture(details=Details.TRANSACTION) as dispatches:
        yield dispatches


def place() -> None:
    order_placed.send(None)


def write(alias: str = "default") -> None:
    """A write, which makes a database open the transaction that it was told of."""
    Group.objects.using(alias).create(name=f"group {Group.objects.using(alias).count()}")


def states(dispatches: list[Dispatch]) -> list[tuple[bool | None, bool | None]]:
    """Of each dispatch: in a transaction, rolled back."""
    return [(each.in_transaction, each.rolled_back) for each in dispatches]


OUTSIDE, COMMITTED, ROLLED_BACK = (False, False), (True, False), (True, True)


@committing
class TestAtomic:
    def test_outside_any_transaction(self, dispatches: Dispatches) -> None:
        """Without an atomic block a dispatch is in no transaction."""
        place()
        assert states(dispatches) == [OUTSIDE]

    def test_a_commit(self, dispatches: Dispatches) -> None:
        """A dispatch in a block that commits was in a transaction that did not roll back."""
        with transaction.atomic():
            write()
            place()
        assert states(dispatches) == [COMMITTED]

    def test_an_open_transaction(self, dispatches: Dispatches) -> None:
        """While its transaction is open a dispatch has not been rolled back."""
        with transaction.atomic():
            place()
            assert states(dispatches) == [COMMITTED]

    def test_a_rollback(self, dispatches: Dispatches) -> None:
        """A dispatch in a block that raises was rolled back, and is known to be afterwards."""
        with undone():
            write()
            place()
        assert states(dispatches) == [ROLLED_BACK]
        assert not Group.objects.exists()

    def test_a_rollback_without_a_query(self, dispatches: Dispatches) -> None:
        """A block that raises before any query rolls back all the same."""
        with undone():
            place()
        assert states(dispatches) == [ROLLED_BACK]

    def test_every_dispatch_of_a_transaction(self, dispatches: Dispatches) -> None:
        """All dispatches of one transaction share its end; those before and after do not."""
        place()
        with undone():
            place()
            place()
        place()
        assert states(dispatches) == [OUTSIDE, ROLLED_BACK, ROLLED_BACK, OUTSIDE]

    def test_transactions_one_after_the_other(self, dispatches: Dispatches) -> None:
        """The end of one transaction says nothing of the one before or after it."""
        for block in (transaction.atomic, undone, transaction.atomic):
            with block():
                place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, COMMITTED]

    def test_set_rollback(self, dispatches: Dispatches) -> None:
        """set_rollback(True) rolls back a block that ends without an exception."""
        with transaction.atomic():
            place()
            transaction.set_rollback(True)
        assert states(dispatches) == [ROLLED_BACK]

    def test_a_durable_block(self, dispatches: Dispatches) -> None:
        """A durable block is a transaction like any other."""
        with undone(durable=True):
            place()
        assert states(dispatches) == [ROLLED_BACK]

    def test_a_commit_that_fails(
        self, dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A transaction whose commit the database refuses was rolled back."""

        def refuses() -> None:
            raise IntegrityError("deferred")

        monkeypatch.setattr(connection, "_commit", refuses)
        with pytest.raises(IntegrityError), transaction.atomic():
            place()
        assert states(dispatches) == [ROLLED_BACK]

    def test_a_dispatch_in_on_commit(self, dispatches: Dispatches) -> None:
        """What an on_commit callback sends is outside the transaction that committed."""
        with transaction.atomic():
            transaction.on_commit(place)
            place()
        assert states(dispatches) == [COMMITTED, OUTSIDE]

    def test_receivers_that_open_a_transaction(self, dispatches: Dispatches) -> None:
        """A receiver's own transaction is that of what it sends, not of what sent to it."""
        inner = Signal()

        def receiver(**kwargs: Any) -> None:
            with transaction.atomic():
                inner.send(None)
                transaction.set_rollback(True)

        order_placed.connect(receiver)
        try:
            place()
        finally:
            order_placed.disconnect(receiver)
        assert states(dispatches) == [OUTSIDE, ROLLED_BACK]


@committing
class TestSavepoints:
    def test_a_rolled_back_savepoint_in_a_commit(self, dispatches: Dispatches) -> None:
        """An inner block that raises rolls back what was sent in it, and nothing else."""
        with transaction.atomic():
            place()
            with undone():
                place()
            place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, COMMITTED]

    def test_a_released_savepoint_in_a_rollback(self, dispatches: Dispatches) -> None:
        """What an inner block committed is rolled back with the outer one."""
        with undone():
            with transaction.atomic():
                place()
            place()
        assert states(dispatches) == [ROLLED_BACK, ROLLED_BACK]

    def test_a_released_savepoint_in_a_rolled_back_one(self, dispatches: Dispatches) -> None:
        """What was sent two levels in is rolled back by the level between."""
        with transaction.atomic():
            with undone(), transaction.atomic():
                place()
            place()
        assert states(dispatches) == [ROLLED_BACK, COMMITTED]

    def test_savepoints_one_after_the_other(self, dispatches: Dispatches) -> None:
        """Each inner block ends by itself."""
        with transaction.atomic():
            for fails in (True, False, True):
                with transaction.atomic():
                    place()
                    transaction.set_rollback(fails)
        assert states(dispatches) == [ROLLED_BACK, COMMITTED, ROLLED_BACK]

    def test_an_inner_block_without_a_savepoint(self, dispatches: Dispatches) -> None:
        """An inner block without savepoint that raises rolls back all of the outer one."""
        with transaction.atomic():
            place()
            with undone(savepoint=False):
                place()
        assert states(dispatches) == [ROLLED_BACK, ROLLED_BACK]

    def test_an_inner_block_without_a_savepoint_in_one_with(self, dispatches: Dispatches) -> None:
        """A block without savepoint rolls back the nearest savepoint around it, and no more."""
        with transaction.atomic():
            place()
            with transaction.atomic():
                place()
                with undone(savepoint=False):
                    place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, ROLLED_BACK]

    def test_a_dispatch_in_an_outer_block_after_inner_ones(self, dispatches: Dispatches) -> None:
        """A level that was left is not mistaken for one that is entered later."""
        with transaction.atomic():
            with transaction.atomic():
                place()
            with undone():
                place()
            with transaction.atomic():
                place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, COMMITTED]

    def test_set_rollback_in_an_inner_block(self, dispatches: Dispatches) -> None:
        """set_rollback(True) in an inner block rolls back that block."""
        with transaction.atomic():
            with transaction.atomic():
                place()
                transaction.set_rollback(True)
            place()
        assert states(dispatches) == [ROLLED_BACK, COMMITTED]


@committing
class TestSavepointsByHand:
    def test_a_rollback_to_one(self, dispatches: Dispatches) -> None:
        """What was sent since savepoint() is rolled back by savepoint_rollback(), no more."""
        with transaction.atomic():
            place()
            sid = savepoint()
            place()
            transaction.savepoint_rollback(sid)
            place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, COMMITTED]

    def test_a_release(self, dispatches: Dispatches) -> None:
        """What was sent in a savepoint that savepoint_commit() released is committed."""
        with transaction.atomic():
            sid = savepoint()
            place()
            transaction.savepoint_commit(sid)
            place()
        assert states(dispatches) == [COMMITTED, COMMITTED]

    def test_a_savepoint_is_there_after_a_rollback_to_it(self, dispatches: Dispatches) -> None:
        """One may be rolled back to as often as one likes."""
        with transaction.atomic():
            sid = savepoint()
            for _ in range(2):
                place()
                transaction.savepoint_rollback(sid)
            place()
            transaction.savepoint_commit(sid)
        assert states(dispatches) == [ROLLED_BACK, ROLLED_BACK, COMMITTED]

    def test_a_rollback_to_the_outer_of_two(self, dispatches: Dispatches) -> None:
        """The outer savepoint takes the inner one with it, and what was released before."""
        with transaction.atomic():
            outer = savepoint()
            place()
            inner = savepoint()
            place()
            released = savepoint()
            place()
            transaction.savepoint_commit(released)
            transaction.savepoint_rollback(outer)
            assert inner != outer
            place()
        assert states(dispatches) == [ROLLED_BACK] * 3 + [COMMITTED]

    def test_a_rollback_to_the_inner_of_two(self, dispatches: Dispatches) -> None:
        """The inner savepoint leaves the outer one as it was."""
        with transaction.atomic():
            savepoint()
            place()
            inner = savepoint()
            place()
            transaction.savepoint_rollback(inner)
            place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, COMMITTED]

    def test_one_in_an_inner_block(self, dispatches: Dispatches) -> None:
        """One that was made in an inner block is over when that block is left."""
        with transaction.atomic():
            with transaction.atomic():
                sid = savepoint()
                place()
                transaction.savepoint_rollback(sid)
                place()
            place()
            with undone():
                place()
        assert states(dispatches) == [ROLLED_BACK, COMMITTED, COMMITTED, ROLLED_BACK]

    def test_one_around_an_inner_block(self, dispatches: Dispatches) -> None:
        """What an inner block committed is rolled back to a savepoint that was made before it."""
        with transaction.atomic():
            sid = savepoint()
            with transaction.atomic():
                place()
            transaction.savepoint_rollback(sid)
            with transaction.atomic():
                place()
        assert states(dispatches) == [ROLLED_BACK, COMMITTED]

    def test_one_in_a_transaction_that_rolls_back(self, dispatches: Dispatches) -> None:
        """The whole transaction takes released savepoints with it."""
        with undone():
            sid = savepoint()
            place()
            transaction.savepoint_commit(sid)
        assert states(dispatches) == [ROLLED_BACK]

    def test_one_of_another_database(self, dispatches: Dispatches) -> None:
        """A savepoint of one database says nothing of what was sent in another alone."""
        with transaction.atomic():
            place()
            with transaction.atomic("other"):
                sid = savepoint("other")
                place()
                transaction.savepoint_rollback(sid, "other")
                place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, COMMITTED]

    @pytest.mark.skipif(connection.vendor == "sqlite", reason="Django makes none there")
    def test_with_autocommit_off(self, dispatches: Dispatches) -> None:
        """Without any block, a savepoint is one of the transaction that autocommit leaves open."""
        transaction.set_autocommit(False)
        try:
            write()
            sid = savepoint()
            place()
            transaction.savepoint_rollback(sid)
            place()
            transaction.commit()
        finally:
            transaction.rollback()
            transaction.set_autocommit(True)
        assert states(dispatches) == [ROLLED_BACK, COMMITTED]

    def test_nothing_of_one_is_left(self, dispatches: Dispatches) -> None:
        """One that was never released is forgotten when its transaction ends."""
        with transaction.atomic():
            savepoint()
            place()
        with transaction.atomic():
            place()
            stack = transactions._stacks.get(connections["default"]) or []
            assert [name for name, _ in stack] == [""]
        assert states(dispatches) == [COMMITTED, COMMITTED]
        assert connections["default"] not in transactions._savepoints


UNKNOWN = (True, None)


@committing
class TestCommitsWithoutAnswer:
    """Where the connection breaks while it waits for the answer to COMMIT."""

    @pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("gone")])
    @pytest.mark.skipif(connection.vendor == "sqlite", reason="nothing can be lost on its way")
    def test_is_unknown(
        self, dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        """Nobody knows whether the database has committed, so nothing else is said."""
        self.commit_raising(error, monkeypatch)
        assert states(dispatches) == [UNKNOWN]

    def test_an_interruption_is_unknown(
        self, dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a signal handler raises while the process waits says nothing of the database."""
        self.commit_raising(MineError("time is up"), monkeypatch)
        assert states(dispatches) == [UNKNOWN]

    @pytest.mark.parametrize("error", [IntegrityError("deferred"), DataError("too long")])
    def test_a_refusal_is_a_rollback(
        self, dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        """What the database has refused to commit it has rolled back."""
        self.commit_raising(error, monkeypatch)
        assert states(dispatches) == [ROLLED_BACK]

    def test_what_was_rolled_back_before_is_known(
        self, dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A savepoint that was rolled back is, whatever became of the transaction around it."""

        def place_in_one() -> None:
            with undone():
                place()

        self.commit_raising(MineError(), monkeypatch, place_in_one)
        assert states(dispatches) == [ROLLED_BACK]

    def test_the_next_transaction_is_known(
        self, dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer that was lost is that of one transaction."""
        with monkeypatch.context() as patches:
            self.commit_raising(MineError(), patches)
        with transaction.atomic():
            place()
        assert states(dispatches) == [UNKNOWN, COMMITTED]

    def test_a_failing_callback_of_on_commit_is_no_lost_answer(
        self, dispatches: Dispatches
    ) -> None:
        """What a callback raises comes after the commit."""

        def fails() -> None:
            raise OperationalError("of another server")

        with pytest.raises(OperationalError), transaction.atomic():  # noqa: PT012
            place()
            transaction.on_commit(fails)
        assert states(dispatches) == [COMMITTED]

    @staticmethod
    def commit_raising(
        error: Exception, patches: pytest.MonkeyPatch, sends: Callable[[], None] = place
    ) -> None:
        """Send in a transaction whose commit raises this."""

        def fails() -> None:
            raise error

        # Django turns autocommit on then, which psycopg refuses while a transaction is open.
        with (  # noqa: PT012
            pytest.raises((type(error), ProgrammingError)),
            transaction.atomic(),
        ):
            sends()
            patches.setattr(connection, "_commit", fails)
        if not connection.autocommit:
            connection.rollback()
            connection.set_autocommit(True)


@committing
@pytest.mark.skipif(connection.vendor == "sqlite", reason="has no connection that can be cut")
class TestCutConnections:
    """The same on the server: a proxy loses the answer to the COMMIT that it has passed on."""

    @pytest.fixture
    def cutting(
        self, monkeypatch: pytest.MonkeyPatch, transactional_db: None
    ) -> Iterator[Cutting]:
        """Makes "other" a way to the first database whose answers can be lost."""
        settings, other = connections["default"].settings_dict, connections["other"]
        with Cutting(settings["HOST"], int(settings["PORT"])) as proxy:
            other.close()
            with monkeypatch.context() as patches:
                cut = {"HOST": "127.0.0.1", "PORT": str(proxy.port), "NAME": settings["NAME"]}
                for name, value in cut.items():
                    patches.setitem(other.settings_dict, name, value)
                yield proxy
                other.close()

    @staticmethod
    @contextmanager
    def losing(cutting: Cutting) -> Iterator[None]:
        """A transaction whose commit arrives, while its answer does not."""
        lost = pytest.raises((OperationalError, InterfaceError))
        with cutting.at_commit(), lost, transaction.atomic("other"):
            yield

    def test_a_commit_that_arrived_is_unknown(
        self, dispatches: Dispatches, cutting: Cutting
    ) -> None:
        """The row is there, and the application has an error: the record says neither."""
        with self.losing(cutting):
            Group.objects.using("other").create(name="is there")
            place()
        assert Group.objects.filter(name="is there").exists()
        assert states(dispatches) == [UNKNOWN]

    def test_the_connection_made_next_is_known(
        self, dispatches: Dispatches, cutting: Cutting
    ) -> None:
        """What is sent once the database is back is told as ever."""
        with self.losing(cutting):
            write("other")
            place()
        connections["other"].close()
        with transaction.atomic("other"):
            place()
        with undone("other"):
            place()
        assert states(dispatches) == [UNKNOWN, COMMITTED, ROLLED_BACK]

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="has no deferred constraints")
    def test_a_deferred_constraint_is_a_rollback(self, dispatches: Dispatches) -> None:
        """The server has answered that it refuses: nothing is unknown."""
        with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012
            with connection.cursor() as cursor:
                cursor.execute(
                    "CREATE TEMP TABLE once (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)"
                )
                cursor.execute("INSERT INTO once VALUES (1), (1)")
            place()
        assert states(dispatches) == [ROLLED_BACK]

    @pytest.mark.skipif(connection.vendor != "postgresql", reason="goes on after an error")
    def test_a_transaction_that_an_error_has_doomed_is_rolled_back(
        self, dispatches: Dispatches
    ) -> None:
        """PostgreSQL answers the COMMIT of such a one by rolling it back, and raises nothing."""
        with transaction.atomic():
            place()
            with pytest.raises(ProgrammingError), connection.cursor() as cursor:
                cursor.execute("SELECT no_such_column")
        assert states(dispatches) == [ROLLED_BACK]


@committing
@pytest.mark.skipif(connection.vendor == "mysql", reason="its driver does not say")
class TestBegunPastDjango:
    def test_is_in_a_transaction(self, dispatches: Dispatches) -> None:
        """A BEGIN of the application's own is a transaction; how it ends is not known."""
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            place()
            cursor.execute("ROLLBACK")
            place()
        assert states(dispatches) == [UNKNOWN, OUTSIDE]


@committing
class TestAutocommitOff:
    @pytest.fixture(autouse=True)
    def _manual(self, dispatches: Dispatches) -> Iterator[None]:
        transaction.set_autocommit(False)
        yield
        if not connection.get_autocommit():
            transaction.rollback()
            transaction.set_autocommit(True)

    def test_a_manual_commit(self, dispatches: Dispatches) -> None:
        """With autocommit off a dispatch is in a transaction, which commit() ends."""
        write()
        place()
        transaction.commit()
        assert states(dispatches) == [COMMITTED]

    def test_a_manual_rollback(self, dispatches: Dispatches) -> None:
        """rollback() rolls back what was sent since the last end of a transaction."""
        place()
        transaction.commit()
        place()
        transaction.rollback()
        place()
        transaction.commit()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK, COMMITTED]

    @pytest.mark.skipif(
        connection.vendor == "postgresql", reason="psycopg refuses it in an open transaction"
    )
    def test_turning_autocommit_on_commits(self, dispatches: Dispatches) -> None:
        """set_autocommit(True) ends the transaction; a later rollback is another one's."""
        write()
        place()
        transaction.set_autocommit(True)
        with undone():
            place()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK]
        assert Group.objects.count() == 1

    def test_an_atomic_block_is_a_savepoint(self, dispatches: Dispatches) -> None:
        """With autocommit off the outermost block rolls back to a savepoint."""
        write()
        place()
        with undone():
            place()
        transaction.commit()
        assert states(dispatches) == [COMMITTED, ROLLED_BACK]

    def test_an_atomic_block_is_undone_with_what_is_around_it(
        self, dispatches: Dispatches
    ) -> None:
        """With autocommit off a block that succeeded is still undone by rollback()."""
        write()
        with transaction.atomic():
            place()
        transaction.rollback()
        assert states(dispatches) == [ROLLED_BACK]


@pytest.fixture
def elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> Iterator[BaseDatabaseWrapper]:
    """A database in a file, whose connection can be closed, under an alias of its own."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    configured = connections.configure_settings({"default": database})["default"]
    monkeypatch.setitem(connections.settings, "elsewhere", configured)
    with django_db_blocker.unblock():
        yield connections["elsewhere"]
        connections["elsewhere"].close()
    del connections["elsewhere"]


class TestElsewhere:
    def test_closing_in_a_transaction_rolls_back(
        self, dispatches: Dispatches, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """What was sent in a transaction whose connection is closed was rolled back."""
        with transaction.atomic("elsewhere"):
            place()
            elsewhere.close()
        assert states(dispatches) == [ROLLED_BACK]

    def test_after_closing_there_is_no_transaction(
        self, dispatches: Dispatches, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """In the rest of a block whose connection is closed no transaction is open."""
        with transaction.atomic("elsewhere"):
            elsewhere.close()
            place()
        assert states(dispatches) == [OUTSIDE]

    def test_the_next_transaction_is_another(
        self, dispatches: Dispatches, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """A transaction of the connection that is opened next ends by itself."""
        with transaction.atomic("elsewhere"):
            place()
            elsewhere.close()
        with transaction.atomic("elsewhere"):
            place()
        assert states(dispatches) == [ROLLED_BACK, COMMITTED]

    def test_closing_after_a_commit_rolls_back_nothing(
        self, dispatches: Dispatches, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """The close at the end of a request says nothing of transactions that have ended."""
        with transaction.atomic("elsewhere"):
            place()
        elsewhere.close()
        assert states(dispatches) == [COMMITTED]

    def test_closing_with_autocommit_off_rolls_back(
        self, dispatches: Dispatches, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """What was not committed by hand is rolled back when the connection is closed."""
        transaction.set_autocommit(False, "elsewhere")
        place()
        elsewhere.close()
        assert states(dispatches) == [ROLLED_BACK]

    def test_closing_after_autocommit_was_turned_on_rolls_back_nothing(
        self, dispatches: Dispatches, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """What set_autocommit(True) committed is not rolled back by a later close."""
        transaction.set_autocommit(False, "elsewhere")
        place()
        transaction.set_autocommit(True, "elsewhere")
        elsewhere.close()
        assert states(dispatches) == [COMMITTED]

    def test_a_rollback_that_fails_is_one(
        self,
        dispatches: Dispatches,
        elsewhere: BaseDatabaseWrapper,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """When the rollback itself fails, Django drops the connection, which rolls back."""

        def refuses() -> None:
            raise IntegrityError("gone")

        with undone("elsewhere"):
            place()
            monkeypatch.setattr(elsewhere, "_rollback", refuses)
        assert states(dispatches) == [ROLLED_BACK]

    def test_closing_is_an_end(self, elsewhere: BaseDatabaseWrapper) -> None:
        """Who waits for the end of a transaction hears of it when the connection is closed."""
        heard: list[bool] = []
        with transaction.atomic("elsewhere"):
            transactions.when_ended(elsewhere, lambda: heard.append(elsewhere.connection is None))
            elsewhere.close()
            assert len(heard) == 1

    def test_no_connection_is_opened(self, elsewhere: BaseDatabaseWrapper) -> None:
        """Asking opens no connection that was not open."""
        with capture():
            place()
        assert elsewhere.connection is None

    def test_nothing_is_kept_of_a_connection(self, elsewhere: BaseDatabaseWrapper) -> None:
        """The notes of a connection die with it."""
        gc.collect()
        before = len(transactions._stacks)
        connection_object = elsewhere.copy()
        with pytest.MonkeyPatch.context() as patches:
            patches.setitem(connections.settings, "copied", elsewhere.settings_dict)
            connections["copied"] = connection_object
            with capture(), transaction.atomic("copied"):
                place()
            connection_object.close()
            assert len(transactions._stacks) == before + 1
            del connections["copied"]
        del connection_object
        gc.collect()
        assert len(transactions._stacks) == before


@committing
class TestSeveralDatabases:
    @pytest.mark.parametrize("alias", ["default", "other"])
    def test_a_transaction_on_any_counts(self, dispatches: Dispatches, alias: str) -> None:
        """A dispatch is in a transaction when one is open on any database."""
        with undone(alias):
            place()
        assert states(dispatches) == [ROLLED_BACK]

    @pytest.mark.parametrize("failing", ["default", "other"])
    def test_a_rollback_on_any_counts(self, dispatches: Dispatches, failing: str) -> None:
        """A dispatch in transactions of two databases is rolled back by either."""
        with transaction.atomic("default"), transaction.atomic("other"):
            place()
            transaction.set_rollback(True, failing)
        assert states(dispatches) == [ROLLED_BACK]

    def test_the_transaction_of_another_database_is_no_part_of_it(
        self, dispatches: Dispatches
    ) -> None:
        """A transaction that was opened after the dispatch does not roll it back."""
        with transaction.atomic("default"):
            place()
            with undone("other"):
                pass
        assert states(dispatches) == [COMMITTED]


def placing_view(request: HttpRequest) -> HttpResponse:
    place()
    if "fail" in request.GET:
        raise MineError
    return HttpResponse("placed")


urlpatterns = [path("place/", placing_view)]


@committing
class TestAtomicRequests:
    @pytest.fixture(autouse=True)
    def _atomic(self, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
        settings.ROOT_URLCONF = __name__
        monkeypatch.setitem(connections.settings["default"], "ATOMIC_REQUESTS", True)

    @pytest.mark.parametrize(("query", "state"), [("", COMMITTED), ("?fail", ROLLED_BACK)])
    def test_a_view_is_a_transaction(
        self, dispatches: Dispatches, query: str, state: tuple[bool, bool]
    ) -> None:
        """With ATOMIC_REQUESTS a view that raises rolls back what it sent."""
        Client(raise_request_exception=False).get(f"/place/{query}")
        assert states(dispatches) == [state]


class TestInATestCase(TestCase):
    """The blocks that TestCase puts around each test do not count."""

    databases = "__all__"

    def recorded(self, work: Callable[[], None]) -> list[tuple[bool | None, bool | None]]:
        with capture(details=Details.TRANSACTION) as dispatches:
            work()
        return states(dispatches)

    def test_outside_a_block(self) -> None:
        """A test of TestCase is in no transaction of the user's."""
        assert self.recorded(place) == [OUTSIDE]

    def test_a_commit(self) -> None:
        """The first block of the test is the transaction."""

        def work() -> None:
            with transaction.atomic():
                place()

        assert self.recorded(work) == [COMMITTED]

    def test_a_rollback(self) -> None:
        """The first block of the test, when it raises, is a rollback."""

        def work() -> None:
            with undone():
                place()

        assert self.recorded(work) == [ROLLED_BACK]

    def test_a_savepoint(self) -> None:
        """An inner block rolls back by itself, and with the outer one."""

        def work() -> None:
            with undone(), transaction.atomic():
                place()
            with transaction.atomic():
                with transaction.atomic():
                    place()
                    transaction.set_rollback(True)
                place()

        assert self.recorded(work) == [ROLLED_BACK, ROLLED_BACK, COMMITTED]

    def test_another_database(self) -> None:
        """Blocks on another database count as well."""

        def work() -> None:
            with transaction.atomic("other"):
                place()
                transaction.set_rollback(True, "other")

        assert self.recorded(work) == [ROLLED_BACK]

    def test_callbacks_on_commit_are_the_users(self) -> None:
        """captureOnCommitCallbacks() holds what the user registered, and nothing of ours."""
        with self.captureOnCommitCallbacks() as callbacks, capture(), transaction.atomic():
            place()
            transaction.on_commit(place)
            place()
        assert callbacks == [place]

    def test_queries_are_the_users(self) -> None:
        """assertNumQueries() counts what it counts without us."""

        def work() -> None:
            with transaction.atomic():
                place()

        with self.assertNumQueries(2):  # a savepoint and its release
            work()
        with self.assertNumQueries(2), capture():
            work()


@pytest.mark.django_db
class TestInAPytestTest:
    def test_the_blocks_of_the_db_fixture_do_not_count(self, dispatches: Dispatches) -> None:
        """Under pytest-django's db fixture, too, only the test's own blocks count."""
        place()
        with transaction.atomic():
            place()
            transaction.set_rollback(True)
        assert states(dispatches) == [OUTSIDE, ROLLED_BACK]


@committing
class TestBystanders:
    def test_run_on_commit_is_untouched(self, dispatches: Dispatches) -> None:
        """A dispatch in a transaction registers no callback."""
        with transaction.atomic():
            place()
            assert connection.run_on_commit == []
        assert states(dispatches) == [COMMITTED]

    def test_no_query_is_added(
        self, dispatches: Dispatches, django_assert_num_queries: Any
    ) -> None:
        """Asking for the state of transactions sends no query, in a block or outside."""
        with django_assert_num_queries(0):
            place()
        with django_assert_num_queries(2), transaction.atomic():  # BEGIN and COMMIT
            place()

    def test_a_failure_of_ours_is_not_felt(
        self, dispatches: Dispatches, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """When watching fails, the transaction ends as ever, and we report it."""
        monkeypatch.setattr(transactions, "_ended", None)
        with transaction.atomic():
            write()
            place()
        assert Group.objects.count() == 1
        assert "watching a transaction" in internal_errors.counts()
        internal_errors.reset()

    def test_nothing_is_asked_unless_wanted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without Details.TRANSACTION no connection is looked at."""
        monkeypatch.setattr(transactions, "open_marks", None)
        with capture(details=Details.ALL & ~Details.TRANSACTION) as dispatches:
            place()
        assert states(dispatches) == [(None, None)]


METHODS = ("commit", "rollback", "savepoint_rollback", "close", "set_autocommit")


class TestInstall:
    def test_installing_again_changes_nothing(self) -> None:
        """A second install() leaves the methods as the first made them."""
        before = {name: BaseDatabaseWrapper.__dict__[name] for name in METHODS}
        transactions.install()
        assert {name: BaseDatabaseWrapper.__dict__[name] for name in METHODS} == before

    def test_uninstall_restores_djangos_methods(self) -> None:
        """Without us the methods are those that Django defined."""
        wrapped = {name: BaseDatabaseWrapper.__dict__[name].__wrapped__ for name in METHODS}
        transactions.uninstall()
        assert {name: BaseDatabaseWrapper.__dict__[name] for name in METHODS} == wrapped

    def test_uninstalling_again_changes_nothing(self) -> None:
        """A second uninstall() finds nothing of ours."""
        transactions.uninstall()
        before = {name: BaseDatabaseWrapper.__dict__[name] for name in METHODS}
        transactions.uninstall()
        assert {name: BaseDatabaseWrapper.__dict__[name] for name in METHODS} == before

    @pytest.mark.parametrize("copies", [False, True])
    def test_a_foreign_patch_over_ours_stays(self, copies: bool) -> None:
        """uninstall() leaves what another tool put over ours, with functools.wraps or without."""
        ours = BaseDatabaseWrapper.__dict__["commit"]

        def foreign(self: BaseDatabaseWrapper) -> None:
            ours(self)

        patch = functools.wraps(ours)(foreign) if copies else foreign
        with pytest.MonkeyPatch.context() as patches:
            patches.setattr(BaseDatabaseWrapper, "commit", patch)
            transactions.uninstall()
            assert BaseDatabaseWrapper.__dict__["commit"] is patch
        # What lies under it is ours still, and install() knows it again.
        transactions.install()
        assert BaseDatabaseWrapper.__dict__["commit"] is ours


@committing
class TestWhenEnded:
    @pytest.fixture
    def heard(self) -> list[str]:
        return []

    def wait(self, heard: list[str]) -> None:
        def ended() -> None:
            usable = connection.get_autocommit() and not connection.in_atomic_block
            heard.append("usable" if usable else "not usable")

        transactions.when_ended(connections["default"], ended)

    def test_after_the_outermost_block(self, heard: list[str]) -> None:
        """It is called when the outermost block has been left, not an inner one."""
        with transaction.atomic():
            with transaction.atomic():
                self.wait(heard)
            assert heard == []
        assert heard == ["usable"]

    def test_after_a_rollback(self, heard: list[str]) -> None:
        """A transaction that rolls back has ended too."""
        with undone():
            self.wait(heard)
        assert heard == ["usable"]

    def test_after_on_commit(self, heard: list[str]) -> None:
        """Callbacks of on_commit come first, also those that raise."""

        def fails() -> None:
            heard.append("on_commit")
            raise MineError

        def commits() -> None:
            with transaction.atomic():
                self.wait(heard)
                transaction.on_commit(fails)

        with pytest.raises(MineError):
            commits()
        assert heard == ["on_commit", "usable"]

    def test_once(self, heard: list[str]) -> None:
        """It is called once, however often it was asked for, and not for the next transaction."""

        def ended() -> None:
            heard.append("ended")

        with transaction.atomic():
            transactions.when_ended(connections["default"], ended)
            transactions.when_ended(connections["default"], ended)
        with transaction.atomic():
            pass
        assert heard == ["ended"]

    def test_with_autocommit_off(self, heard: list[str]) -> None:
        """With autocommit off each commit() by hand is an end, and no block's exit is."""
        transaction.set_autocommit(False)
        try:
            with transaction.atomic():
                self.wait(heard)
            assert heard == []
            transaction.commit()
            assert heard == ["not usable"]
        finally:
            transaction.set_autocommit(True)

    def test_what_it_raises(self, heard: list[str]) -> None:
        """What a callback raises is reported, reaches nobody, and stops no other callback."""

        def fails() -> None:
            raise MineError

        with transaction.atomic():
            transactions.when_ended(connections["default"], fails)
            self.wait(heard)
        assert heard == ["usable"]
        assert internal_errors.counts() == {"reporting the end of a transaction": 1}
        internal_errors.reset()

    def test_no_query(self, django_assert_num_queries: Any) -> None:
        """Waiting adds no query and no on_commit callback."""
        with django_assert_num_queries(2), transaction.atomic():  # BEGIN and COMMIT
            self.wait([])
            assert connection.run_on_commit == []


@committing
class TestMarks:
    def test_open_until_the_end(self, dispatches: Dispatches) -> None:
        """A mark is open until the outermost transaction has ended."""
        with transaction.atomic():
            with transaction.atomic():
                place()
            [mark] = dispatches[0].transactions
            assert mark.is_open
        assert not mark.is_open

    def test_rolled_back_is_not_open(self, dispatches: Dispatches) -> None:
        """What is known to be rolled back is not open, though a transaction around it is."""
        with transaction.atomic():
            with undone():
                place()
            assert not dispatches[0].transactions[0].is_open

    def test_an_id_for_each_transaction(self, dispatches: Dispatches) -> None:
        """All levels of a transaction share its id, which the next one does not have."""
        with transaction.atomic():
            place()
            with transaction.atomic():
                place()
        with transaction.atomic():
            place()
        first, inner, second = [each.transactions[0].transaction_id for each in dispatches]
        assert first == inner
        assert first != second
