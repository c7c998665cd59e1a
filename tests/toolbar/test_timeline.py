"""Which rows are in the page, in what order, open or closed, and what is fetched."""

from __future__ import annotations

from collections.abc import Sequence

from signal_inspector.core.record.values import NotCalledReason
from signal_inspector.display.parts import Badge
from signal_inspector.toolbar.call_rows import CallRow, FactsRow, NotCalledRow
from signal_inspector.toolbar.dispatch_rows import DispatchRow, Remarks
from signal_inspector.toolbar.timeline import PAGE, ROWS, TOPS, HeadingRow, MoreRow, Row
from tests.toolbar.made import World, call, model, not_called, skipped


def outline(rows: Sequence[Row]) -> list[str]:
    return [f"{row.kind} {row.id}{' hidden' if row.hidden else ''}" for row in rows]


def dispatch_row(rows: Sequence[Row], row_id: str) -> DispatchRow:
    row = next(row for row in rows if row.id == row_id)
    assert isinstance(row, DispatchRow)
    return row


def test_rows_of_a_dispatch_in_order() -> None:
    """Facts first, then receivers in order with their own facts and nested dispatches, then
    those that were not called."""
    world = World()
    outer = world.send(
        "s.a",
        call("r.a"),
        call("r.b"),
        not_called=(not_called("r.c", NotCalledReason.OTHER_SENDER),),
    )
    world.send("s.b", parent=outer, parent_call=0)
    assert outline(world.timeline().first_rows()) == [
        "dispatch d0",
        "facts d0-f hidden",
        "call d0-c0 hidden",
        "callfacts d0-c0-f hidden",
        "dispatch d0-c0-d1 hidden",
        "facts d0-c0-d1-f hidden",
        "call d0-c1 hidden",
        "callfacts d0-c1-f hidden",
        "notcalled d0-n0 hidden",
    ]


def test_a_dispatch_alone_is_open() -> None:
    """The only dispatch of a request starts open, whatever became of it."""
    world = World()
    world.send("s.a", call("r.a"))
    assert not dispatch_row(world.timeline().first_rows(), "d0").open
    assert dispatch_row(world.timeline(Remarks(alone=True)).first_rows(), "d0").open


def test_what_failed_is_open() -> None:
    """A dispatch with a failure starts open; its receivers' facts stay closed."""
    world = World()
    world.send("s.a", call("r.a", raised="builtins.ValueError: no"), skipped("r.b"))
    world.send("s.a", call("r.a"), line=11)
    rows = world.timeline().first_rows()
    assert dispatch_row(rows, "d0").open
    assert not dispatch_row(rows, "d1").open
    assert outline(rows)[:5] == [
        "dispatch d0",
        "facts d0-f",
        "call d0-c0",
        "callfacts d0-c0-f hidden",
        "call d0-c1",
    ]
    assert not any(row.id == "d0-c1-f" for row in rows), "a skipped receiver has no facts"


def test_what_is_to_be_mended_is_open() -> None:
    """Advice to mend opens its dispatch, and its badge stands on the receiver."""
    world = World()
    world.send("s.a", call("r.a"))
    badge = Badge(text="slow in a transaction", tone="warn", glyph="warn")
    remarks = Remarks(badges={(0, 0): [badge]}, mend=frozenset({0}))
    rows = world.timeline(remarks).first_rows()
    assert dispatch_row(rows, "d0").open
    (receiver,) = (row for row in rows if isinstance(row, CallRow))
    assert badge in receiver.badges


def test_skipped_receiver_is_dim_and_kept_by_the_filters() -> None:
    """A receiver that never ran has no toggle and counts as a failure."""
    world = World()
    world.send("s.a", call("r.a", raised="a.B: c"), skipped("r.b"))
    rows = world.timeline().first_rows()
    row = next(row for row in rows if row.id == "d0-c1")
    assert isinstance(row, CallRow)
    assert (row.dim, row.toggle, row.failed, row.keep, row.time) == (True, False, True, True, "")
    assert row.outcome.note == "stopped by a"


def test_orphan_is_kept_by_the_threshold_but_did_not_fail() -> None:
    """Nobody received it: the threshold leaves it, "failures only" does not."""
    world = World()
    world.send("s.a", took=0)
    row = dispatch_row(world.timeline().first_rows(), "d0")
    assert (row.keep, row.failed, row.outcome.glyph) == (True, False, "orphan")
    assert row.time == "< 0.1 ms"


def test_group_shows_failures_then_the_slowest_then_the_rest() -> None:
    """An open group holds at most 20 failures, the 3 slowest others, and the way to the rest."""
    world = World()
    for number in range(200):
        broken = "a.B: c" if number % 4 == 0 else ""
        world.send("s.a", call("r.a", raised=broken), method="send_robust", took=1 + number / 100)
    rows = world.timeline().first_rows()
    under = [row for row in rows if row.parent == "g0"]
    headings = [row.text for row in under if isinstance(row, HeadingRow)]
    members = [row for row in under if isinstance(row, DispatchRow)]
    assert headings == ["The first 20 of 50 that failed", "The 3 slowest of the others"]
    assert len(members) == 23
    assert [row.id for row in members[-3:]] == ["g0-d199", "g0-d198", "g0-d197"]
    assert all(row.failed for row in members[:20])
    (more,) = (row for row in under if isinstance(row, MoreRow))
    assert more.button == "Show the next 100"
    assert more.note.startswith("of 177, in the order in which they were sent (p50 ")


def test_small_group_shows_all_of_its_dispatches_in_order() -> None:
    """A handful needs no headings."""
    world = World()
    for number in range(4):
        broken = "a.B: c" if number == 2 else ""
        world.send("s.a", call("r.a", raised=broken), method="send_robust", took=9 - number)
    under = [row.id for row in world.timeline().first_rows() if row.parent == "g0"]
    assert under == ["g0-d0", "g0-d1", "g0-d2", "g0-d3"]


def test_paging_through_a_group_shows_every_dispatch_once() -> None:
    """First rows and all pages together show each dispatch of the group exactly once."""
    world = World()
    for number in range(250):
        world.send("s.a", call("r.a"), took=1 + number % 7)
    rows = world.timeline().first_rows()
    seen = [row.id for row in rows if isinstance(row, DispatchRow) and row.member]
    pages = 0
    group = world.tree.roots()[0]
    while any(isinstance(row, MoreRow) for row in rows):
        rows = world.timeline().more_rows(group, pages * PAGE)
        seen += [row.id for row in rows if isinstance(row, DispatchRow) and row.member]
        pages += 1
    assert pages == 3
    assert sorted(seen) == sorted(f"g0-d{number}" for number in range(250))


def test_rest_of_a_group_has_a_heading() -> None:
    """The first page of the rest begins with a heading: it is not of the slowest any more."""
    world = World()
    for _ in range(250):
        world.send("s.a", call("r.a"))
    group = world.tree.roots()[0]
    first, second = (world.timeline().more_rows(group, offset) for offset in (0, PAGE))
    assert isinstance(first[0], HeadingRow)
    assert first[0].text == "The others, in the order in which they were sent"
    assert not any(isinstance(row, HeadingRow) for row in second)


def test_member_says_what_it_is_and_what_went_wrong() -> None:
    """One dispatch of a group is told by its model instance, its failure and its receiver."""
    world = World()
    for number in range(3):
        broken = "shop.errors.Down: shard 2" if number == 1 else ""
        world.send(
            "s.a",
            call("search.index", raised=broken),
            call("prices.recalculate"),
            method="send_robust",
            payload={"product": model(f"shop.Product:{number}")},
        )
    rows = world.timeline().first_rows()
    fine, broken_row = dispatch_row(rows, "g0-d0"), dispatch_row(rows, "g0-d1")
    assert (fine.about, fine.error) == ("shop.Product:0", None)
    assert fine.receivers == "search.index and prices.recalculate"
    assert broken_row.error is not None
    assert (broken_row.error.name, broken_row.error.message) == ("Down", "shard 2")
    assert broken_row.receivers == "search.index"


def test_first_page_holds_no_more_rows_than_it_may() -> None:
    """However much a request sent, the page has at most 300 rows, and the rest is fetched."""
    world = World()
    for number in range(400):
        world.send(f"s.signal{number}", *(call(f"r.receiver{i}") for i in range(5)))
    rows = world.timeline().first_rows()
    assert TOPS < len(rows) <= ROWS
    last = rows[-1]
    assert isinstance(last, MoreRow)
    assert last.note == "of 250, in the order in which they were sent"
    fetched = [row for row in rows if isinstance(row, DispatchRow) and row.fetch]
    assert "row=d149" in fetched[-1].fetch


def test_top_pages_show_every_dispatch_once() -> None:
    """The rows at the top are complete page by page."""
    world = World()
    for number in range(400):
        world.send(f"s.signal{number}", call())
    rows = world.timeline().first_rows()
    seen = [row.id for row in rows if row.kind == "dispatch"]
    while isinstance(rows[-1], MoreRow):
        offset = int(rows[-1].fetch.rpartition("=")[2])
        rows = world.timeline().top_rows(offset)
        seen += [row.id for row in rows if row.kind == "dispatch"]
    assert seen == [f"d{number}" for number in range(400)]


def test_open_rows_get_the_room_first() -> None:
    """What failed last is in the page before the closed details of what came first."""
    world = World()
    for number in range(100):
        world.send(f"s.signal{number}", call("r.a"), call("r.b"), call("r.c"))
    world.send("s.broken", call("r.a", raised="a.B: c"))
    rows = world.timeline().first_rows()
    assert dispatch_row(rows, "d100").open
    assert any(row.id == "d100-c0" for row in rows)
    assert dispatch_row(rows, "d99").fetch


def test_closed_row_speaks_for_what_is_inside_it() -> None:
    """Names, files and failures that are not in the page are found by the filter, and a failure
    below is not filtered out."""
    world = World()
    for number in range(100):
        outer = world.send(f"s.signal{number}", call("r.a"), call("r.b"), call("r.c"))
    inner = world.send("s.deep", call("deep.Receiver"), parent=outer)
    world.send("s.deeper", call("x.y", raised="a.Deepest: Down"), parent=inner)
    row = dispatch_row(world.timeline().first_rows(), "d99")
    assert row.fetch
    for words in ("deep.receiver", "deepest", "down", "/srv/x/y.py", "shop.models.order"):
        assert words in row.search
    assert row.failed
    assert row.keep


def test_fetched_rows_stand_under_their_row() -> None:
    """What is fetched for a row is what would have stood there, and is not hidden."""
    world = World()
    outer = world.send("s.a", call("r.a"))
    world.send("s.b", call("r.b"), parent=outer)
    node = world.tree.roots()[0]
    assert outline(world.timeline().rows_under(node)) == [
        "facts d0-f",
        "call d0-c0",
        "callfacts d0-c0-f hidden",
        "dispatch d0-c0-d1",
        "facts d0-c0-d1-f hidden",
        "call d0-c0-d1-c0 hidden",
        "callfacts d0-c0-d1-c0-f hidden",
    ]


def test_deep_recursion_ends() -> None:
    """A signal sent a thousand levels deep neither recurses without end nor fills the page."""
    world = World()
    parent = None
    for _ in range(1000):
        parent = world.send("s.a", call("r.a"), parent=parent)
    rows = world.timeline().first_rows()
    assert 200 < len(rows) <= ROWS
    assert len({row.id for row in rows}) == len(rows)


def test_rows_of_advice() -> None:
    """Advice leads to the receiver's row if it is in the page, else to the nearest around it."""
    world = World()
    outer = world.send("s.a", call("r.a"))
    world.send("s.b", call("r.b"), parent=outer)
    for _ in range(20):
        world.send("s.c", call("r.c"))
    timeline = world.timeline()
    timeline.first_rows()
    assert timeline.row_of((1, 0)) == "d0-c0-d1-c0"
    assert timeline.row_of((1, None)) == "d0-c0-d1"
    assert timeline.row_of((10, 0)) == "g2"
    assert timeline.row_of((99, 0)) == ""


def test_advice_on_what_is_not_in_the_page_leads_to_what_sent_it() -> None:
    """A dispatch inside a closed row is shown by that row."""
    world = World()
    for number in range(100):
        outer = world.send(f"s.signal{number}", call("r.a"), call("r.b"), call("r.c"))
    world.send("s.inner", call("r.x"), parent=outer)
    timeline = world.timeline()
    timeline.first_rows()
    assert timeline.row_of((100, 0)) == "d99"


def test_facts_are_under_each_dispatch_alone() -> None:
    """A group has no facts of its own; each of its members does."""
    world = World()
    for _ in range(3):
        world.send("s.a", call("r.a"))
    rows = world.timeline().first_rows()
    assert [row.id for row in rows if isinstance(row, FactsRow)] == [
        "g0-d0-f",
        "g0-d1-f",
        "g0-d2-f",
    ]


def test_not_called_rows_say_why() -> None:
    """A receiver that was not reached is listed with its reason."""
    world = World()
    idle = not_called("gifts.add", NotCalledReason.DEAD, "its weak reference is dead")
    world.send("s.a", not_called=(idle,))
    (row,) = (r for r in world.timeline().first_rows() if isinstance(r, NotCalledRow))
    assert (row.name.last, row.reason) == ("add", "its weak reference is dead")
    assert row.outcome.text == "not called"


def test_dispatch_between_the_receivers_is_not_lost() -> None:
    """What a subclass's own send() sent, outside any receiver, stands last under its parent."""
    world = World()
    outer = world.send("s.a", call("r.a"))
    world.send("s.b", parent=outer, parent_call=None)
    rows = world.timeline().first_rows()
    assert [row.id for row in rows if row.kind == "dispatch"] == ["d0", "d0-d1"]


def test_a_receiver_that_sent_hundreds_of_kinds_is_cut() -> None:
    """Where nothing can be grouped, the rows under one receiver are cut and counted."""
    world = World()
    outer = world.send("s.a", call("r.a"))
    for number in range(400):
        world.send(f"s.signal{number}", parent=outer)
    rows = world.timeline().rows_under(world.tree.roots()[0])
    nested = [row for row in rows if row.kind == "dispatch"]
    assert len(nested) == TOPS
    last = rows[-1]
    assert isinstance(last, HeadingRow)
    assert last.text.startswith("250 more rows are not shown")
    assert last.parent == "d0-c0"
