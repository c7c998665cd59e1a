"""When advice is given, what it says, and when it is not."""

from __future__ import annotations

import json as a_module
from collections.abc import Sequence

import pytest

from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.conf import Config, Toolbar
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Caller, NotCalledReason, Outcome, Unseen
from signal_inspector.toolbar import advice, view
from signal_inspector.toolbar.advice import Advice, lines, remarks
from signal_inspector.toolbar.view import advise
from tests.toolbar.made import World, call, not_called, skipped

OSCAR = "/srv/lib/site-packages/oscar"
BROKEN = "coupons.models.CouponAbuse: used 3 times"
ONE_FUNCTION = f"{a_module.__name__}.dumps"  # a name that means one function


def words(advice: Advice) -> str:
    return "".join(segment.text for segment in advice.reason)


def of_kind(found: Sequence[Advice], kind: str) -> Advice:
    matching = [advice for advice in found if advice.kind == kind]
    assert len(matching) == 1, [advice.kind for advice in found]
    return matching[0]


def kinds(world: World) -> list[str]:
    return [advice.kind for advice in advise(world.case())]


def test_nothing_to_say_of_a_plain_request() -> None:
    """A request in which all went well gets no advice."""
    world = World()
    world.send("s.a", call("r.a"), call("r.b"))
    assert advise(world.case()) == []


def test_stopped_others() -> None:
    """Who raised, who was not called, and what would have run them all."""
    world = World()
    world.send("s.a", call("f.check", raised=BROKEN), skipped("m.track"), skipped("n.tell"))
    advice = of_kind(advise(world.case()), "stopped others")
    assert words(advice) == (
        "check raised under send, so track and tell were not called. "
        "With send_robust they would have been."
    )
    assert (advice.severity, advice.targets) == ("mend", ((0, 0),))
    assert [s.text for s in advice.reason if s.style == "strong"] == ["check", "track", "tell"]
    assert [s.text for s in advice.reason if s.style == "mono"] == ["send", "send_robust"]


def test_stopped_others_is_said_once_for_many() -> None:
    """The same stop, many times, is one piece of advice with its number."""
    world = World()
    for _ in range(3):
        world.send("s.a", call("f.check", raised=BROKEN), skipped("m.track"), method="asend")
    advice = of_kind(advise(world.case()), "stopped others")
    assert "track was not called (3 times). With asend_robust it would have been." in words(advice)
    assert [target[0] for target in advice.targets] == [0, 1, 2]


def test_the_last_receiver_stops_nobody() -> None:
    """A failure after which nothing would have run is no such advice."""
    world = World()
    world.send("s.a", call("r.a"), call("r.b", raised=BROKEN))
    assert kinds(world) == []


def test_swallowed() -> None:
    """An exception that a robust method gave back is worth knowing."""
    world = World()
    world.send("s.a", call("l.award", raised=BROKEN), method="send_robust")
    advice = of_kind(advise(world.case()), "swallowed")
    assert words(advice).startswith("award raised CouponAbuse; send_robust returned it")
    assert advice.severity == "know"


def connection(
    sender: str | None = None,
    uid: str | None = None,
    *,
    receiver: str = ONE_FUNCTION,
    repetition: int = 1,
) -> ReceiverEntry:
    example = call(receiver)
    return ReceiverEntry(
        receiver=receiver,
        path=example.path,
        line=example.line,
        repetition=repetition,
        sender=sender,
        is_async=False,
        is_weak=True,
        dispatch_uid=uid,
        connected_at=None,
        is_dead=False,
    )


@pytest.mark.parametrize(
    ("entries", "how"),
    [
        ([], "."),
        (
            [connection(), connection(uid="billing")],
            ", once with dispatch_uid='billing' and once without dispatch_uid.",
        ),
        (
            [connection(sender="shop.models.Order"), connection()],
            ", once for sender shop.models.Order and once for any sender.",
        ),
        (
            [connection(uid="billing", sender="shop.models.Order"), connection()],
            (
                ", once with dispatch_uid='billing' for sender shop.models.Order "
                "and once without dispatch_uid for any sender."
            ),
        ),
    ],
)
def test_connected_twice(entries: list[ReceiverEntry], how: str) -> None:
    """One function that ran twice for one dispatch is connected twice, and how."""
    world = World()
    world.send("s.completed", call(ONE_FUNCTION), call("r.other"), call(ONE_FUNCTION))
    catalog = [SignalEntry(signal="s.completed", receivers=tuple(entries))]
    advice = of_kind(advise(world.case(catalog=catalog)), "connected twice")
    assert words(advice) == f"dumps ran twice for one completed: it is connected twice{how}"
    assert (advice.severity, advice.title) == ("mend", "Connected twice")
    assert advice.targets == ((0, 2),), "the second call carries the badge"


@pytest.mark.parametrize("is_known", [True, False])
def test_methods_of_two_objects_are_no_mistake(is_known: bool) -> None:
    """A name that several objects share is connected once for each of them: nothing is said."""
    name = "shop.Basket.on_order"
    world = World()
    world.send("s.a", call(name), call(name))
    entries = (connection(receiver=name, repetition=0),) * (2 * is_known)
    catalog = [SignalEntry(signal="s.a", receivers=entries)]
    assert advise(world.case(catalog=catalog)) == []


def test_a_method_of_one_object_that_is_connected_twice() -> None:
    """The catalog knows it by its object; of a third one of the same name nothing is said."""
    name = "shop.Basket.on_order"
    world = World()
    world.send("s.a", call(name), call(name), call(name))
    entries = (
        connection(receiver=name),
        connection(receiver=name, uid="again"),
        connection(receiver=name, repetition=0),
    )
    catalog = [SignalEntry(signal="s.a", receivers=entries)]
    advice = of_kind(advise(world.case(catalog=catalog)), "connected twice")
    assert words(advice) == (
        "on_order ran twice for one a: it is connected twice, "
        "once with dispatch_uid='again' and once without dispatch_uid."
    )


def test_a_file_that_was_imported_under_two_names() -> None:
    """Two names of one place in the source: what the mail that came twice is due to."""
    world = World()
    world.send("s.paid", call("shop.receivers.mail"), call("receivers.mail"))
    entries = (connection(receiver="shop.receivers.mail"), connection(receiver="receivers.mail"))
    catalog = [SignalEntry(signal="s.paid", receivers=entries)]
    advice = of_kind(advise(world.case(catalog=catalog)), "connected twice")
    assert words(advice) == (
        "mail ran twice for one paid: its module was imported under two names, "
        "as shop.receivers.mail and receivers.mail."
    )
    assert (advice.severity, advice.targets) == ("mend", ((0, 1),))


def test_a_receiver_that_was_skipped_the_second_time_ran_once() -> None:
    """What never ran is no call."""
    world = World()
    world.send("s.a", call(ONE_FUNCTION, raised=BROKEN), skipped(ONE_FUNCTION))
    assert "connected twice" not in kinds(world)


def test_slow_in_a_transaction() -> None:
    """A receiver that held a transaction for long, the slowest of its calls first."""
    world = World()
    world.send("s.a", call("i.sync", took=60), in_transaction=True)
    world.send("s.a", call("i.sync", took=160.6), in_transaction=True)
    advice = of_kind(advise(world.case()), "slow in a transaction")
    assert words(advice) == (
        "sync kept the transaction and its locks open for 160.6 ms (2 times). With "
        "transaction.on_commit it would run after the commit."
    )
    assert advice.targets == ((1, 0), (0, 0))


@pytest.mark.parametrize(
    ("took", "own", "in_transaction"), [(49, 49, True), (200, 200, False), (200, 10, True)]
)
def test_not_slow_in_a_transaction(took: float, own: float, in_transaction: bool) -> None:
    """Fast ones, those outside a transaction, and those that only waited for nested dispatches
    are left alone."""
    world = World()
    world.send("s.a", call(took=took, own=own), in_transaction=in_transaction)
    assert kinds(world) == []


def test_the_threshold_of_a_slow_receiver_is_a_setting() -> None:
    """A limit decides."""
    world = World()
    world.send("s.a", call(took=5), in_transaction=True)
    config = Config(toolbar=Toolbar(slow_in_transaction_ms=5))
    assert [a.kind for a in advise(world.case(config=config))] == ["slow in a transaction"]


def test_ran_often() -> None:
    """Receivers that ran equally often for a signal share one piece of advice."""
    world = World()
    for _ in range(12):
        world.send("s.reserved", call("i.decrease", queries=("a", "b")), call("i.log"))
    advice = of_kind(advise(world.case()), "ran often")
    assert advice.title == "Ran 12 times"
    assert words(advice) == (
        "decrease and log ran 12 times (24.0 ms, 24 queries). "
        "One reserved for everything would run them once."
    )


def test_nine_times_is_not_often() -> None:
    """Below ten times nothing is said."""
    world = World()
    for _ in range(9):
        world.send("s.reserved", call("i.decrease"))
    assert kinds(world) == []


def test_repeated_query() -> None:
    """One statement sent five times or more by one call."""
    world = World()
    world.send("s.a", call("i.refresh", queries=("SELECT 1",) * 28 + ("SELECT 2",) * 3))
    advice = of_kind(advise(world.case()), "repeated query")
    assert words(advice) == "refresh ran the same statement 28 times, among its 31 queries."
    assert advice.badge is not None
    assert advice.badge.text == "28 \N{MULTIPLICATION SIGN} one query"


def test_four_equal_queries_are_not_worth_a_word() -> None:
    """Up to four equal statements nothing is said."""
    world = World()
    world.send("s.a", call("i.refresh", queries=("SELECT 1",) * 4 + ("SELECT 2",) * 4))
    assert kinds(world) == []


def test_thread_for_asend() -> None:
    """A sync receiver costs asend a thread, and async ones may have waited for it."""
    world = World()
    world.send(
        "s.completed",
        call("b.invoice", at=0, took=61),
        call("b.invoice2", at=61, took=59),
        call("c.push", at=120.5, took=142, is_async=True),
        call("c.book", at=120.5, took=97, is_async=True),
        method="asend",
    )
    advice = of_kind(advise(world.case()), "thread for asend")
    assert words(advice) == (
        "invoice and invoice2 are sync, so asend ran them in a thread, "
        "and the 2 async receivers waited 120.0 ms for them."
    )


def test_nobody_waits_where_all_run_at_once() -> None:
    """On Django before 6.1 sync and async receivers start together, and nothing waited."""
    world = World()
    calls = (call("b.invoice", took=61), call("c.push", took=142, is_async=True))
    world.send("s.completed", *calls, method="asend_robust")
    advice = of_kind(advise(world.case()), "thread for asend")
    assert words(advice) == "invoice is sync, so asend_robust ran it in a thread."


def test_async_receivers_alone_need_no_thread() -> None:
    """An asend with async receivers only is what asend is for."""
    world = World()
    world.send("s.a", call("c.push", is_async=True), method="asend")
    assert kinds(world) == []


@pytest.mark.parametrize(
    ("sends", "idle", "text"),
    [
        (1, [], "low was sent, but no receiver is connected to it."),
        (40, [], "low was sent 40 times, but no receiver is connected to it."),
        (
            1,
            [not_called("p.a", NotCalledReason.OTHER_SENDER)],
            "low had only 1 connected receiver, which listens to another sender.",
        ),
        (
            1,
            [not_called("p.a", NotCalledReason.DEAD)],
            "low had only 1 garbage-collected receiver: its weak reference is dead.",
        ),
        (
            1,
            [not_called("p.a", NotCalledReason.TAKEN_OUT)],
            "low had only 1 receiver that was removed from signal.receivers without disconnect().",
        ),
    ],
)
def test_nobody_received(sends: int, idle: list[object], text: str) -> None:
    """An orphan says who was connected, and why that was not enough."""
    world = World()
    for _ in range(sends):
        world.send("s.low", not_called=tuple(idle))
    advice = of_kind(advise(world.case()), "nobody received")
    assert words(advice) == text


@pytest.mark.parametrize(
    ("made_in", "sent_in", "is_told"),
    [
        (
            "/srv/lib/site-packages/oscar/signals.py",
            "/srv/lib/site-packages/oscar/views.py",
            False,
        ),
        (f"{OSCAR}/signals.py", "/srv/shop/views.py", True),
        ("/srv/shop/signals.py", f"{OSCAR}/views.py", True),
        ("", f"{OSCAR}/views.py", True),
    ],
)
def test_what_a_package_offers_needs_no_receiver(
    made_in: str, sent_in: str, is_told: bool
) -> None:
    """A signal that an installed package makes and sends is there for those who want it."""
    world = World()
    world.send("oscar.signals.viewed", caller=Caller(sent_in, 3, "view"))
    catalog = [SignalEntry(signal="oscar.signals.viewed", receivers=(), path=made_in)]
    found = [advice.kind for advice in advise(world.case(catalog=catalog))]
    assert found == ["nobody received"] * is_told


def test_what_was_put_off_is_no_orphan() -> None:
    """Nothing is said of receivers that are connected and called later."""
    world = World()
    world.send("s.a", unseen=Unseen.PUT_OFF)
    assert kinds(world) == []


def test_rolled_back() -> None:
    """Receivers whose transaction was rolled back afterwards may have left traces elsewhere."""
    world = World()
    world.send("s.a", call("m.send_mail"), in_transaction=True, rolled_back=True)
    advice = of_kind(advise(world.case()), "rolled back")
    assert words(advice).startswith("send_mail ran for a in a transaction that was rolled back")


def test_recursion() -> None:
    """A signal sent inside its own receiver, however many dispatches are between, and how deep."""
    world = World()
    outer = world.send("s.saved", call("r.a"))
    between = world.send("s.other", call("r.b"), parent=outer)
    inner = world.send("s.saved", call("r.a"), parent=between)
    deepest = world.send("s.saved", call("r.a"), parent=inner)
    advice = of_kind(advise(world.case()), "recursion")
    assert words(advice).startswith("saved was sent by one of its own receivers, 2 deep.")
    assert advice.targets == ((deepest.sequence, None),)


def test_dropped() -> None:
    """What was only counted is to be mended, and leads to the last row."""
    world = World()
    world.send("s.a", call())
    found = advise(world.case(dropped=212))
    assert words(found[0]) == (
        '212 dispatches above the limit of 1 were only counted. LIMITS["DISPATCHES"] raises it.'
    )
    assert lines(found, lambda target: "").mend[0].target == advice.DROPPED_ROW


def test_a_rule_that_fails_says_nothing_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """One broken rule does not take the others with it."""

    def broken(case: object) -> list[Advice]:
        raise RuntimeError("rule")

    monkeypatch.setattr(view, "RULES", (broken, *view.RULES))
    world = World()
    world.send("s.a")
    assert kinds(world) == ["nobody received"]
    assert internal_errors.counts() == {"advice (broken)": 1}


def test_lines_lead_to_rows_and_are_capped() -> None:
    """Each line names its row; beyond 15 lines the rest is counted."""
    world = World()
    for number in range(20):
        world.send(f"s.signal{number}")
    shown = lines(advise(world.case()), lambda target: f"d{target[0]}")
    assert shown.mend == ()
    assert [line.target for line in shown.know[:2]] == ["d0", "d1"]
    assert len(shown.know) == 16
    assert shown.know[-1].segments[0].text == "5 more of these kinds are not listed."
    assert (shown.know_title, shown.know_kinds) == ("20 things to know", "nobody received")


def test_know_title_counts_on_from_what_is_to_mend() -> None:
    """Beside advice to mend the rest is "more"."""
    world = World()
    world.send("s.a", call("f.check", raised=BROKEN), skipped("m.track"))
    world.send("s.b")
    assert lines(advise(world.case()), lambda target: "").know_title == "1 more to know"


def test_remarks_put_badges_on_every_row_concerned() -> None:
    """Each slow call carries the badge, and its dispatch is one to open."""
    world = World()
    for _ in range(2):
        world.send("s.a", call("i.sync", took=60), in_transaction=True)
    found = remarks(advise(world.case()))
    assert [badge.text for badge in found.badges[1, 0]] == ["slow in a transaction"]
    assert found.mend == {0, 1}


def test_running_receivers_are_no_advice() -> None:
    """What has not ended is judged by nothing."""
    world = World()
    world.send("s.a", call("r.a", Outcome.RUNNING, took=0), method="asend", in_transaction=True)
    assert [kind for kind in kinds(world) if kind != "thread for asend"] == []
