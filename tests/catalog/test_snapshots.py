"""Snapshots: what is taken, how it is written and read, and what has changed."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from django.db.models.signals import ModelSignal, post_save
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from signal_inspector.catalog.snapshots import (
    BrokenError,
    Line,
    Scope,
    Snapshot,
    changes,
    let_go,
    parse,
    render,
    take,
)
from tests.catalog.made import module

SOURCE = """
from django.dispatch import Signal
from django.db.models.signals import ModelSignal
placed = Signal()
paid = ModelSignal()
class Web: pass
def log(**kwargs): pass
async def index(**kwargs): pass
def local():
    return Signal()
"""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Any:
    return module(monkeypatch, "made_shop.signals", SOURCE)


def taken(scope: Scope = Scope()) -> dict[str, tuple[Line, ...]]:  # noqa: B008 - it is frozen
    return dict(take(scope).signals)


class TestTaking:
    def test_connections_stand_in_the_order_of_execution(self, shop: Any) -> None:
        """Each line has the receiver and what is not usual of its connection."""
        shop.placed.connect(shop.index)
        shop.placed.connect(shop.log, sender=shop.Web, dispatch_uid="uid")
        shop.placed.connect(shop.log, weak=False)
        assert taken()["made_shop.signals.placed"] == (
            Line(
                receiver="made_shop.signals.log",
                sender="made_shop.signals.Web",
                dispatch_uid="uid",
            ),
            Line(receiver="made_shop.signals.log", is_strong=True),
            Line(receiver="made_shop.signals.index", is_async=True),
        )

    def test_an_own_signal_without_receivers_is_taken(self, shop: Any) -> None:
        """That it has none may change."""
        assert taken()["made_shop.signals.paid"] == ()

    def test_own_receivers_of_foreign_signals_are_taken(self, shop: Any) -> None:
        """Of Django's signals those receivers are taken that are the project's own."""
        post_save.connect(shop.log)
        try:
            lines = taken()["django.db.models.signals.post_save"]
        finally:
            post_save.disconnect(shop.log)
        assert lines == (Line(receiver="made_shop.signals.log"),)

    def test_what_is_not_the_projects_is_left_out(self) -> None:
        """Neither Django's own connections nor the inspector's are taken, unless asked for."""
        assert not [name for name in taken() if name.startswith("django.")]
        every = taken(Scope(apps=("auth",)))
        assert every["django.core.signals.setting_changed"] == (
            Line(receiver="django.contrib.auth.hashers.reset_hashers"),
        )
        assert every == taken(Scope(apps=("django.contrib.auth",)))
        assert not [name for name in every if name.startswith("signal_inspector.")]

    def test_third_party_adds_what_is_inspected(self) -> None:
        """With third_party all inspected signals are there, with all of their receivers."""
        logged_in = "django.contrib.auth.signals.user_logged_in"
        with override_settings(SIGNAL_INSPECTOR={"INCLUDE": ["*", logged_in]}):
            assert logged_in not in taken()
            lines = taken(Scope(third_party=True))[logged_in]
        assert [line.dispatch_uid for line in lines] == ["update_last_login"]

    def test_what_comes_and_goes_is_left_out(self, shop: Any) -> None:
        """Dead receivers, those that wait for a model, and those whose sender is gone."""

        class Passing: ...

        before = taken()
        shop.paid.connect(shop.log, sender="made_shop.Thing")
        shop.placed.connect(lambda **kwargs: None)
        shop.placed.connect(shop.log, sender=Passing)
        del Passing
        gc.collect()
        assert taken() == before

    def test_anonymous_signals_are_left_out(self, shop: Any) -> None:
        """Their names have a line number, which changes with every edit."""
        before = taken()
        kept = shop.local()
        kept.connect(shop.log)
        assert taken() == before

    def test_tests_are_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What modules of tests define is not there: it depends on which tests are loaded."""
        before = taken()
        for name in ("made_shop.tests", "made_shop.tests.factories", "made_shop.test_orders"):
            module(monkeypatch, name, SOURCE)
        assert taken() == before

    @pytest.mark.parametrize("debug", [True, False])
    def test_debug_makes_no_difference(self, shop: Any, debug: bool) -> None:
        """Django remembers receivers while DEBUG is on; let_go() has it forget them."""
        with override_settings(DEBUG=debug):
            exec("placed.connect(lambda **kwargs: None)", vars(shop))
        let_go()
        assert taken()["made_shop.signals.placed"] == ()


names = st.sampled_from(["a", "shop.signals.placed", "shop.models.Cart.emptied", "lädchen.größer"])
texts = st.text(max_size=8)
lines = st.builds(
    Line,
    receiver=st.one_of(names, names.map("{}.<locals>.<lambda>".format)),
    sender=st.one_of(st.none(), names, names.map("'{}'".format)),
    dispatch_uid=st.one_of(st.none(), texts),
    is_async=st.booleans(),
    is_strong=st.booleans(),
)
scopes = st.builds(
    Scope,
    apps=st.lists(names, max_size=2, unique=True).map(lambda apps: tuple(sorted(apps))),
    third_party=st.booleans(),
    bare=st.booleans(),
)
snapshots = st.builds(
    Snapshot,
    scope=scopes,
    signals=st.dictionaries(names, st.lists(lines, max_size=4).map(tuple), max_size=3),
)

HEAD = (
    "# signal snapshot, format 1: who receives which signal, in the order of calls.\n"
    "# Update: manage.py signals snapshot --output FILE\n"
)


class TestText:
    @given(snapshots)
    def test_what_is_written_can_be_read(self, snapshot: Snapshot) -> None:
        """Reading gives back what was written."""
        assert parse(render(snapshot)) == snapshot

    @given(snapshots)
    def test_line_ends_may_be_those_of_windows(self, snapshot: Snapshot) -> None:
        """git may change them."""
        assert parse(render(snapshot).replace("\n", "\r\n")) == snapshot

    @given(snapshots)
    def test_it_is_plain(self, snapshot: Snapshot) -> None:
        """No control character, whatever a dispatch_uid holds."""
        assert all(line.isprintable() for line in render(snapshot).split("\n"))

    def test_it_looks_like_this(self) -> None:
        """Signals by name, receivers as given, what is usual unsaid."""
        log = Line(receiver="shop.receivers.log")
        odd = Line(
            receiver="shop.receivers.index",
            sender="shop.models.Gift",
            dispatch_uid='a "b"|c',
            is_async=True,
            is_strong=True,
        )
        signals = {"shop.signals.placed": (odd, log), "shop.signals.paid": ()}
        assert render(Snapshot(scope=Scope(), signals=signals)) == HEAD + (
            "\n"
            "shop.signals.paid\n"
            "\n"
            "shop.signals.placed\n"
            "    shop.receivers.index | sender shop.models.Gift "
            '| uid "a \\"b\\"\\u007cc" | async | strong\n'
            "    shop.receivers.log\n"
        )

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "the first line does not say"),
            ("hello\n", "the first line does not say"),
            (HEAD.replace("format 1", "format 2"), "it has format 2, but this version reads"),
            (HEAD.splitlines()[0], "the second line does not say"),
            (HEAD.replace("--output", "--tapir --output"), "there is no option '--tapir'"),
            (HEAD.replace("snapshot --", "snapshot '--"), "the second line does not|No closing"),
            (f"{HEAD}    a.b\n", "line 3: a receiver comes before the first signal"),
            (f"{HEAD}a.b\n  c.d\n", "line 4 is neither"),
            (f"{HEAD}a.b\n\tc.d\n", "line 4 is neither"),
            (f"{HEAD}<<<<<<< HEAD\na.b\n", "line 3 is neither"),
            (f"{HEAD}a.b\n=======\n", "line 4 is neither"),
            (f"{HEAD}a.b\na.b\n", "line 4: a.b occurs a second time"),
            (f"{HEAD}a.b\n    c.d | asink\n", "line 4: 'asink' does not describe"),
            (f"{HEAD}a.b\n    c.d | async | async\n", "line 4: 'async' does not describe"),
            (f"{HEAD}a.b\n    c.d | uid x\n", "line 4: 'x' is not a dispatch_uid in quotes"),
            (f"{HEAD}a.b\n    c.d | uid 7\n", "line 4: '7' is not a dispatch_uid in quotes"),
        ],
    )
    def test_what_is_broken_is_named(self, text: str, why: str) -> None:
        """A file that somebody has edited or merged by hand says where it is wrong."""
        with pytest.raises(BrokenError, match=why):
            parse(text)


def told(before: list[Line] | None, now: list[Line] | None) -> list[str]:
    """What is said of one signal."""

    def snapshot(lines: list[Line] | None) -> Snapshot:
        return Snapshot(scope=Scope(), signals={} if lines is None else {"s": tuple(lines)})

    return [each for found in changes(snapshot(before), snapshot(now)) for each in found.sentences]


A, B, C, D = (Line(receiver=name) for name in "abcd")


class TestChanges:
    @given(snapshots)
    def test_nothing_has_changed(self, snapshot: Snapshot) -> None:
        """Equal snapshots have no changes."""
        assert changes(snapshot, snapshot) == []

    @given(snapshots, snapshots)
    def test_whatever_changed_is_told(self, before: Snapshot, now: Snapshot) -> None:
        """Each signal that differs has a sentence, and no other one has."""
        differing = {
            name
            for name in {*before.signals, *now.signals}
            if before.signals.get(name) != now.signals.get(name)
        }
        found = changes(before, now)
        assert {each.signal for each in found} == differing
        assert all(each.sentences for each in found)

    @given(st.lists(lines, max_size=6), st.lists(lines, max_size=6))
    def test_one_signal_of_any_shape(self, before: list[Line], now: list[Line]) -> None:
        """Repeated receivers too: something is told exactly if something differs."""
        assert bool(told(before, now)) is (before != now)

    @pytest.mark.parametrize(
        ("before", "now", "sentences"),
        [
            (None, [A], ["the signal is new", "a receives it"]),
            ([A], None, ["the signal is gone", "a received it"]),
            ([A], [A, B], ["b is new: it runs after a"]),
            ([A], [B, A], ["b is new: it runs first"]),
            ([A, B], [B], ["a is gone"]),
            ([A, B], [B, A], ["b has moved: it now runs first"]),
            ([A, B, C, D], [A, C, D, B], ["b has moved: it now runs after d"]),
            ([A, A], [A], ["a is gone"]),
            ([A], [A, A], ["a is new: it runs after a"]),
            ([A, B, C], [C, D, A], ["d is new: it runs after c", "b is gone"]),
        ],
    )
    def test_receivers_come_go_and_move(self, before: Any, now: Any, sentences: list[str]) -> None:
        """One sentence for each that appeared, vanished or moved."""
        assert told(before, now)[: len(sentences)] == sentences

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"sender": "S"}, "a listens to sender S instead of any sender"),
            ({"dispatch_uid": "u"}, 'a has uid "u" instead of no uid'),
            ({"is_async": True}, "a has become async"),
            ({"is_strong": True}, "a is now held strongly"),
        ],
    )
    def test_a_connection_that_is_made_otherwise(
        self, change: dict[str, Any], sentence: str
    ) -> None:
        """Each fact of a line that changed is told."""
        assert told([A, B], [Line(receiver="a", **change), B]) == [sentence]

    def test_what_has_not_changed_is_set_aside_first(self) -> None:
        """Of a receiver that was connected twice, the connection that is gone is named."""
        one, other = (Line(receiver="r", dispatch_uid=uid) for uid in "ab")
        assert told([one, other], [other]) == ['r is gone (uid "a")']
        assert told([one, other], [one]) == ['r is gone (uid "b")']
        assert told([other], [one, other]) == ['r is new (uid "a"): it runs first']

    def test_facts_of_what_appears_are_told(self) -> None:
        """A new receiver is told with what is not usual of it."""
        line = Line(receiver="a", sender="S", dispatch_uid="u", is_async=True, is_strong=True)
        [sentence] = told([], [line])
        assert sentence == 'a is new (sender S, uid "u", async, strong): it runs first'


def test_lazy_models_that_came_are_taken(shop: Any) -> None:
    """A model signal of a model that is there is a connection like any other."""
    assert isinstance(shop.paid, ModelSignal)
    shop.paid.connect(shop.log, sender="auth.User")
    assert taken()["made_shop.signals.paid"] == (
        Line(receiver="made_shop.signals.log", sender="django.contrib.auth.models.User"),
    )
