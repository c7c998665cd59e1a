"""SQL counted and timed for the receiver that sent it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from django.dispatch import Signal
from django.test.utils import CaptureQueriesContext

from signal_inspector import Details, Dispatch, capture, suppress
from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.record import queries
from signal_inspector.core.record.queries import count_query
from tests.fixed import fixed
from tests.listening import Live, listening

pytestmark = pytest.mark.django_db(databases=["default", "other"])


@pytest.fixture(autouse=True)
def _nothing_failed() -> Iterator[None]:
    """Nothing of ours failed in silence, and counting is on again."""
    yield
    queries.install()
    assert internal_errors.counts() == {}


@pytest.fixture(params=["fast", "observed"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both ways that a recorded sync dispatch may take."""
    with listening(*[Live()] * (request.param == "observed")):
        yield request.param


def ask(sql: str = "SELECT 1", alias: str = "default", times: int = 1) -> None:
    for _ in range(times):
        with connections[alias].cursor() as cursor:
            cursor.execute(sql)


def asking(times: int, alias: str = "default") -> Callable[..., None]:
    def receiver(**kwargs: Any) -> None:
        ask(alias=alias, times=times)

    return receiver


def connected(*receivers: Any) -> Signal:
    signal = Signal()
    for number, receiver in enumerate(receivers, 1):
        signal.connect(receiver, weak=False, dispatch_uid=number)
    return signal


def record(*receivers: Any) -> Dispatch:
    """The record of a send to these receivers."""
    with capture() as dispatches:
        connected(*receivers).send(None)
    return dispatches[0]


def counts(dispatch: Dispatch) -> list[int]:
    return [call.query_count for call in dispatch.calls]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[BaseDatabaseWrapper]:
    """A connection object of its own, on a database in a file, not opened yet."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    handler = ConnectionHandler({"default": database})
    yield handler["default"]
    handler["default"].close()


@pytest.mark.usefixtures("way")
class TestCounting:
    def test_each_receiver_has_its_own(self) -> None:
        """Queries are counted for the receiver that sent them."""
        dispatch = record(asking(2), asking(0), asking(3))
        assert (counts(dispatch), dispatch.query_count) == ([2, 0, 3], 5)

    def test_every_alias_is_counted(self) -> None:
        """Queries on any database are counted, each under its alias."""
        dispatch = record(asking(1), asking(2, "other"))
        assert counts(dispatch) == [1, 2]
        aliases = [[query.alias for query in call.queries] for call in dispatch.calls]
        assert aliases == [["default"], ["other", "other"]]

    def test_time_is_counted(self) -> None:
        """Query time is part of its receiver's time, and the sum of its statements'."""
        [call] = record(asking(3)).calls
        assert 0 < call.query_ns <= call.duration_ns
        assert call.query_ns == sum(query.duration_ns for query in call.queries)

    def test_statements_are_kept(self) -> None:
        """The SQL of each query is kept, in the order it was sent."""

        def receiver(**kwargs: Any) -> None:
            ask("SELECT 1")
            ask("SELECT 2")

        [call] = record(receiver).calls
        assert [query.sql for query in call.queries] == ["SELECT 1", "SELECT 2"]

    def test_parameters_are_not_kept(self) -> None:
        """A statement is kept with its placeholders, never with what is put there."""

        def receiver(**kwargs: Any) -> None:
            Group.objects.filter(name="a-secret-name").exists()

        [call] = record(receiver).calls
        assert "%s" in call.queries[0].sql
        assert "a-secret-name" not in repr(call.as_dict())

    def test_executemany_is_one_query(self) -> None:
        """One executemany() is one query, as Django counts it."""

        def receiver(**kwargs: Any) -> None:
            with connection.cursor() as cursor:
                rows = [(name,) for name in "abc"]
                cursor.executemany("INSERT INTO auth_group (name) VALUES (%s)", rows)

        assert counts(record(receiver)) == [1]
        assert Group.objects.count() == 3

    def test_a_failing_query_is_counted(self) -> None:
        """A query that the database refuses is counted, and its error goes on."""

        def receiver(**kwargs: Any) -> None:
            with pytest.raises(DatabaseError), transaction.atomic():
                ask("SELECT nothing FROM nowhere")

        [call] = record(receiver).calls
        assert "SELECT nothing FROM nowhere" in [query.sql for query in call.queries]

    def test_savepoints_count_as_they_do_in_django(self) -> None:
        """What Django's own query log holds is what is counted."""

        def receiver(**kwargs: Any) -> None:
            with transaction.atomic():
                Group.objects.create(name="clerks")

        with CaptureQueriesContext(connection) as log:
            dispatch = record(receiver)
        assert counts(dispatch) == [len(log)]
        assert len(log) == 3

    def test_nested_dispatches_have_their_own(self) -> None:
        """Queries belong to the innermost receiver, and to no dispatch around it."""
        inner = connected(asking(4))

        def sends_on(**kwargs: Any) -> None:
            ask()
            inner.send(None)
            ask()

        with capture() as dispatches:
            connected(sends_on, asking(1)).send(None)
        assert [counts(each) for each in dispatches] == [[2, 1], [4]]

    def test_queries_of_a_skipped_receiver_are_none(self) -> None:
        """Of a send that failed each receiver has the queries that it got to."""

        def fails(**kwargs: Any) -> None:
            ask()
            raise ValueError("no")

        with capture() as dispatches, pytest.raises(ValueError, match="no"):
            connected(asking(1), fails, asking(5)).send(None)
        assert counts(dispatches[0]) == [1, 1, 0]

    def test_queries_outside_dispatches_are_nobodys(self) -> None:
        """What the sender asks before and after is counted for no dispatch."""
        signal = connected(asking(1))
        with capture() as dispatches:
            ask()
            signal.send(None)
            ask()
        assert dispatches[0].query_count == 1

    def test_queries_of_an_exceptions_text_are_nobodys(self, way: str) -> None:
        """To ask an exception for its text is our doing: what that asks and sends is not told."""
        told = Signal()

        class AskingError(Exception):
            def __str__(self) -> str:
                told.send(None)
                ask()
                return "no stock"

        def failing(**kwargs: Any) -> None:
            ask()
            raise AskingError

        signal = connected(failing)
        with capture() as dispatches, pytest.raises(AskingError):
            signal.send(None)  # for send_robust() Django logs the text, which is not our doing
        [dispatch] = dispatches
        [call] = dispatch.calls
        assert call.failure is not None
        assert (call.failure.message, call.query_count) == ("no stock", 1)

    def test_suppressed_queries_are_nobodys(self) -> None:
        """Inside suppress() queries are not counted."""

        def hides(**kwargs: Any) -> None:
            ask()
            with suppress():
                ask()

        assert counts(record(hides)) == [1]

    def test_lazy_querysets_count_where_they_are_read(self) -> None:
        """A queryset that one receiver makes and the next reads is the next one's query."""
        made: list[Any] = []

        def makes(**kwargs: Any) -> None:
            made.append(Group.objects.all())

        def reads(**kwargs: Any) -> None:
            list(made[0])

        assert counts(record(makes, reads)) == [0, 1]


class TestAsync:
    def test_async_orm_in_async_receivers(self) -> None:
        """Queries of the async ORM are counted for the async receiver that awaits them."""

        def receiver(times: int) -> Callable[..., Any]:
            async def asks(**kwargs: Any) -> None:
                for _ in range(times):
                    await Group.objects.acount()

            return asks

        signal = connected(receiver(1), receiver(3), receiver(2))
        with capture() as dispatches:
            async_to_sync(signal.asend)(None)
        assert counts(dispatches[0]) == [1, 3, 2]

    def test_sync_receivers_of_asend(self) -> None:
        """Queries of a sync receiver are counted in the thread that asend() gives it."""
        with capture() as dispatches:
            async_to_sync(connected(asking(2), asking(1)).asend)(None)
        assert counts(dispatches[0]) == [2, 1]

    def test_threads_of_sync_to_async(self) -> None:
        """Queries in a thread of sync_to_async are counted for the receiver that awaits it."""

        async def receiver(**kwargs: Any) -> None:
            await sync_to_async(ask)(times=2)

        with capture() as dispatches:
            async_to_sync(connected(receiver).asend)(None)
        assert counts(dispatches[0]) == [2]

    def test_async_receivers_of_send(self) -> None:
        """Queries of an async receiver that send() runs are counted for it."""

        async def receiver(**kwargs: Any) -> None:
            await Group.objects.acount()

        assert counts(record(asking(1), receiver)) == [1, 1]

    def test_queries_of_a_task_after_the_end(self) -> None:
        """What a task of an async receiver asks later is still that receiver's."""
        tasks: list[Any] = []

        async def starts(**kwargs: Any) -> None:
            tasks.append(asyncio.create_task(later()))

        async def later() -> None:
            await asyncio.sleep(0.001)
            await Group.objects.acount()

        async def main() -> None:
            await connected(starts).asend(None)
            seen.append(counts(dispatches[0]))
            await tasks[0]
            seen.append(counts(dispatches[0]))

        seen: list[list[int]] = []
        with capture() as dispatches:
            async_to_sync(main)()
        assert seen == [[0], [1]]


class TestThreads:
    def test_a_receivers_own_thread_is_not_counted(self) -> None:
        """A plain thread that a receiver starts is nobody's: it inherits no context."""

        def work() -> None:
            ask()
            raw = connection.connection
            assert raw is not None
            raw.close()

        def starts(**kwargs: Any) -> None:
            thread = threading.Thread(target=contextvars.Context().run, args=(work,))
            thread.start()
            thread.join()

        assert counts(record(starts)) == [0]

    def test_each_thread_counts_its_own(self) -> None:
        """Dispatches in two threads, on two connections, each have their own queries."""
        found: dict[int, list[int]] = {}

        def work(times: int) -> None:
            found[times] = counts(record(asking(times)))
            raw = connection.connection
            assert raw is not None
            raw.close()

        threads = [threading.Thread(target=work, args=(times,)) for times in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == {1: [1], 2: [2], 3: [3]}


class TestBystanders:
    def test_assert_num_queries_counts_the_same(self, django_assert_num_queries: Any) -> None:
        """Recording adds no query and hides none from assertNumQueries."""
        signal = connected(asking(2))
        with django_assert_num_queries(2):
            signal.send(None)
        with django_assert_num_queries(2), capture():
            signal.send(None)

    @pytest.mark.parametrize("installed_inside", [False, True])
    def test_a_users_wrapper_is_taken_back(self, installed_inside: bool) -> None:
        """connection.execute_wrapper() adds and takes back the user's wrapper, never ours."""
        seen = []

        def users(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            seen.append(sql)
            return execute(sql, params, many, context)

        if installed_inside:
            queries.uninstall()
        with connection.execute_wrapper(users):
            queries.install()
            dispatch = record(asking(2))
        ask()
        assert (len(seen), counts(dispatch)) == (2, [2])
        assert connection.execute_wrappers == [count_query]

    def test_a_users_wrapper_survives_uninstall(self) -> None:
        """Taking ours off inside a user's wrapper leaves the user's."""

        def users(execute: Any, *args: Any) -> Any:
            return execute(*args)

        with connection.execute_wrapper(users):
            queries.uninstall()
            assert connection.execute_wrappers == [users]
        assert connection.execute_wrappers == []

    def test_a_users_wrapper_that_forbids_is_obeyed(self) -> None:
        """A wrapper that raises keeps the query from the database, as without us."""

        def forbids(*args: Any) -> None:
            raise RuntimeError("no queries here")

        def receiver(**kwargs: Any) -> None:
            with pytest.raises(RuntimeError, match="no queries here"):
                ask()

        with connection.execute_wrapper(forbids):
            record(receiver)

    def test_results_and_parameters_pass_through(self) -> None:
        """A counted query gets its parameters and gives its rows."""
        rows: list[Any] = []

        def receiver(**kwargs: Any) -> None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT %s, %s", [1, "two"])
                rows.append(cursor.fetchone())

        record(receiver)
        assert rows == [(1, "two")]

    def test_a_failure_to_count_is_not_felt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """When counting fails, the query is sent and its rows come back; we report it once."""
        monkeypatch.setattr(queries, "_note", None)
        dispatch = record(asking(3))
        assert counts(dispatch) == [0]
        assert internal_errors.counts() == {"counting a query": 3}
        internal_errors.reset()


class TestInstall:
    def test_a_connection_is_watched_once(self) -> None:
        """Installing again puts no second wrapper on a connection."""
        queries.install()
        queries.install()
        assert connection.execute_wrappers.count(count_query) == 1

    def test_a_connection_opened_later_is_watched(self, elsewhere: BaseDatabaseWrapper) -> None:
        """A connection that is opened after install() is counted from its first query."""

        def receiver(**kwargs: Any) -> None:
            with elsewhere.cursor() as cursor:
                cursor.execute("SELECT 1")

        assert elsewhere.connection is None
        [call] = record(receiver).calls
        assert [query.sql for query in call.queries][-1] == "SELECT 1"
        assert call.query_count == 1

    def test_a_connection_is_watched_after_it_was_closed(
        self, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """A connection that is closed and opened again is counted once per query."""

        def receiver(**kwargs: Any) -> None:
            for _ in range(3):
                with elsewhere.cursor() as cursor:
                    cursor.execute("SELECT 1")
                elsewhere.close()

        assert counts(record(receiver)) == [3]
        assert elsewhere.execute_wrappers.count(count_query) == 1

    def test_a_connection_opened_before_is_watched(self) -> None:
        """install() finds the connections that this thread has open."""
        queries.uninstall()
        uncounted = counts(record(asking(2)))
        queries.install()
        assert (uncounted, counts(record(asking(2)))) == ([0], [2])

    def test_uninstalled_new_connections_are_left_alone(
        self, elsewhere: BaseDatabaseWrapper
    ) -> None:
        """After uninstall() a connection that is opened has no wrapper of ours."""
        queries.uninstall()
        elsewhere.ensure_connection()
        assert elsewhere.execute_wrappers == []

    def test_uninstalling_twice_is_harmless(self) -> None:
        """A second uninstall() finds nothing to take off."""
        queries.uninstall()
        queries.uninstall()
        assert connection.execute_wrappers == []

    def test_asking_opens_no_connection(self) -> None:
        """install() creates no connection in a thread that has none."""
        found: list[bool] = []

        def work() -> None:
            queries.install()
            found.append(bool(list(connections.all(initialized_only=True))))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert found == [False]


class TestCaps:
    @fixed(Limits, statements=2)
    def test_counting_goes_on_when_statements_are_full(self) -> None:
        """So many texts are kept per call, and all queries counted."""
        dispatch = record(asking(5), asking(1))
        assert counts(dispatch) == [5, 1]
        assert [len(call.queries) for call in dispatch.calls] == [2, 1]

    @fixed(Limits, statement_length=10)
    def test_long_statements_are_cut(self) -> None:
        """So many characters of a text are kept, and the cut is shown."""

        def receiver(**kwargs: Any) -> None:
            ask("SELECT 'a long text'")

        [call] = record(receiver).calls
        assert call.queries[0].sql == "SELECT 'a " + "…"

    def test_texts_are_kept_only_when_asked_for(self) -> None:
        """Without Details.STATEMENTS queries are counted and timed, and no text is kept."""
        with capture(details=Details.NONE) as dispatches:
            connected(asking(2)).send(None)
        [call] = dispatches[0].calls
        assert (call.query_count, call.queries) == (2, ())
        assert call.query_ns > 0

    def test_sql_that_is_no_string_is_kept_as_text(self) -> None:
        """Composed SQL, as of psycopg, is kept as the text that it gives."""

        class Composed:
            def __str__(self) -> str:
                return "SELECT composed"

        def receiver(**kwargs: Any) -> None:
            def execute(*args: Any) -> None: ...

            count_query(execute, Composed(), None, False, {"connection": connection})  # type: ignore[arg-type]

        [call] = record(receiver).calls
        assert [query.sql for query in call.queries] == ["SELECT composed"]
