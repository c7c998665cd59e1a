"""How things ended, in words."""

from __future__ import annotations

import pytest

from signal_inspector.core.record.values import (
    NotCalledReason,
    Outcome,
    ReceiverCall,
    Summary,
    Unseen,
)
from signal_inspector.toolbar.cells import call_outcome, dispatch_outcome, group_outcome
from tests.toolbar.made import World, call, not_called, skipped

BROKEN = "builtins.ValueError: no"


@pytest.mark.parametrize(
    ("method", "calls", "text", "note", "glyph"),
    [
        ("send", [call()], "returned", "", "ok"),
        ("send", [call(), call()], "all 2 returned", "", "ok"),
        ("send", [], "nobody received it", "", "orphan"),
        (
            "send",
            [call(), call(raised=BROKEN), skipped("r.c")],
            "raised to the sender",
            "1 receiver skipped",
            "raised",
        ),
        ("send", [call(raised=BROKEN)], "raised to the sender", "", "raised"),
        (
            "send_robust",
            [call(), call(raised=BROKEN)],
            "1 of 2 raised, swallowed",
            "",
            "swallowed",
        ),
        (
            "asend_robust",
            [call(raised=BROKEN)],
            "raised, swallowed",
            "",
            "swallowed",
        ),
        ("asend", [call(), call("r.b", Outcome.RUNNING)], "1 of 2 returned", "", "cancelled"),
    ],
)
def test_dispatch(
    method: str, calls: list[ReceiverCall], text: str, note: str, glyph: str
) -> None:
    """A dispatch says how it ended and what became of its receivers."""
    cell = dispatch_outcome(World().send("s.a", *calls, method=method))
    assert (cell.text, cell.note, cell.glyph) == (text, note, glyph)


@pytest.mark.parametrize(
    ("outcome", "text"), [(Outcome.CANCELLED, "cancelled"), (Outcome.RUNNING, "still running")]
)
def test_dispatch_without_an_end(outcome: Outcome, text: str) -> None:
    """A cancelled dispatch and one that still runs are told apart."""
    assert dispatch_outcome(World().send("s.a", call(), outcome=outcome)).text == text


def test_orphan_counts_who_was_connected() -> None:
    """An orphan says how many receivers listen to something else."""
    idle = not_called("r.a", NotCalledReason.OTHER_SENDER)
    cell = dispatch_outcome(World().send("s.a", not_called=(idle,)))
    assert (cell.text, cell.note) == ("nobody received it", "1 connected, not called")


def test_receivers() -> None:
    """Who was stopped is told with who stopped it; who raised, with what that did."""
    sent = World().send("s.a", call("r.a"), call("r.b", raised=BROKEN), skipped("r.c"))
    words = [(cell.text, cell.note) for cell in (call_outcome(sent, c) for c in sent.calls)]
    assert words == [
        ("returned", ""),
        ("raised", "1 receiver skipped"),
        ("skipped", "stopped by b"),
    ]


def test_swallowed_and_cancelled_receivers() -> None:
    """A swallowed exception and a cancelled sibling have words of their own."""
    robust = World().send("s.a", call("r.b", raised=BROKEN), method="send_robust")
    assert call_outcome(robust, robust.calls[0]).text == "raised, swallowed"
    siblings = (call("r.a", raised=BROKEN), call("r.b", Outcome.CANCELLED))
    sent = World().send("s.a", *siblings, method="asend")
    assert call_outcome(sent, sent.calls[1]).note == "when a raised"


def test_receiver_that_still_runs() -> None:
    """A receiver that had not ended when the response was made says so."""
    sent = World().send("s.a", call("r.a", Outcome.RUNNING), method="asend")
    cell = call_outcome(sent, sent.calls[0])
    assert (cell.text, cell.note) == ("still running", "when the response was made")


def test_returned_value_is_shown() -> None:
    """What a receiver returned stands after the word."""
    value = Summary(kind="model", type="shop.models.Order", text="shop.Order:42")
    sent = World().send("s.a", call(response=value))
    assert call_outcome(sent, sent.calls[0]).value == "shop.Order:42"


@pytest.mark.parametrize(
    ("method", "failures", "text", "note"),
    [
        ("send", 0, "all 4 returned", "2 receivers each"),
        ("send", 2, "2 of 4 raised to the sender", ""),
        ("send_robust", 2, "2 of 8 calls raised, swallowed", ""),
    ],
)
def test_group(method: str, failures: int, text: str, note: str) -> None:
    """A group counts what failed among its calls."""
    world = World()
    for number in range(4):
        broken = BROKEN if number < failures else ""
        world.send("s.a", call("r.a"), call("r.b", raised=broken), method=method)
    cell = group_outcome(world.dispatches)
    assert (cell.text, cell.note) == (text, note)


def test_group_of_orphans() -> None:
    """Orphans of a group are counted, all or some."""
    world = World()
    world.send("s.a")
    world.send("s.a")
    assert group_outcome(world.dispatches).text == "nobody received them"
    world.send("s.a", call())
    assert group_outcome(world.dispatches).text == "2 of 3 received by nobody"


def test_group_that_has_not_ended() -> None:
    """A group with a dispatch that was cancelled does not claim that all returned."""
    world = World()
    world.send("s.a", call())
    world.send("s.a", call(), outcome=Outcome.CANCELLED)
    assert group_outcome(world.dispatches).text == "1 of 2 ended"


def test_a_dispatch_that_was_put_off() -> None:
    """It is no orphan: the word for it says so, of one and of a group."""
    world = World()
    for unseen in (Unseen.PUT_OFF, Unseen.PUT_OFF, None):
        world.send("s.a", *([call()] if unseen is None else []), unseen=unseen)
    cell = dispatch_outcome(world.dispatches[0])
    assert (cell.text, cell.note, cell.tone) == ("put off", "send called no receiver", "none")
    assert group_outcome(world.dispatches[:2]).text == "put off"
    assert group_outcome(world.dispatches).text == "2 of 3 put off"
    assert [dispatch.is_orphan for dispatch in world.dispatches] == [False, False, False]


def test_receivers_that_nobody_saw() -> None:
    """Those that a method of the signal's own was given: which it called is not known."""
    dispatch = World().send("s.a", call(), method="send_chained", unseen=Unseen.UNTOLD)
    cell = dispatch_outcome(dispatch)
    assert (cell.text, cell.note) == ("returned", "which receivers it called is not known")
