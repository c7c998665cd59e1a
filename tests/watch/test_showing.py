"""What a dispatch looks like in a terminal."""

from __future__ import annotations

import json
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

import pytest
from django.core.management.color import color_style, no_style
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector import capture
from signal_inspector.core.record.dispatch import document
from signal_inspector.watch.listening import Families, Family, Filters, Seen, read_seen
from signal_inspector.watch.terminal import (
    Lines,
    Shown,
    Signs,
    cells,
    end_of,
    printable,
    shortened,
)
from signal_inspector.watch.watcher import Watcher
from tests.watch.test_sink import caused, happened

__all__ = ["caused", "happened"]


def id_of(name: str | None) -> str | None:
    """An id; the same for the same name."""
    return name and str(uuid5(NAMESPACE_OID, name))


def seen_of(data: dict[str, Any], process: str = "") -> Seen:
    """A dispatch as the watcher reads it."""
    return read_seen(document(data), process)


def record(id: str = "1", parent_id: str | None = None, **changes: Any) -> dict[str, Any]:  # noqa: A002
    """A dispatch as it comes; ids are given by a name."""
    return {
        "id": id_of(id),
        "parent_id": id_of(parent_id),
        "parent_call": None,
        "signal": "shop.signals.order_placed",
        "sender": "shop.services.Checkout",
        "method": "send_robust",
        "started_at": "2026-11-22T10:14:07.318000+00:00",
        "duration_ns": 18_300_000,
        "outcome": "returned",
        "payload": {"order": {"kind": "object", "type": "x", "text": "shop.Order:42"}},
        "in_transaction": True,
        "rolled_back": False,
        "calls": [],
        **changes,
    }


def a_call(receiver: str, outcome: str = "returned", **changes: Any) -> dict[str, Any]:
    return {
        "receiver": receiver,
        "outcome": outcome,
        "duration_ns": 1_000_000,
        "is_async": False,
        "query_count": 0,
        "failure": None,
        **changes,
    }


def lines(
    *records: dict[str, Any],
    width: int = 80,
    encoding: str = "utf-8",
    filters: Filters | None = None,
    receivers: bool = True,
) -> list[str]:
    """All lines of these dispatches, in the order in which they come."""
    shown = Shown(filters=filters or Filters(), width=width, receivers=receivers)
    made = Lines(shown, Signs(no_style(), encoding))
    families = Families()
    found: list[Family] = []
    for data in records:
        found += families.add(seen_of(data, "pid 1, x"), 0.0)
    found += families.rest()
    return [line for family in found for line in made.of(family)]


CHECKOUT = record(
    calls=[
        a_call("shop.receivers.log_order", query_count=1),
        a_call(
            "loyalty.receivers.award_points",
            "raised",
            failure={"exception_class": "loyalty.models.Account.DoesNotExist", "message": "no\n1"},
        ),
        a_call("inventory.receivers.sync_warehouse", duration_ns=12_000_000_000),
    ]
)
#: The integers of a receiver call.
COUNTED: Final = (
    *("line", "offset_ns", "duration_ns", "self_ns"),
    *("query_count", "query_ns", "queries_by_time"),
)
CAUSED = record(
    id="2", parent_id="1", parent_call=2, signal="inventory.signals.stock_low", duration_ns=0
)


def test_dispatch_with_receivers(settings: Any) -> None:
    """Words for what failed, times at the right, what was caused below its receiver."""
    settings.TIME_ZONE = "UTC"
    assert lines(CAUSED, CHECKOUT) == [
        "10:14:07.318 ⬡ shop.signals.order_placed  1 of 3 raised, swallowed       18.3 ms",
        "  send_robust from shop.services.Checkout · in a transaction",
        "  order=shop.Order:42",
        "  ✓ shop.receivers.log_order  1 query                                     1.0 ms",
        "  ⬡ loyalty.receivers.award_points  raised, swallowed                     1.0 ms",
        "      Account.DoesNotExist: no 1",
        "  ✓ inventory.receivers.sync_warehouse                                    12.0 s",
        "    → ◌ inventory.signals.stock_low  nobody received it                 < 0.1 ms",
        "      send_robust from shop.services.Checkout · in a transaction",
        "      order=shop.Order:42",
    ]


def test_outcomes_have_words() -> None:
    """Everything but a success has a word, and what never ran has no time."""
    calls = [a_call(f"r.{word}", word) for word in ("returned", "raised", "skipped", "cancelled")]
    text = "\n".join(lines(record(outcome="raised", calls=calls, rolled_back=True)))
    for word in ("raised to the sender, rolled back", "r.skipped  skipped", "cancelled"):
        assert word in text
    assert "in a transaction" not in text  # it says already that it was rolled back
    assert text.count("raised to the sender") == 1


def test_without_receivers() -> None:
    """The lines of receivers can be left out; what they sent stays."""
    text = "\n".join(lines(CAUSED, CHECKOUT, receivers=False))
    assert "sync_warehouse" not in text
    assert "stock_low" in text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_fits(width: int) -> None:
    """No line is wider than the terminal, whatever the names and texts are."""
    long = record(
        signal="a." * 100 + "order_placed",
        sender="日本語" * 40,
        payload={"text": {"kind": "object", "type": "x", "text": "漢字" * 100}},
        calls=[
            a_call(
                "b." * 90 + "receive",
                "raised",
                query_count=10_000,
                is_async=True,
                failure={"exception_class": "x" * 90, "message": "é" * 300},
            )
        ],
    )
    found = lines(long, CAUSED, CHECKOUT, width=width)
    assert max(map(cells, found)) <= width
    assert any(line.rstrip().endswith("ms") for line in found)
    assert "placed" in found[0] or width < 80


def test_nothing_is_obeyed() -> None:
    """Control characters, and those that turn the direction, are shown and not obeyed."""
    evil = "\x1b[2J\x9b1m\u202eevil\r\n\x07\ud800"
    data = record(
        signal=f"shop.{evil}",
        sender=evil,
        payload={evil: {"kind": "object", "type": "x", "text": evil}},
        calls=[a_call(evil, "raised", failure={"exception_class": evil, "message": evil})],
    )
    found = lines(data, width=300)
    assert all(line.isprintable() for line in found)
    assert any(r"\x1b[2J\x9b1m\u202eevil" in line for line in found)


def test_ascii_terminal() -> None:
    """Where the encoding has no glyphs there are letters."""
    text = "\n".join(lines(CAUSED, CHECKOUT, encoding="ascii"))
    assert text.isascii()
    assert "  x loyalty.receivers.award_points" in text


def test_what_the_terminal_cannot_encode() -> None:
    """Foreign text is escaped where the encoding lacks it, and still fits."""
    data = record(
        signal="shop.größe",
        sender="日本",
        payload={"text": {"kind": "object", "type": "x", "text": "漢字" * 100}},
        calls=[a_call("漢", "raised", failure={"exception_class": "字", "message": "日"})],
    )
    found = lines(data, encoding="latin-1")
    "".join(found).encode("latin-1")
    assert "shop.größe" in found[0]
    assert r"from \u65e5\u672c" in found[1]
    assert max(map(cells, found)) <= 80


def test_colors_are_no_part_of_the_width() -> None:
    """With colors the columns stay where they were."""
    shown = Shown(filters=Filters(), width=80)
    made = Lines(shown, Signs(color_style(force_color=True), "utf-8"))
    import re

    colored = list(made.of(Family(seen_of(CHECKOUT))))
    assert any("\x1b[" in line for line in colored)
    assert [re.sub(r"\x1b\[[\d;]*m", "", line) for line in colored] == lines(CHECKOUT)


@pytest.mark.parametrize(
    ("filters", "signals"),
    [
        (Filters(), {"order_placed", "stock_low"}),
        (Filters(signals=("shop.*",)), {"order_placed"}),
        (Filters(signals=("stock_*",)), {"stock_low"}),
        (Filters(signals=("signals.stock_*",)), {"stock_low"}),
        (Filters(signals=("stock_low", "order_placed")), {"order_placed", "stock_low"}),
        (Filters(receivers=("award_points",)), {"order_placed"}),
        (Filters(receivers=("nobody",)), set()),
        (Filters(senders=("Checkout",)), {"order_placed", "stock_low"}),
        (Filters(senders=("*.Other",)), set()),
        (Filters(failures=True), {"order_placed"}),
        (Filters(slower_than_ns=18_000_000), {"order_placed"}),
        (Filters(slower_than_ns=18_300_000), set()),
        (Filters(signals=("stock_low",), failures=True), set()),
    ],
)
def test_filters(filters: Filters, signals: set[str]) -> None:
    """All that is given has to hold; one whose parent is left out is shown by itself."""
    text = "\n".join(lines(CAUSED, CHECKOUT, filters=filters))
    assert {name for name in ("order_placed", "stock_low") if f".{name} " in text} == signals


def test_child_waits_for_its_parent() -> None:
    """It is shown below the parent if that comes in time, and else by itself, once."""
    families = Families(patience=2.0)
    child, parent = seen_of(CAUSED), seen_of(CHECKOUT)
    assert list(families.add(child, 0.0)) == []
    assert list(families.waited(1.9)) == []
    (alone,) = families.waited(2.0)
    assert (alone.seen, alone.is_alone) == (child, True)
    (family,) = families.add(parent, 3.0)
    assert (family.children, family.is_alone) == ([], False)
    late = seen_of({**CAUSED, "id": id_of("3")})
    (after,) = families.add(late, 4.0)
    assert after.is_alone


def test_grandchildren_wait_with_their_parent() -> None:
    """What waits for one that waits itself is shown with it."""
    families = Families(patience=2.0)
    inner = seen_of(record(id="3", parent_id="2", parent_call=0))
    assert list(families.add(inner, 0.0)) == []
    assert list(families.add(seen_of(CAUSED), 1.5)) == []
    assert list(families.waited(2.5)) == []
    (family,) = families.add(seen_of(CHECKOUT), 3.0)
    assert family.children[0].children[0].seen is inner


def test_no_more_than_so_many_wait() -> None:
    """When too many have waited for parents of their own, all of them are shown."""
    families = Families(patience=2.0)
    found: list[Family] = []
    for number in range(5_001):
        found += families.add(seen_of(record(id=f"{number}", parent_id=f"x{number}")), 0.0)
    assert len(found) == 5_001
    assert list(families.rest()) == []


def test_cycle_of_parents_is_shown_in_the_end() -> None:
    """Ids that nobody would make do not hang the watcher, and hide no dispatch."""
    families = Families(patience=2.0)
    for name, parent in (("a", "a"), ("b", "c"), ("c", "b")):
        assert list(families.add(seen_of(record(id=name, parent_id=parent)), 0.0)) == []
    assert list(families.waited(30.0)) == []
    alone, top = families.rest()
    assert alone.seen.dispatch.id_text == id_of("a")
    assert top.seen.dispatch.id_text == id_of("b")
    assert [each.seen.dispatch.id_text for each in top.children] == [id_of("c")]
    assert list(families.rest()) == []


def test_deep_nesting() -> None:
    """Two thousand levels need no recursion, and stay within the width."""
    records = [
        record(id=str(n), parent_id=str(n - 1) if n else None, parent_call=0, calls=[a_call("r")])
        for n in range(2_000)
    ]
    found = lines(*records[::-1])
    assert len(found) == 2_000 * 4 or len(found) >= 2_000 * 3
    assert max(map(cells, found)) <= 80


@given(st.text(), st.integers(1, 30))
def test_shortening(text: str, room: int) -> None:
    """A cut text takes no more columns than there are, and a short one stays."""
    shown = printable(text)
    assert shown.isprintable()
    for cut in (shortened(shown, room), end_of(shown, room)):
        assert cells(cut) <= max(room, 1)
    if cells(shown) <= room:
        assert shortened(shown, room) == shown


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(CHECKOUT)), _json)
def test_any_data(key: str, value: Any) -> None:
    """What is no dispatch is no failure either: it is read, or a ValueError."""
    try:
        seen = seen_of({**CHECKOUT, key: value})
    except ValueError:
        return
    assert isinstance(seen, Seen)
    made = Lines(Shown(filters=Filters(), width=80), Signs(no_style(), "utf-8"))
    assert all(line.isprintable() for line in made.of(Family(seen)))


@pytest.fixture
def watcher() -> tuple[Watcher, list[str], list[str]]:
    out: list[str] = []
    said: list[str] = []
    made = Lines(Shown(filters=Filters(), width=80), Signs(no_style(), "utf-8"))
    return Watcher(made, out=out.append, say=said.append, as_json=True), out, said


def test_json_is_what_the_recorder_says(watcher: Any) -> None:
    """A line of JSON is what came, its context included."""
    watching, out, said = watcher
    with capture() as captured:
        caused.send(sender=None, order=42)
    data = captured[0].as_dict()
    watching._add(json.loads(json.dumps(document(data, process="pid 7, shell", shortened=True))))
    (line,) = out
    assert json.loads(line) == {
        "version": 1,
        "dispatch": data,
        "context": {"process": "pid 7, shell", "shortened": True},
    }
    watching.end()
    (summary,) = said
    assert summary.startswith("1 dispatch in ")
    assert summary.endswith(" s, 0 failed.")


def test_summary_counts_what_is_missing(watcher: Any) -> None:
    """What was lost and what could not be read is in the summary."""
    from signal_inspector.watch.listening import Message

    watching, _, said = watcher
    for kind, content in (("hello", {}), ("lost", 7), ("dispatch", {}), ("unreadable", None)):
        watching._take(Message("1 \x1bx", kind, content))
    watching.end()
    assert said[0] == r"Process 1 \x1bx has connected."
    assert said[1] == r"7 dispatches of process 1 \x1bx could not be sent."
    assert said[2].endswith("7 lost, because the watcher was too slow, 2 unreadable.")


HUGE: Final = 10**400


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "told",
    [
        {"duration_ns": HUGE},
        {"duration_ns": -HUGE},
        {"duration_ns": 2**63},
        {"start_ns": HUGE},
        {"parent_call": HUGE},
        {"payload_dropped": HUGE},
        {"started_at": "9999-12-31T23:59:59-23:59"},
        {"started_at": "0001-01-01T00:00:00+23:59"},
        {"started_at": "9999-12-31T23:59:59+00:00"},
        {"started_at": "0001-01-01T00:00:00"},
        {"caller": {"path": "a.py", "line": HUGE, "function": "f"}},
        {"stack": [["a.py", HUGE, "f"]]},
        *({"calls": [a_call("r", **{key: HUGE})]} for key in COUNTED),
        {"calls": [a_call("r", queries=[{"alias": "a", "sql": "", "duration_ns": HUGE}])]},
        {"not_called": [{"receiver": "r", "line": HUGE, "reason": "other sender"}]},
    ],
)
def test_what_no_clock_has_measured_is_not_readable(
    told: dict[str, Any], as_json: bool, settings: Any
) -> None:
    """A number or a time that is too large to be real counts by itself: not its children."""
    settings.TIME_ZONE = "Asia/Tokyo"
    out: list[str] = []
    said: list[str] = []
    made = Lines(Shown(filters=Filters(), width=80), Signs(no_style(), "utf-8"))
    watching = Watcher(made, out=out.append, say=said.append, as_json=as_json)
    for data in (CAUSED, {**CHECKOUT, **told}):
        watching._add(document(data, process="pid 7"))
    assert out == []  # the child waits for the parent still
    watching.end()
    assert "inventory.signals.stock_low" in out[0]
    assert "shop.signals.order_placed" not in "".join(out)
    assert said[0].startswith("1 dispatch in ")
    assert said[0].endswith(", 0 failed, 1 unreadable.")


@pytest.mark.parametrize("at", ["1677-09-21T00:12:43.145225", "2262-04-11T23:47:16.854775"])
def test_what_64_bits_hold_is_shown(at: str, settings: Any) -> None:
    """The first and the last moment, and the greatest numbers, are read and shown as any."""
    settings.TIME_ZONE = "UTC"
    most = 2**63 - 1
    calls = [a_call("r", **dict.fromkeys(COUNTED, most))]
    (heading, _, _, row) = lines(record(started_at=at, duration_ns=most, calls=calls))
    assert heading.startswith(f"{at[11:23]} ✓ ")
    assert heading.endswith("9,223,372,036.9 s")
    assert f"{most:,} queries" in row
