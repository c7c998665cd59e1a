"""What stands under a dispatch and under a receiver."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps

from signal_inspector.core.record.values import Caller, Failure, Outcome, Query, Summary
from signal_inspector.display.parts import Badge, TraceLink
from signal_inspector.toolbar.call_rows import call_facts_row, call_row, facts_row, query_tables
from signal_inspector.toolbar.grouping import Node
from tests.toolbar.made import MS, World, call, plain

TRACE = "ab12" * 8


def node(world: World) -> Node:
    return world.tree.roots()[0]


def test_payload_is_a_line_and_a_table() -> None:
    """Arguments in one line, and below each other with the items of collections."""
    world = World()
    items = (("sku", plain("'a'")), ("left", plain("2")))
    world.send(
        "s.a",
        payload={
            "order": Summary(kind="model", type="shop.models.Order", text="shop.Order:42"),
            "line": Summary(
                kind="collection", type="dict", text="dict of 9", items=items, truncated=True
            ),
            "token": Summary(kind="redacted", type="str", text="redacted"),
        },
        payload_dropped=3,
    )
    row = facts_row(node(world), "/json", hidden=False)
    assert row.payload_line == "order=shop.Order:42, line=dict of 9, token=redacted"
    assert [(a.name, a.value, a.depth, a.redacted, a.note) for a in row.payload] == [
        ("order", "shop.Order:42", 0, False, ""),
        ("line", "dict of 9", 0, False, "cut"),
        ("sku", "'a'", 1, False, ""),
        ("left", "2", 1, False, ""),
        ("token", "redacted", 0, True, ""),
    ]
    assert row.payload_note == "3 more arguments were not kept."


def test_facts_name_the_dispatch() -> None:
    """The id, a short form of it, and where to get it as JSON."""
    world = World()
    sent = world.send("s.a")
    row = facts_row(node(world), "/json", hidden=True)
    assert (row.dispatch_id, row.short_id, row.json_url) == (
        sent.id_text,
        "01a202bf…0000",
        "/json",
    )
    assert (row.id, row.parent, row.hidden) == ("d0-f", "d0", True)


@pytest.mark.parametrize(
    ("form", "href"), [("", ""), ("https://t.example/{trace_id}", f"https://t.example/{TRACE}")]
)
def test_facts_name_the_trace(form: str, href: str, settings: Any) -> None:
    """The trace of a dispatch that was traced, with a link where TRACE_URL says whither."""
    settings.SIGNAL_INSPECTOR = {"TRACE_URL": form}
    world = World()
    world.send("s.a", trace_id=TRACE)
    row = facts_row(node(world), "/json", hidden=True)
    assert row.trace == TraceLink(id=TRACE, href=href)


def test_a_trace_that_was_not_sampled_is_no_link(settings: Any) -> None:
    """Its id stands in logs, but no viewer has it."""
    settings.SIGNAL_INSPECTOR = {"TRACE_URL": "https://t.example/{trace_id}"}
    world = World()
    world.send("s.a", trace_id=TRACE, trace_sampled=False)
    row = facts_row(node(world), "/json", hidden=True)
    assert row.trace == TraceLink(id=TRACE, href="", note="not sampled")


@pytest.mark.parametrize(
    ("audit", "href"),
    [({}, "/log/0a/"), ({"EXCLUDE": ["s.*"]}, ""), ({"INCLUDE": ["other.*"]}, "")],
    ids=["audited", "excluded", "not included"],
)
def test_facts_lead_to_the_audit(audit: dict[str, Any], href: str, settings: Any) -> None:
    """The id leads to the page in the admin, where the signal is audited and there is a page."""
    settings.SIGNAL_INSPECTOR = {"AUDIT": audit}
    settings.ROOT_URLCONF = "tests.toolbar.audit_urls"
    world = World()
    sent = world.send("s.a")
    row = facts_row(node(world), "", hidden=False)
    assert row.id_href == href.replace("0a", sent.id_text)
    settings.ROOT_URLCONF = "tests.toolbar.no_urls"
    assert facts_row(node(world), "", hidden=False).id_href == ""


def test_facts_without_the_audit(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the audit is not installed the id leads nowhere."""
    settings.ROOT_URLCONF = "tests.toolbar.audit_urls"
    monkeypatch.delitem(apps.app_configs, "signal_audit")
    world = World()
    world.send("s.a")
    assert facts_row(node(world), "", hidden=False).id_href == ""


def test_stack_is_counted_as_it_is_shown() -> None:
    """The title counts the frames that are shown, not those that are hidden."""
    world = World()
    stack = (Caller("/srv/shop/views.py", 49, "checkout"), Caller("/srv/shop/s.py", 131, "place"))
    world.send("s.a", stack=stack)
    row = facts_row(node(world), "", hidden=False)
    assert row.stack_title == "Call stack (2)"
    assert [(f.directory, f.file, f.line, f.function) for f in row.stack] == [
        ("/srv/shop/", "views.py", "49", "checkout"),
        ("/srv/shop/", "s.py", "131", "place"),
    ]


def test_receiver_row() -> None:
    """Order, name, place, times, own time where it differs, SQL, badges of its kind first."""
    world = World()
    ran = call("inventory.receivers.sync", at=2, took=160.6, own=147.7, queries=("a",) * 4)
    world.send("s.a", ran, method="asend", took=200)
    badge = Badge(text="slow in a transaction", tone="warn", glyph="warn")
    row = call_row(node(world), 0, [], [badge], world.scale, hidden=False)
    assert (row.order, row.name.last, row.time, row.time_note) == (
        "1",
        "sync",
        "160.6 ms",
        "self 147.7 ms",
    )
    assert row.place is not None
    assert row.place.text == "/srv/inventory/receivers/sync.py:7"
    assert row.sql == "4 in 2.0 ms"
    assert [b.text for b in row.badges] == ["in a thread", "slow in a transaction"]
    assert (row.ms, row.failed, row.keep) == ("160.600", False, False)


def test_own_time_is_left_out_where_it_says_nothing_new() -> None:
    """Without nested dispatches there is only one time."""
    world = World()
    world.send("s.a", call(took=10))
    assert call_row(node(world), 0, [], [], world.scale, hidden=False).time_note == ""


def test_unknown_times_are_not_made_up() -> None:
    """A receiver whose time could not be taken has none."""
    world = World()
    world.send("s.a", call(at=None, took=0, timed=False))
    row = call_row(node(world), 0, [], [], world.scale, hidden=False)
    assert (row.time, [b.text for b in row.badges]) == ("", ["time unknown"])
    assert row.lane.label == "log_order, returned, time unknown"


def test_exception_is_in_the_row_itself() -> None:
    """Class and message need no click."""
    world = World()
    world.send("s.a", call(raised="fraud.exceptions.CouponAbuse: used 3 times"))
    row = call_row(node(world), 0, [], [], world.scale, hidden=False)
    assert row.error is not None
    assert (row.error.name, row.error.message) == ("CouponAbuse", "used 3 times")
    assert row.failed


def test_async_receiver_is_marked() -> None:
    """An async receiver says so."""
    world = World()
    world.send("s.a", call(is_async=True), method="asend")
    row = call_row(node(world), 0, [], [], world.scale, hidden=False)
    assert [b.text for b in row.badges] == ["async"]


def test_equal_statements_are_one_line() -> None:
    """Statements by the time they took together, equal ones counted."""
    (table,) = query_tables(call(queries=("b",) + ("a",) * 3))
    assert table.title == "4 queries in 2.0 ms on default"
    assert [(s.times, s.sql, s.time) for s in table.statements] == [
        ("3 \N{MULTIPLICATION SIGN}", "a", "1.5 ms"),
        ("1", "b", "0.5 ms"),
    ]


def test_each_database_has_its_table() -> None:
    """Queries on two databases are two tables."""
    record = call(queries=("a", "a"))
    record.queries = (record.queries[0], Query(alias="other", sql="b", duration_ns=MS))
    titles = [table.title for table in query_tables(record)]
    assert titles == ["1 query in 0.5 ms on default", "1 query in 1.0 ms on other"]


def test_statements_that_were_not_kept_are_counted() -> None:
    """The title counts all queries, the note those whose text is gone."""
    (table,) = query_tables(call(queries=("a",) * 2, query_count=150))
    assert table.title.startswith("150 queries in ")
    assert table.note == "148 more statements not kept."


def test_traceback_and_response_under_a_receiver() -> None:
    """The traceback as frames; a response only where it does not fit into the row."""
    world = World()
    text = 'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in f\n    raise B\na.B'
    raised = Failure(exception_class="a.B", message="c", traceback=text)
    failed = call(raised="a.B: c", failure=raised)
    big = Summary(kind="collection", type="dict", text="{…}", items=(("a", plain("1")),))
    world.send("s.a", failed, call(response=big), call(response=plain("1")), method="send_robust")
    first, second, third = (call_facts_row(node(world), i, sent=False) for i in range(3))
    assert [part.kind for part in first.traceback] == ["frame", "text"]
    assert [(a.name, a.depth) for a in second.response] == [("returned", 0), ("a", 1)]
    assert third.response == ()
    assert (first.quiet, second.quiet) == ("", "")
    assert third.quiet == "No queries, no nested dispatches."
    assert call_facts_row(node(world), 2, sent=True).quiet == "No queries."


def test_cancelled_receiver_counts_as_failed() -> None:
    """The filter for failures keeps what was cancelled."""
    world = World()
    world.send("s.a", call("r.a", Outcome.CANCELLED), method="asend")
    assert call_row(node(world), 0, [], [], world.scale, hidden=False).failed
