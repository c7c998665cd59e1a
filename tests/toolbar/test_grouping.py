"""Which dispatches become one row."""

from __future__ import annotations

import pytest

from signal_inspector.toolbar.grouping import CROWDED, Node
from tests.toolbar.made import World, call


def shape(nodes: list[Node]) -> list[tuple[str, int]]:
    return [(node.id, len(node.members)) for node in nodes]


def test_equal_neighbors_are_one_group() -> None:
    """Siblings that follow each other from one call site are one row, in order."""
    world = World()
    for signal in ("s.a", "s.a", "s.a", "s.b", "s.a"):
        world.send(signal)
    assert shape(world.tree.roots()) == [("g0", 3), ("d3", 1), ("d4", 1)]


@pytest.mark.parametrize(
    "other",
    [{"method": "send_robust"}, {"sender": "shop.models.Other"}, {"line": 11}],
    ids=["method", "sender", "call site"],
)
def test_what_differs_is_not_grouped(other: dict[str, object]) -> None:
    """Another method, sender or line makes another row."""
    world = World()
    world.send("s.a")
    world.send("s.a", **other)  # type: ignore[arg-type]
    assert shape(world.tree.roots()) == [("d0", 1), ("d1", 1)]


def test_a_failure_does_not_split_a_group() -> None:
    """One dispatch that failed stays among its equals."""
    world = World()
    for number in range(3):
        failed = "builtins.ValueError: no" if number == 1 else ""
        world.send("s.a", call(raised=failed), method="send_robust")
    assert shape(world.tree.roots()) == [("g0", 3)]


def test_a_loop_that_sends_two_signals_makes_two_rows() -> None:
    """Where too many rows would stand side by side, equal ones are grouped wherever they are."""
    world = World()
    for _ in range(CROWDED):
        world.send("s.a")
        world.send("s.b")
    assert shape(world.tree.roots()) == [("g0", CROWDED), ("g1", CROWDED)]


def test_few_rows_keep_their_order() -> None:
    """As long as there is room, what happened in between stands in between."""
    world = World()
    for _ in range(CROWDED // 2):
        world.send("s.a")
        world.send("s.b")
    assert len(world.tree.roots()) == CROWDED


def test_nested_dispatches_stand_under_the_receiver_that_sent_them() -> None:
    """A nested dispatch is found under its receiver, one level below the receiver's row."""
    world = World()
    outer = world.send("s.a", call("r.a"), call("r.b"))
    world.send("s.b", parent=outer, parent_call=1)
    tree = world.tree
    root = tree.roots()[0]
    assert tree.under_call(root, 0) == []
    (inner,) = tree.under_call(root, 1)
    assert (inner.id, inner.parent, inner.level) == ("d0-c1-d1", "d0-c1", 3)


@pytest.mark.parametrize("index", [None, 7])
def test_dispatch_of_no_known_receiver_stands_under_its_parent(index: int | None) -> None:
    """What was sent between the receivers is not lost."""
    world = World()
    outer = world.send("s.a", call("r.a"))
    world.send("s.b", parent=outer, parent_call=index)
    root = world.tree.roots()[0]
    assert shape(world.tree.under_call(root, None)) == [("d0-d1", 1)]


def test_what_a_group_sent_on_groups_inside_it() -> None:
    """The nested dispatches of all members are one row, named after who sent them."""
    world = World()
    for _ in range(4):
        outer = world.send("s.a", call("r.a"), call("r.recalculate"))
        world.send("s.b", parent=outer, parent_call=1)
        world.send("s.c", parent=outer, parent_call=0)
    (group,) = world.tree.roots()
    inside = world.tree.under_group(group)
    assert [(n.first.signal, len(n.members), n.sent_by, n.level) for n in inside] == [
        ("s.b", 4, "r.recalculate", 3),
        ("s.c", 4, "r.a", 3),
    ]


def test_dispatch_whose_parent_was_dropped_is_at_the_top() -> None:
    """A parent beyond the limit leaves its nested dispatches at the top."""
    world = World()
    lost = world.send("s.a", call())
    world.send("s.b", parent=lost)
    world.dispatches.remove(lost)
    assert [node.first.signal for node in world.tree.roots()] == ["s.b"]


def test_every_row_is_found_by_its_id() -> None:
    """The path of a row leads back to it, through receivers, groups and their members."""
    world = World()
    for _ in range(3):
        outer = world.send("s.a", call("r.a"))
        middle = world.send("s.b", call("r.b"), parent=outer)
        world.send("s.c", parent=middle)
        world.send("s.c", parent=middle)
    tree = world.tree
    (group,) = tree.roots()
    member = tree.member(group, group.members[1])
    (middle_node,) = tree.under_call(member, 0)
    (deep,) = tree.under_call(middle_node, 0)
    (nested_group,) = tree.under_group(group)
    for node in (group, member, middle_node, deep, nested_group):
        assert tree.find(node.id) == node
    assert deep.id == "g0-d4-c0-d5-c0-g6"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "d9",
        "g0",
        "d0-c0",
        "d0-c7-d1",
        "d0-cx-d1",
        "d0-c",
        "d0-",
        "-",
        "c0",
        "d0-c" + "9" * 5000,
    ],
)
def test_unknown_paths_lead_nowhere(path: str) -> None:
    """Whatever a URL holds, an unknown row is None."""
    world = World()
    outer = world.send("s.a", call("r.a"))
    world.send("s.b", parent=outer)
    assert world.tree.find(path) is None


def test_a_dispatch_that_is_its_own_parent_is_no_cycle() -> None:
    """Nonsense in the store ends nowhere in a loop."""
    world = World()
    first = world.send("s.a")
    first.parent_id_text = first.id_text
    assert len(world.tree.roots()) == 1
