"""Figures, receivers, catalog, recent requests."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template.loader import render_to_string

from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Caller, Outcome, Unseen
from signal_inspector.display.parts import Badge, TraceLink
from signal_inspector.toolbar import tables
from signal_inspector.toolbar.cells import Figure, call_outcome, covered_ns, figures
from signal_inspector.toolbar.dispatch_rows import Remarks
from signal_inspector.toolbar.requests import (
    SUMMARY_ID,
    StoredRequest,
    other_requests,
    request_line,
    stored_request,
)
from signal_inspector.toolbar.tables import catalog_rows, intro, receiver_rows
from tests.toolbar.made import MS, World, call, skipped


def table(world: World, dropped: int = 0) -> dict[str, Figure]:
    found = figures(world.tree, dropped, 5000, 100 * MS)
    return {figure.label: figure for figure in found}


def test_what_an_override_caught_is_swallowed_everywhere() -> None:
    """A send() of a signal's own that returned kept the failure: bar, figure and row agree."""
    world = World()
    sent = world.send("s.a", call("r.a", raised="a.B: c"), outcome=Outcome.RETURNED)
    [row] = receiver_rows(world.dispatches, world.scale, Remarks())
    assert table(world)["Failed"].note == "1 swallowed"
    assert (row.outcome.glyph, call_outcome(sent, sent.calls[0]).glyph) == ("swallowed",) * 2


def test_figures_of_a_busy_request() -> None:
    """Each figure counts what it says, with what it consists of."""
    world = World()
    outer = world.send("s.a", call("r.a", queries=("x", "y")), call("r.b", is_async=True), took=40)
    world.send("s.b", call("r.c"), parent=outer, at=10, took=10)
    world.send("s.c", call("r.a", raised="a.B: c"), skipped("r.b"), at=50, took=10)
    world.send("s.d", call("r.a", raised="a.B: c"), method="send_robust", at=60, took=10)
    world.send("s.e", at=80)
    found = {label: (figure.value, figure.note) for label, figure in table(world).items()}
    assert found == {
        "Dispatches": ("5", "4 top-level, 1 nested"),
        "Receiver calls": ("5", "4 sync, 1 async"),
        "In dispatches": ("61.0 ms", "61% of the request"),
        "SQL in receivers": ("2", "queries in 1.0 ms"),
        "Failed": ("2", "1 raised, 1 swallowed"),
        "Skipped": ("1", "after 1 failure"),
        "Orphans": ("1", "nobody received it"),
        "Dropped": ("0", "limit 5,000"),
    }


def test_zero_is_grey_and_failure_red_with_a_glyph() -> None:
    """A figure's color never stands alone."""
    world = World()
    world.send("s.a", call())
    calm = table(world)
    assert {calm[label].tone for label in ("Failed", "Skipped", "Orphans", "Dropped")} == {"zero"}
    world.send("s.b", call(raised="a.B: c"), method="send_robust")
    busy = table(world, dropped=212)
    assert (busy["Failed"].tone, busy["Failed"].glyph) == ("bad", "swallowed")
    assert (busy["Dropped"].value, busy["Dropped"].note) == ("212", "only counted")
    assert (busy["Dispatches"].value, busy["Dispatches"].note) == ("214", "2 kept")


def test_time_of_overlapping_dispatches_counts_once() -> None:
    """Dispatches that run at the same time take no more than the time they cover."""
    assert covered_ns([(0, 10), (5, 15), (5, 8), (20, 30), (0, 30)]) == 30
    assert covered_ns([(0, 10), (5, 15), (20, 30)]) == 25
    assert covered_ns([]) == 0


def test_receivers_by_their_own_time() -> None:
    """Every receiver once, the one that took most time of its own first."""
    world = World()
    for _ in range(12):
        world.send("s.reserved", call("i.decrease", took=2, queries=("a", "b")))
    world.send("s.placed", call("i.sync", took=100, own=10), call("i.decrease", took=1))
    first, second = receiver_rows(world.dispatches, world.scale, Remarks())
    assert (first.name.full, first.calls, first.repeated) == ("i.decrease", "13", True)
    assert (first.total, first.self_time, first.longest) == ("25.0 ms", "25.0 ms", "2.0 ms")
    assert (first.on, first.sql) == ("on reserved and placed", "24 in 12.0 ms")
    assert first.sort == ("13", "25.000", "25.000", "2.000", "12.000")
    assert first.outcome.text == "all 13 returned"
    assert (second.name.full, second.repeated, second.self_time) == ("i.sync", False, "10.0 ms")
    assert len(first.lane.bars) == 13


def test_receivers_that_failed_or_never_ran() -> None:
    """A failing receiver counts its failures and names them; a skipped one is told so."""
    world = World()
    world.send("s.a", call("r.bad", raised="shop.errors.Down: x"), skipped("r.late"))
    world.send("s.a", call("r.bad"), call("r.late"))
    bad, late = sorted(
        receiver_rows(world.dispatches, world.scale, Remarks()), key=lambda r: r.name.full
    )
    assert (bad.outcome.text, bad.outcome.note, bad.outcome.glyph) == (
        "1 of 2 raised",
        "Down",
        "raised",
    )
    assert late.outcome.text == "1 of 2 returned"
    assert (bad.failed, late.failed) == (True, True)


def test_a_failure_reads_like_its_row() -> None:
    """One call that raised has the word that its row has, and no fraction."""
    world = World()
    world.send("s.a", call("r.bad", raised="shop.errors.Down: x"), method="send_robust")
    (row,) = receiver_rows(world.dispatches, world.scale, Remarks())
    assert (row.outcome.text, row.outcome.note) == ("raised, swallowed", "Down")


def test_receiver_with_one_call_reads_like_its_row() -> None:
    """A single call keeps its words."""
    world = World()
    world.send("s.a", call("r.a", Outcome.CANCELLED), method="asend")
    (row,) = receiver_rows(world.dispatches, world.scale, Remarks())
    assert row.outcome.text == "cancelled"


def test_receivers_that_may_have_been_called() -> None:
    """Of an override's own calls neither the time is told nor that they returned."""
    world = World()
    world.send("s.a", call("r.own", timed=False), method="send_chained", unseen=Unseen.UNTOLD)
    (row,) = receiver_rows(world.dispatches, world.scale, Remarks())
    assert (row.total, row.self_time, row.longest) == ("–", "–", "–")
    assert row.outcome.text == "may have been called"
    world.send("s.a", call("r.own"))
    (row,) = receiver_rows(world.dispatches, world.scale, Remarks())
    assert row.outcome.text == "1 of 2 returned"
    assert row.total != "–"


def test_receivers_carry_the_words_of_their_badges() -> None:
    """What advice says of single calls is said once of their receiver."""
    world = World()
    for _ in range(2):
        world.send("s.a", call("i.sync", took=60))
    badge = Badge(text="slow in a transaction")
    found = Remarks(badges={(0, 0): [badge], (1, 0): [badge]})
    (row,) = receiver_rows(world.dispatches, world.scale, found)
    assert (row.outcome.text, row.outcome.note) == ("all 2 returned", "slow in a transaction")


def entry(name: str, **fields: Any) -> ReceiverEntry:
    known: dict[str, Any] = {
        "path": "/srv/a.py",
        "line": 3,
        "sender": None,
        "is_async": False,
        "is_weak": True,
        "dispatch_uid": None,
        "connected_at": None,
        "is_dead": False,
    }
    return ReceiverEntry(receiver=name, **{**known, **fields})


def test_catalog_marks_what_is_unusual() -> None:
    """Signals sent here first; async, sender, uid and dead references are marked."""
    world = World()
    world.send("s.zulu", call())
    receivers = (
        entry("r.plain"),
        entry("r.pushed", is_async=True),
        entry("r.gift", sender="gifts.models.GiftOrder"),
        entry("r.unknown", sender="?"),
        entry("r.named", dispatch_uid="billing"),
        entry("r.gone", is_dead=True),
    )
    entries = [
        SignalEntry(signal="s.alpha", receivers=()),
        SignalEntry(signal="s.zulu", receivers=receivers),
    ]
    sent, idle = catalog_rows(entries, world.dispatches)
    assert (sent.name.last, sent.sent, sent.is_sent) == ("zulu", "1", True)
    assert [[badge.text for badge in r.badges] for r in sent.receivers] == [
        [],
        ["async"],
        ["only gifts.models.GiftOrder"],
        ["one sender only"],
        ["uid billing"],
        ["dead reference"],
    ]
    assert sent.receivers[-1].dead
    assert sent.remark is not None
    assert sent.remark.text == "one reference is dead"
    assert (idle.sent, idle.is_sent) == ("0", False)
    assert idle.remark is not None
    assert idle.remark.text == "no receiver"


def test_catalog_remarks_a_receiver_that_is_connected_twice() -> None:
    """What one dispatch may call twice is remarked, and not what merely has one name."""
    twice = (entry("r.a", dispatch_uid="x", repetition=1), entry("r.a", repetition=1))
    apart = (entry("r.a", sender="m.A"), entry("r.a", sender="m.B"))
    found = catalog_rows(
        [SignalEntry(signal="s.a", receivers=twice), SignalEntry(signal="s.b", receivers=apart)],
        [],
    )
    assert found[0].remark is not None
    assert found[0].remark.text == "one receiver connected twice"
    assert found[1].remark is None


def test_catalog_of_hundreds_is_cut_and_says_so() -> None:
    """No more than 200 signals are listed, the sent ones among them."""
    world = World()
    world.send("s.signal999", call())
    entries = [SignalEntry(signal=f"s.signal{n:03}", receivers=()) for n in range(1000)]
    rows = catalog_rows(entries, world.dispatches)
    assert len(rows) == 200
    assert rows[0].name.last == "signal999"
    assert intro(entries).endswith("200 of 1,000 custom signals.")


@pytest.mark.parametrize("path", ["", "/srv/shop/receivers.py"])
def test_catalog_says_where_a_receiver_is_connected(path: str) -> None:
    """Both places have a comma between them; one alone has none."""
    at = Caller("/srv/shop/apps.py", 8, "ready")
    entries = [SignalEntry(signal="s.a", receivers=(entry("r.a", path=path, connected_at=at),))]
    view = {"catalog": catalog_rows(entries, ())}
    html = render_to_string("signal_inspector/includes/catalog.html", {"view": view})
    said = re.sub("<[^>]*>", "", html)
    places = "/srv/shop/receivers.py:3, " if path else " "
    assert f"{places}connected at /srv/shop/apps.py:8" in said


def test_catalog_that_cannot_be_read_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that fails to be looked at costs the catalog alone."""

    def broken() -> None:
        raise RuntimeError("module")

    monkeypatch.setattr(tables, "describe", broken)
    assert tables.connected() == []
    assert internal_errors.counts() == {"the catalog": 1}


def stored(**fields: Any) -> StoredRequest:
    known: dict[str, Any] = {
        "method": "POST",
        "path": "/checkout/",
        "status": 200,
        "started": 1_795_342_447.318,
        "start_ns": 0,
        "duration_ns": 584_600_000,
        "dispatches": 3,
        "dropped": 0,
        "limit": 5000,
        "failed": 0,
        "busy_ns": 0,
    }
    return StoredRequest(**{**known, **fields})


def test_request_line() -> None:
    """Method, path, result and start; the trace is a link where a form is configured."""
    line = request_line(stored(trace_id="7c1d"), "http://traces/{trace_id}")
    assert (line.method, line.path, line.result) == ("POST", "/checkout/", "200 in 584.6 ms")
    assert line.started == "04:14:07.318 America/Chicago"  # as the audit and a terminal say
    assert line.trace == TraceLink(id="7c1d", href="http://traces/7c1d")
    assert request_line(stored(), "http://traces/{trace_id}").trace is None


def test_stored_request_of_another_version() -> None:
    """Fields that are not known any more are left out."""
    assert stored_request({**stored().as_dict(), "old": 1}) == stored()


class Store:
    """A store as the toolbar's are, without a toolbar."""

    def __init__(self, requests: dict[str, StoredRequest | None]) -> None:
        self._requests = requests

    def request_ids(self) -> list[str]:
        return list(self._requests)

    def panel(self, request_id: str, panel_id: str) -> dict[str, Any]:
        assert panel_id == SUMMARY_ID
        found = self._requests[request_id]
        return {} if found is None else found.as_dict()


def test_other_requests_are_the_newest_five_that_sent() -> None:
    """Whatever order the store has: newest first, without this one and those that sent nothing."""
    requests: dict[str, StoredRequest | None] = {
        f"r{n}": stored(started=1000.0 + n, path=f"/{n}/", failed=n % 2) for n in range(8)
    }
    requests |= {"quiet": None, "me": stored(started=2000.0), "none": stored(dispatches=0)}
    found = other_requests(Store(requests), "me", now=1010.0)
    assert [other.path for other in found] == ["/7/", "/6/", "/5/", "/4/", "/3/"]
    assert (found[0].text, found[0].failed, found[1].failed) == ("sent 3, 3 s ago", True, False)
    assert "request_id=r7" in found[0].panel_url


def test_store_that_cannot_list_costs_the_list_alone() -> None:
    """A store that raises gives no other requests, and is counted."""

    class Broken(Store):
        def request_ids(self) -> list[str]:
            raise OSError("gone")

    assert other_requests(Broken({}), "me", now=0.0) == ()
    assert internal_errors.counts() == {"reading the toolbar's store": 1}
