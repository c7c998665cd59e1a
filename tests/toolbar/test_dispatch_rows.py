"""What a row says of a dispatch or a group beside its outcome."""

from __future__ import annotations

import pytest

from signal_inspector.core.record.values import Caller, Summary
from signal_inspector.display.parts import Badge
from signal_inspector.toolbar.cells import about
from signal_inspector.toolbar.dispatch_rows import DispatchRow, Remarks, dispatch_row
from signal_inspector.toolbar.requests import Links
from signal_inspector.toolbar.timeline import HeadingRow
from tests.toolbar.made import World, call


def first_row(world: World, remarks: Remarks | None = None) -> DispatchRow:
    """The row of the first node at the top."""
    tree = world.tree
    return dispatch_row(tree.roots()[0], tree, world.scale, remarks or Remarks(), hidden=False)


@pytest.mark.parametrize(
    ("states", "badges"),
    [
        ([(False, False)], []),
        ([(True, False)], ["in transaction"]),
        ([(True, True)], ["in transaction, rolled back"]),
        ([(True, False), (False, False)], ["1 in transaction"]),
        ([(True, True), (True, False)], ["in transaction, 1 rolled back"]),
        ([(True, None)], ["in transaction, its end is unknown"]),
        ([(True, None), (True, False)], ["in transaction, 1 with an unknown end"]),
    ],
)
def test_transactions(states: list[tuple[bool, bool | None]], badges: list[str]) -> None:
    """Whether it was sent in a transaction, and whether that rolled back, also of a group."""
    world = World()
    for inside, undone in states:
        world.send("s.a", call(), in_transaction=inside, rolled_back=undone)
    row = first_row(world)
    assert [badge.text for badge in row.badges] == badges
    assert [badge.glyph for badge in row.badges if "rolled back" in badge.text] == [
        "rollback"
    ] * sum("rolled back" in badge for badge in badges)


def test_what_another_thread_sent() -> None:
    """That it stands under a receiver because that one ran then is said beside it."""
    world = World()
    world.send("s.b", call(), by_time=True)
    assert [badge.text for badge in first_row(world).badges] == [
        "of another thread or task, matched by time"
    ]


def test_where_it_came_from() -> None:
    """Sender, line and function of the send."""
    world = World()
    world.send("shop.signals.order_placed", call(), method="send_robust")
    row = first_row(world)
    assert (row.name.last, row.method, row.sender) == (
        "order_placed",
        "send_robust",
        "shop.models.Order",
    )
    assert row.place is not None
    assert (row.place.text, row.function) == ("/srv/shop/services.py:10", "place_order")
    assert row.toggle_label == "Receivers of order_placed"


def test_the_line_of_the_project() -> None:
    """It stands beside that of an installed package, and is not said twice."""
    world = World()
    library = Caller("/srv/site-packages/oscar/views.py", 3, "send")
    line = Caller("/srv/shop/views.py", 41, "post")
    world.send("s.a", call(), caller=library, project_caller=line)
    world.send("s.a", call(), caller=line, project_caller=line)
    tree = world.tree
    far, near = [
        dispatch_row(root, tree, world.scale, Remarks(), hidden=False) for root in tree.roots()
    ]
    assert far.project_place is not None
    assert (far.project_place.text, far.project_function) == ("/srv/shop/views.py:41", "post")
    assert near.project_place is None


def test_times_of_a_group() -> None:
    """The time together and the longest; of more than 40 the median as well."""
    world = World()
    for number in range(12):
        world.send("s.a", call(), took=1 + number)
    row = first_row(world)
    assert (row.count, row.time, row.time_note) == ("12", "78.0 ms", "max 12.0 ms")
    assert row.toggle_label == "12 dispatches of a"
    for number in range(30):
        world.send("s.a", call(), took=20 + number)
    assert first_row(world).time_note == "p50 28.0 ms, max 49.0 ms"


def test_nested_group_names_its_sender() -> None:
    """A group inside a group says which receiver sent it."""
    world = World()
    for _ in range(3):
        outer = world.send("s.a", call("r.recalculate"))
        world.send("s.b", call(), parent=outer)
    rows = world.timeline().first_rows()
    (inner,) = (row for row in rows if row.id == "g0-g1")
    assert isinstance(inner, DispatchRow)
    assert (inner.note, inner.count) == ("nested, sent by recalculate", "3")


def test_group_carries_the_badges_of_its_receivers_once() -> None:
    """A closed group shows what advice says of the calls inside it."""
    world = World()
    for _ in range(3):
        world.send("s.a", call())
    badge = Badge(text="slow in a transaction")
    remarks = Remarks(badges={(0, 0): [badge], (2, 0): [badge]}, mend=frozenset({0}))
    row = first_row(world, remarks)
    assert row.badges == (badge,)
    assert row.open


@pytest.mark.parametrize(
    ("failed", "headings"),
    [
        (1, ["The one that failed", "The 3 slowest of the others"]),
        (3, ["All 3 that failed", "The 3 slowest of the others"]),
        (9, ["All 9 that failed", "The slowest of the others"]),
        (10, ["All 10 that failed"]),
        (0, ["The 3 slowest"]),
    ],
)
def test_headings_of_an_open_group(failed: int, headings: list[str]) -> None:
    """The headings say what is listed below them."""
    world = World()
    for number in range(10):
        broken = "a.B: c" if number < failed else ""
        world.send("s.a", call(raised=broken), method="send_robust")
    rows = world.timeline().first_rows()
    assert [row.text for row in rows if isinstance(row, HeadingRow)] == headings


def test_siblings_without_models_or_plain_values() -> None:
    """Whatever there is tells siblings apart; without arguments their ids do."""
    items = Summary(kind="collection", type="list", text="list of 3")
    assert about({"lines": items}) == "lines=list of 3"
    world = World()
    world.send("s.a", call())
    world.send("s.a", call())
    rows = world.timeline().first_rows()
    assert [row.about for row in rows if isinstance(row, DispatchRow) and row.member] == [
        "01a202bf…0000",
        "01a202bf…0001",
    ]


@pytest.mark.urls("tests.toolbar.no_urls")
def test_no_links_where_the_toolbar_has_no_urls() -> None:
    """A project that did not include the toolbar's URLs gets rows without links."""
    links = Links("r1")
    assert links.rows("d0") == links.json() == links.switch() == links.panel() == ""
