"""The graph's data: senders, receivers, what is sent on, and cycles."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.dispatch import Signal
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector import capture
from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry
from signal_inspector.core import internal_errors, registry
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.registry import SentOn, sent_on_in
from signal_inspector.graph import building
from signal_inspector.graph.building import build, project_graph
from signal_inspector.graph.model import Graph, Known, SendingOn, cycles_in, select
from signal_inspector.source_code.project import files_below, reading_of
from tests.catalog.sources_written import write
from tests.graph.graphs_made import cascade, receiving, sending_on

SIGNALS = """
    from django.dispatch import Signal
    placed = Signal()
    paid = Signal()
    done = Signal()
"""


def entry(signal: str, *receivers: str, dead: str = "") -> SignalEntry:
    """A loaded signal with these receivers."""
    made = [_receiver(name) for name in receivers] + ([_receiver(dead, True)] if dead else [])
    return SignalEntry(signal=signal, receivers=tuple(made))


def _receiver(name: str, is_dead: bool = False) -> ReceiverEntry:
    return ReceiverEntry(
        receiver=name,
        path="",
        line=0,
        sender=None,
        is_async=False,
        is_weak=True,
        dispatch_uid=None,
        connected_at=None,
        is_dead=is_dead,
    )


def graph_of(root: Path, code: str, *entries: SignalEntry, seen: tuple[SentOn, ...] = ()) -> Graph:
    """The graph of ``shop/signals.py`` and ``shop/work.py`` with this code."""
    head = "from shop.signals import done, paid, placed\n"
    write(root, {"shop/signals.py": SIGNALS, "shop/work.py": ""})
    (root / "shop/work.py").write_text(head + code)
    files = files_below(str(root), "", tests=True, migrations=True)
    return build(entries, [reading_of(module, path) for module, path in files], seen)


def on(graph: Graph) -> list[tuple[str, str, tuple[Known, ...], tuple[str, ...]]]:
    return [(each.receiver, each.signal, each.known, each.through) for each in graph.sendings_on]


PLACED, PAID, DONE = "shop.signals.placed", "shop.signals.paid", "shop.signals.done"
CODE, CALLS, RECORDED = Known.CODE, Known.CALLS, Known.RECORDED


class TestEdges:
    def test_a_function_that_sends(self, tmp_path: Path) -> None:
        """A sender has a place, and each of its sends method, line and sender."""
        code = "async def go():\n    await placed.asend(Web)\n    paid.send_robust(None)\n"
        graph = graph_of(tmp_path, code)
        [sender] = graph.functions
        assert (sender.name, sender.line, sender.is_async) == ("shop.work.go", 2, True)
        assert not sender.is_receiver
        assert [(each.signal, each.method, each.line, each.sender) for each in graph.sendings] == [
            (PLACED, SendMethod.ASEND, 3, "Web"),
            (PAID, SendMethod.SEND_ROBUST, 4, ""),
        ]

    def test_code_outside_of_functions(self, tmp_path: Path) -> None:
        """A module that sends while it is imported stands for itself."""
        graph = graph_of(tmp_path, "placed.send(None)\n")
        [sender] = graph.functions
        assert sender.name == "shop.work"
        assert sender.path == str(tmp_path / "shop/work.py")

    def test_the_order_of_calls(self, tmp_path: Path) -> None:
        """Live receivers are numbered from 1; one that is dead has no number."""
        graph = graph_of(tmp_path, "", entry(PLACED, "shop.work.a", "shop.work.b", dead="shop.c"))
        assert [(each.receiver, each.order, each.state) for each in graph.receivings] == [
            ("shop.work.a", 1, "connected"),
            ("shop.work.b", 2, "connected"),
            ("shop.c", None, "dead"),
        ]

    def test_signals_that_are_only_read_of(self, tmp_path: Path) -> None:
        """A signal whose module is not loaded is in the graph, and marked."""
        graph = graph_of(tmp_path, "", entry(PLACED))
        assert {each.name: each.is_loaded for each in graph.signals} == {
            PLACED: True,
            PAID: False,
            DONE: False,
        }
        assert all(each.path.endswith("signals.py") and each.line for each in graph.signals)

    def test_djangos_signals_are_left_out(self, tmp_path: Path) -> None:
        """What is not inspected is not drawn."""
        code = "from django.db.models.signals import post_save\npost_save.send(None)\n"
        assert graph_of(tmp_path, code).sendings == ()

    def test_what_becomes_of_receivers_and_signals(self, tmp_path: Path) -> None:
        """A receiver that one signal calls is connected; a signal that calls none is an orphan."""
        graph = graph_of(
            tmp_path,
            "",
            entry(PLACED, dead="shop.work.a"),
            entry(PAID, "shop.work.b", dead="shop.work.c"),
            entry(DONE, "shop.work.c"),
        )
        assert {each.name: each.state for each in graph.functions} == {
            "shop.work.a": "dead",
            "shop.work.b": "connected",
            "shop.work.c": "connected",
        }
        assert [each.name for each in graph.signals if each.is_orphan] == [PLACED]

    def test_a_receiver_that_only_the_source_knows(self, tmp_path: Path) -> None:
        """It is drawn as not called, since a module that nobody imports connects nothing."""
        code = (
            "from django.dispatch import receiver\n"
            "@receiver(placed)\nasync def late(**kwargs): ...\n"
        )
        graph = graph_of(tmp_path, code, entry("shop.signals.placed", "shop.work.early"))
        early, late = graph.receivings
        assert (early.receiver, early.order, early.state) == ("shop.work.early", 1, "connected")
        assert (late.receiver, late.order, late.state) == ("shop.work.late", None, "not imported")
        assert late.is_async
        states = {each.name: (each.is_receiver, each.state) for each in graph.functions}
        assert states["shop.work.late"] == (True, "not imported")


class TestSendingOn:
    def test_a_receiver_s_own_code(self, tmp_path: Path) -> None:
        """A receiver that sends is no sender of its own: it sends on."""
        graph = graph_of(
            tmp_path, "def a(**kw):\n    paid.send(None)\n", entry(PLACED, "shop.work.a")
        )
        assert on(graph) == [("shop.work.a", PAID, (CODE,), ())]
        assert graph.sendings == ()
        assert graph.sendings_on[0].sends[0].line == 3

    def test_by_way_of_calls(self, tmp_path: Path) -> None:
        """Calls are followed through functions, methods, classes and nested functions."""
        code = """
def a(**kw):
    first()
def first():
    Work().go()
class Work:
    def __init__(self):
        done.send(None)
    def go(self):
        self.on()
    def on(self):
        def inner():
            paid.send(None)
        inner()
"""
        graph = graph_of(tmp_path, code, entry(PLACED, "shop.work.a"))
        assert on(graph) == [
            (
                "shop.work.a",
                DONE,
                (CALLS,),
                ("shop.work.first", "shop.work.Work", "shop.work.Work.__init__"),
            ),
            (
                "shop.work.a",
                PAID,
                (CALLS,),
                (
                    "shop.work.first",
                    "shop.work.Work.go",
                    "shop.work.Work.on",
                    "shop.work.Work.on.<locals>.inner",
                ),
            ),
        ]
        senders = {each.function for each in graph.sendings}
        assert senders == {"shop.work.Work.__init__", "shop.work.Work.on.<locals>.inner"}

    def test_the_nearest_send_counts(self, tmp_path: Path) -> None:
        """What a receiver sends itself is not told again through calls."""
        code = "def a(**kw):\n    paid.send(None)\n    b()\ndef b():\n    paid.send(None)\n"
        graph = graph_of(tmp_path, code, entry(PLACED, "shop.work.a"))
        assert on(graph) == [("shop.work.a", PAID, (CODE,), ())]

    def test_functions_that_call_each_other_end(self, tmp_path: Path) -> None:
        """Recursion in the code is walked once."""
        code = "def a(**kw):\n    b()\ndef b():\n    a()\n    b()\n    paid.send(None)\n"
        graph = graph_of(tmp_path, code, entry(PLACED, "shop.work.a"))
        assert on(graph) == [("shop.work.a", PAID, (CALLS,), ("shop.work.b",))]

    def test_a_long_way_is_not_followed(self, tmp_path: Path) -> None:
        """Beyond ``MOST_CALLS`` calls nothing is claimed."""
        most = building.MOST_CALLS
        calls = "".join(f"def f{at}(**kw):\n    f{at + 1}()\n" for at in range(most + 1))
        code = f"{calls}def f{most + 1}():\n    paid.send(None)\n"
        near = graph_of(tmp_path, code, entry(PLACED, "shop.work.f1"))
        far = graph_of(tmp_path, code, entry(PLACED, "shop.work.f0"))
        assert len(near.sendings_on) == 1
        assert far.sendings_on == ()

    def test_a_call_in_a_lambda_or_partial(self, tmp_path: Path) -> None:
        """``on_commit(lambda: …)`` is the everyday way to send on."""
        code = "def a(**kw):\n    on_commit(lambda: paid.send(None))\n    on_commit(lambda: b())\n"
        code += "def b():\n    done.send(None)\n"
        graph = graph_of(tmp_path, code, entry(PLACED, "shop.work.a"))
        assert on(graph) == [
            ("shop.work.a", DONE, (CALLS,), ("shop.work.b",)),
            ("shop.work.a", PAID, (CODE,), ()),
        ]

    def test_what_was_recorded_is_added(self, tmp_path: Path) -> None:
        """A recording confirms what the code tells, and tells what it does not."""
        seen = (
            SentOn(receiver="shop.work.a", signal=PAID, count=3),
            SentOn(receiver="shop.gone", signal=DONE, count=1),
        )
        code = "def a(**kw):\n    paid.send(None)\n"
        graph = graph_of(tmp_path, code, entry(PLACED, "shop.work.a"), seen=seen)
        assert [(it.receiver, it.signal, it.known, it.count) for it in graph.sendings_on] == [
            ("shop.gone", DONE, (RECORDED,), 1),
            ("shop.work.a", PAID, (CODE, RECORDED), 3),
        ]
        assert {each.name: each.is_receiver for each in graph.functions} == {
            "shop.gone": True,
            "shop.work.a": True,
        }


class TestRecorded:
    @pytest.fixture(autouse=True)
    def _as_before(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(registry, "_sent_on", {})
        yield
        internal_errors.reset()

    def test_a_capture_tells_who_sent_on(self) -> None:
        """Each nested dispatch counts for the receiver that sent it, not for one further out."""
        outer, inner, innermost = Signal(), Signal(), Signal()

        def passes(**kwargs: Any) -> None:
            inner.send(None)
            inner.send(None)

        def passes_again(**kwargs: Any) -> None:
            innermost.send(None)

        def hears(**kwargs: Any) -> None: ...

        outer.connect(hears)
        outer.connect(passes)
        inner.connect(passes_again)
        with capture() as dispatches:
            outer.send(None)
            innermost.send(None)
        here = f"{__name__}.TestRecorded.test_a_capture_tells_who_sent_on.<locals>"
        assert [(it.receiver, it.count) for it in sent_on_in(dispatches)] == [
            (f"{here}.passes", 2),
            (f"{here}.passes_again", 2),
        ]

    def test_a_part_of_a_capture(self) -> None:
        """A dispatch whose parent is not among them tells nothing."""
        outer, inner = Signal(), Signal()

        def passes(**kwargs: Any) -> None:
            inner.send(None)

        outer.connect(passes)
        with capture() as dispatches:
            outer.send(None)
        assert sent_on_in(dispatches[1:]) == []
        assert sent_on_in([]) == []

    def test_the_project_s_graph_asks_what_is_registered(self) -> None:
        """A source that registered is asked, unless nothing recorded is wanted."""
        seen = SentOn(receiver="shop.gone", signal="shop.signals.unheard", count=2)
        registry.register_sent_on("test", lambda: [seen])
        assert [it.count for it in project_graph().sendings_on if it.receiver == "shop.gone"] == [
            2
        ]
        assert not any(
            it.receiver == "shop.gone" for it in project_graph(recorded=False).sendings_on
        )

    def test_a_database_that_is_away(self) -> None:
        """It is told in words, and is no failure of the inspector's."""

        def away() -> list[SentOn]:
            raise OperationalError("no such table: signal_audit_dispatch")

        registry.register_sent_on("audit", away)
        said: list[str] = []
        assert registry.sent_on(said.append) == []
        assert said == [
            "The records of the audit are left out: no such table: signal_audit_dispatch"
        ]
        assert registry.sent_on() == []
        assert internal_errors.counts() == {}


class TestCycles:
    def test_a_cycle_of_three(self) -> None:
        """It begins with its first signal by name, signals and receivers in turn."""
        assert cascade().cycles == (
            ("shop.a", "shop.on_a", "shop.b", "shop.on_b", "shop.c", "shop.on_c"),
        )
        assert ("shop.on_c", "shop.a") in cascade().cyclic_steps()
        assert ("shop.a", "shop.on_a_too") not in cascade().cyclic_steps()

    def test_two_cycles_that_share_a_step(self) -> None:
        """Each is told."""
        receivings = [receiving("a", "ra"), receiving("b", "rb"), receiving("c", "rc")]
        ons = [sending_on("ra", "b"), sending_on("rb", "a"), sending_on("rb", "c")]
        ons.append(sending_on("rc", "a"))
        assert cycles_in(receivings, ons) == (
            ("a", "ra", "b", "rb"),
            ("a", "ra", "b", "rb", "c", "rc"),
        )

    def test_a_dead_receiver_closes_no_cycle(self) -> None:
        """What is not called does not send on."""
        dead = receiving("a", "ra", None, state="dead")
        assert cycles_in([dead], [sending_on("ra", "a")]) == ()

    @given(
        receives=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=14),
        sends=st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=10),
    )
    def test_every_step_of_a_cycle_is_marked(
        self, receives: set[tuple[int, int]], sends: set[tuple[int, int]]
    ) -> None:
        """A step is on a told cycle if, and only if, its end leads back to its start."""
        receivings = [receiving(f"s{s}", f"r{r}") for s, r in sorted(receives)]
        ons = [sending_on(f"r{r}", f"s{s}") for r, s in sorted(sends)]
        cycles = cycles_in(receivings, ons)
        steps = {(a, b) for cycle in cycles for a, b in pairwise((*cycle, cycle[0]))}
        follows = {(f"s{s}", f"r{r}") for s, r in receives} | {
            (f"r{r}", f"s{s}") for r, s in sends
        }
        assert steps <= follows
        reach = dict[str, set[str]]()
        for a, b in follows:
            reach.setdefault(a, set()).add(b)
        grown = True
        while grown:
            grown = False
            for ends in reach.values():
                more = {it for end in ends for it in reach.get(end, ())} - ends
                ends.update(more)
                grown = grown or bool(more)
        for each in ons:
            closes = each.receiver in reach.get(each.signal, ())
            assert ((each.receiver, each.signal) in steps) == closes
        for each in receivings:
            closes = each.signal in reach.get(each.receiver, ())
            assert ((each.signal, each.receiver) in steps) == closes


class TestSelection:
    def test_a_signal_and_what_follows(self) -> None:
        """A signal is kept with its senders, its receivers, and all that comes of it."""
        graph = select(cascade(), signals=["shop.b"])
        assert {each.name for each in graph.signals} == {"shop.a", "shop.b", "shop.c"}
        alone = select(cascade(), signals=["orphan"])
        assert [each.name for each in alone.signals] == ["shop.orphan"]
        assert alone.functions == ()

    def test_what_leads_to_a_signal_is_one_step(self) -> None:
        """Who sends it is kept, but not what they receive."""
        chain = cascade()
        cut = Graph(
            signals=chain.signals,
            functions=chain.functions,
            sendings=chain.sendings,
            receivings=chain.receivings,
            sendings_on=tuple(it for it in chain.sendings_on if it.receiver != "shop.on_c"),
        )
        graph = select(cut, signals=["c"])
        assert [each.name for each in graph.signals] == ["shop.c"]
        assert {each.name for each in graph.functions} == {"shop.on_b", "shop.on_c"}
        assert graph.cycles == ()

    def test_globs(self) -> None:
        """A glob means every signal that it matches."""
        assert len(select(cascade(), signals=["shop.*"]).signals) == 4

    def test_a_part_tells_the_truth_of_the_whole(self) -> None:
        """A receiver or signal whose other edges are left out is not shown as if it had none."""
        graph = select(cascade(), signals=["shop.b"])
        assert {each.state for each in graph.functions if each.name == "shop.on_a"} == {
            "connected"
        }
        assert not any(each.is_orphan for each in graph.signals)

    def test_nothing_asked_for_is_everything(self) -> None:
        """Without filters the graph is the same."""
        assert select(cascade()) == cascade()


def test_every_receiver_s_sends_are_found_once() -> None:
    """No edge stands twice in the graph of this project."""
    graph = project_graph()
    keys = [(each.receiver, each.signal) for each in graph.sendings_on]
    assert len(keys) == len(set(keys))
    assert all(isinstance(each, SendingOn) for each in graph.sendings_on)
