"""The log as a source for ``signals watch``, and of what receivers sent on."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, connections
from django.dispatch import Signal

from signal_inspector import Dispatch, capture
from signal_inspector.audit import log_source
from signal_inspector.audit.destinations.database.writing import write
from signal_inspector.audit.log_source import sent_on
from signal_inspector.audit.models import AuditedCall, AuditedDispatch
from signal_inspector.audit.search.entries import Follower
from signal_inspector.core import registry
from signal_inspector.core.registry import Asked, SentOn, SourceAwayError
from signal_inspector.watch.listening import read_seen
from tests.audit.rows_made import many_rows, rows_of, with_column

pytestmark = pytest.mark.django_db

outer = Signal()
inner = Signal()
HERE = __name__


def send_on(sender: object, **kwargs: Any) -> None:
    inner.send(sender)
    inner.send(sender)


@pytest.fixture
def sent() -> None:
    """Three dispatches, each of which caused two, in the log."""
    outer.connect(send_on)
    with capture() as dispatches:
        for _ in range(3):
            outer.send("a till")
    outer.disconnect(send_on)
    write([rows_of(dispatch) for dispatch in dispatches], "default")


class TestSource:
    def test_is_offered(self) -> None:
        """The app registers it under the name that the command asks for."""
        assert registry.watch_source("audit") is not None

    def test_new_ones_once(self) -> None:
        """What is written from now on comes once, in the form of the recorder's."""
        write(many_rows(1), "default")
        log = log_source.open_source(Asked())
        assert list(log.look()) == []
        write(many_rows(2, password="hunter2", order=42), "default")
        found = list(log.look())
        assert list(log.look()) == []
        log.close()
        assert len(found) == 2
        seen = read_seen(found[0])
        assert (seen.process, seen.dispatch.sender, seen.has_failed) == ("a process", "str", True)
        assert [call.outcome for call in seen.dispatch.calls] == ["returned", "raised"]
        failure = seen.dispatch.calls[1].failure
        assert failure is not None
        assert (failure.exception_class, failure.message) == ("ValueError", "no stock")
        assert seen.dispatch.payload is not None
        assert seen.dispatch.payload["order"].text == "42"
        assert "hunter2" not in str(found)

    def test_the_same_as_from_the_recorder(self, sent: None) -> None:
        """Where the log has a value at all, it is that of Dispatch.as_dict()."""
        log = log_source.open_source(Asked())
        outer.connect(send_on)
        with capture() as dispatches:
            outer.send("a till")
        outer.disconnect(send_on)
        write([rows_of(dispatch) for dispatch in dispatches], "default")
        by_id = {data["dispatch"]["id"]: data["dispatch"] for data in log.look()}
        for dispatch in dispatches:
            told = dispatch.as_dict()
            found = by_id[told["id"]]
            for key in ("parent_id", "parent_call", "signal", "sender", "method", "outcome"):
                assert found.get(key) == told.get(key), key
            assert [call["receiver"] for call in found["calls"]] == [
                call["receiver"] for call in told["calls"]
            ]
            assert Dispatch.from_dict(found).as_dict() == found
            assert Dispatch.from_dict(found).duration_ns == dispatch.duration_ns

    def test_filters(self) -> None:
        """Only what is asked for is read."""
        log = log_source.open_source(Asked(signal="nothing.*"))
        failures = log_source.open_source(Asked(failures=True))
        rows = many_rows(2)
        write([rows[0], with_column(rows[1], "is_failed", None)], "default")
        assert list(log.look()) == []
        assert [data["dispatch"]["id"] for data in failures.look()] == [rows[0].id]

    def test_database_that_is_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is worth another try, and a person is told."""
        log = log_source.open_source(Asked())

        def away(self: Follower, now: Any) -> Any:
            raise DatabaseError("no route")

        monkeypatch.setattr(Follower, "look", away)
        monkeypatch.setattr(connections["default"], "close", lambda: None)
        with pytest.raises(SourceAwayError, match="no route"):
            list(log.look())


class TestSentOn:
    def test_who_sent_what(self, sent: None) -> None:
        """Each receiver with each signal it sent, and how often."""
        expected = SentOn(receiver=f"{HERE}.send_on", signal=f"{HERE}.inner", count=6)
        assert sent_on() == [expected]
        assert expected in registry.sent_on()

    def test_only_the_newest(self, sent: None) -> None:
        """The sample is of the newest."""
        (found,) = sent_on(sample=2)
        assert found.count == 2

    def test_parent_that_is_not_audited(self, sent: None) -> None:
        """Where the log does not have the parent, nobody is named."""
        AuditedDispatch.objects.filter(parent_id=None).delete()
        AuditedCall.objects.all().delete()
        assert sent_on() == []

    def test_empty_log(self) -> None:
        """An empty log knows nothing."""
        assert sent_on() == []

    def test_queries(self, sent: None, django_assert_num_queries: Any) -> None:
        """Three queries: dispatches with a parent, their parents' calls, names."""
        with django_assert_num_queries(3):
            sent_on()

    def test_by_index(self) -> None:
        """The newest are found by the index of parents, and nothing is sorted."""
        if connection.vendor != "sqlite":
            pytest.skip("the plan of sqlite")
        rows = AuditedDispatch.objects.filter(parent_id__isnull=False).order_by("-parent_id")
        plan = rows.values_list("parent_id", "parent_call", "signal_id")[:10].explain()
        assert "signal_audit_by_parent" in plan
        assert "TEMP B-TREE" not in plan
