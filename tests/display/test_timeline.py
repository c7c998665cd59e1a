"""Receivers on a time axis."""

from __future__ import annotations

import pytest

from signal_inspector.core.record.values import Outcome
from signal_inspector.display import timeline as lanes
from signal_inspector.display.timeline import Scale
from tests.toolbar.made import MS, World, call


@pytest.mark.parametrize(
    ("length_ms", "texts"),
    [
        (584.6, ["0 ms", "100", "200", "300", "400", "500"]),
        (6_412.8, ["0 s", "1", "2", "3", "4", "5", "6"]),
        (3, ["0 ms", "0.5", "1", "1.5", "2", "2.5", "3"]),
    ],
)
def test_axis_has_few_round_ticks(length_ms: float, texts: list[str]) -> None:
    """The axis is marked at round times, the first with the unit."""
    axis = lanes.axis(Scale(0, int(length_ms * MS)))
    assert [tick.text for tick in axis.ticks] == texts
    assert [tick.anchor for tick in axis.ticks][:-1] == ["start"] + ["middle"] * (len(texts) - 2)


@pytest.mark.parametrize(("length_ms", "anchor"), [(251, "end"), (290, "middle")])
def test_axis_keeps_its_last_text(length_ms: float, anchor: str) -> None:
    """A mark at the right edge writes to its left, where it is not cut."""
    assert lanes.axis(Scale(0, int(length_ms * MS))).ticks[-1].anchor == anchor


def test_axis_of_nothing_still_has_a_start() -> None:
    """A request without any length does not divide by zero."""
    assert lanes.axis(Scale(0, 0)).ticks[0].x == "0.00%"


def test_positions_stay_in_the_lane() -> None:
    """Nothing is drawn outside the request."""
    scale = Scale(10 * MS, 100 * MS)
    assert scale.x(0) == "0.00%"
    assert scale.x(500 * MS) == "100.00%"
    assert scale.width(60 * MS, 85 * MS) == "25.00%"


def test_dispatch_lane_is_a_span_and_an_orphan_a_ring() -> None:
    """A dispatch has two ends; one that nobody received has a ring where it was sent."""
    world = World()
    sent = lanes.dispatch_lane(world.send("s.a", call(), at=20, took=40), world.scale)
    assert sent.span is not None
    assert (sent.span.x, sent.span.width, sent.span.end) == ("20.00%", "40.00%", "60.00%")
    assert sent.label == "a from 20.0 to 60.0 ms"
    orphan = lanes.dispatch_lane(world.send("s.b", at=30), world.scale)
    assert (orphan.span, orphan.ring) == (None, "30.00%")


def test_group_lane_turns_into_columns() -> None:
    """Up to 40 dispatches are blocks; more are at most 120 columns with a mark per failure."""
    world = World()
    few = [world.send("s.a", call(), at=n, took=0.5) for n in range(40)]
    lane = lanes.group_lane(few, Scale(0, 100 * MS))
    assert (len(lane.spans), lane.columns) == (40, ())
    broken = world.send("s.a", call(raised="a.B: c"), method="send_robust", at=50)
    lane = lanes.group_lane([*few, broken], Scale(0, 100 * MS))
    assert lane.spans == ()
    assert 40 <= len(lane.columns) <= 120
    assert lane.marks == ("50.00%",)
    assert lane.label.endswith("1 failed")


def test_columns_are_as_high_as_they_were_busy() -> None:
    """A stretch that was busy throughout is 12 px high, half of it half as high."""
    world = World()
    # 120 columns of 1 ms each.
    full = [world.send("s.a", call(), at=n, took=1) for n in range(50)]
    half = [world.send("s.a", call(), at=60 + n, took=0.5) for n in range(10)]
    lane = lanes.group_lane([*full, *half], Scale(0, 120 * MS))
    heights = {column.x: float(column.height) for column in lane.columns}
    assert heights["0.83%"] == 12
    assert heights["50.83%"] == pytest.approx(6, abs=0.2)
    assert all(float(c.y) + float(c.height) == pytest.approx(19) for c in lane.columns)


def test_call_lane_shows_nested_time_inside() -> None:
    """The nested dispatches of a receiver are pale parts of its bar."""
    world = World()
    outer = world.send("s.a", call(at=10, took=50), at=0, took=60)
    inner = world.send("s.b", call(), parent=outer, at=30, took=10)
    lane = lanes.call_lane(outer, outer.calls[0], [inner], world.scale)
    assert [(bar.kind, bar.x, bar.width) for bar in lane.bars] == [
        ("ok", "10.00%", "50.00%"),
        ("nested", "30.00%", "10.00%"),
    ]


def test_call_that_never_ran_has_a_line_where_the_dispatch_stopped() -> None:
    """A skipped receiver stands at the end of the dispatch that stopped."""
    world = World()
    sent = world.send("s.a", call(raised="a.B: c"), call("r.b", Outcome.SKIPPED), at=10, took=5)
    lane = lanes.call_lane(sent, sent.calls[1], [], world.scale)
    assert (lane.stop, lane.bars, lane.label) == ("15.00%", (), "b, skipped")


@pytest.mark.parametrize(
    ("method", "outcome", "kind"),
    [
        ("send", Outcome.RAISED, "raised"),
        ("send_robust", Outcome.RAISED, "swallowed"),
        ("asend", Outcome.CANCELLED, "cancelled"),
        ("asend", Outcome.RUNNING, "running"),
        ("send", Outcome.RETURNED, "ok"),
    ],
)
def test_bars_tell_outcomes_apart(method: str, outcome: Outcome, kind: str) -> None:
    """Each outcome has a bar of its own."""
    world = World()
    sent = world.send("s.a", call("r.a", outcome), method=method)
    assert lanes.bar_kind(outcome, sent.method, sent.outcome) == kind
