"""Receivers that nothing but Django's weak reference holds."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import override_settings

from signal_inspector.checks.connecting import dead, fleeting, unheld
from signal_inspector.checks.facts import Connected
from signal_inspector.checks.findings import Kind
from signal_inspector.names import receiver_name
from tests.checks.worlds import World

HEAD = """
import threading
from functools import partial
from django.dispatch import Signal
order_placed = Signal()

class Newsletter:
    def subscribe(self, **kwargs): pass
    def __call__(self, **kwargs): pass

def make():
    def local(**kwargs): pass
    return local

def store(**kwargs): pass
"""


class TestDead:
    def test_a_method_of_a_temporary_object(self, world: World) -> None:
        """W012 names the receiver and the line that connected it."""
        world.load(f"{HEAD}order_placed.connect(Newsletter().subscribe)\n")
        [found] = world.find(dead)
        assert (found.kind, found.subject) == (Kind.DEAD, "bazaar.signals.Newsletter.subscribe")
        assert found.line == world.line("order_placed.connect")
        assert "was garbage collected and is never called" in found.message
        assert "weak=False" in found.hint

    @pytest.mark.parametrize("what", ["lambda **kwargs: None", "make()", "partial(store)"])
    def test_without_debug_others_die_as_well(self, world: World, what: str) -> None:
        """Lambdas, local functions and partials that nothing holds."""
        world.load(f"{HEAD}order_placed.connect({what})\n")
        assert [found.kind for found in world.find(dead)] == [Kind.DEAD]

    def test_a_connection_that_was_taken_back_is_none(self, world: World) -> None:
        """Disconnected receivers may die."""
        world.load(
            f"{HEAD}local = make()\norder_placed.connect(local)\n"
            "order_placed.disconnect(local)\ndel local\n"
        )
        assert world.find(dead) == []


@pytest.mark.usefixtures("all_objects_seen")
class TestFleeting:
    @pytest.fixture(autouse=True)
    def _debug(self) -> Iterator[None]:
        with override_settings(DEBUG=True):
            yield

    @pytest.mark.parametrize("what", ["lambda **kwargs: None", "make()", "partial(store)"])
    def test_what_only_djangos_cache_holds(self, world: World, what: str) -> None:
        """W013: it lives on under DEBUG, and would die in production."""
        world.load(f"{HEAD}order_placed.connect({what})\n")
        [found] = world.find(fleeting)
        assert found.kind is Kind.FLEETING
        assert found.line == world.line("order_placed.connect")
        assert "Django caches it while DEBUG is on" in found.message

    @pytest.mark.parametrize(
        "held",
        [
            "kept = {what}\norder_placed.connect(kept)",
            "kept = [{what}]\norder_placed.connect(kept[0])",
            "class Kept: it = {what}\norder_placed.connect(Kept.__dict__['it'])",
            "store.kept = {what}\norder_placed.connect(store.kept)",
            "kept = Newsletter()\nkept.it = {what}\norder_placed.connect(kept.it)",
            "order_placed.connect({what}, weak=False)",
        ],
    )
    @pytest.mark.parametrize("what", ["lambda **kwargs: None", "make()", "partial(store)"])
    def test_what_something_holds_is_none(self, world: World, held: str, what: str) -> None:
        """A module, a list, a class, a function, an object in one, or the signal itself."""
        world.load(f"{HEAD}{held.replace('{what}', what)}\n")
        assert world.find(fleeting) == []

    def test_methods_of_lasting_objects_are_none(self, world: World) -> None:
        """A bound method is new at each access: its object counts."""
        world.load(f"{HEAD}kept = [Newsletter()]\norder_placed.connect(kept[0].subscribe)\n")
        assert world.find(fleeting) == []

    def test_a_callable_instance_that_only_the_cache_holds(self, world: World) -> None:
        """Named after its class."""
        world.load(f"{HEAD}order_placed.connect(Newsletter())\n")
        [found] = world.find(fleeting)
        assert found.message.startswith("A Newsletter will be garbage collected")

    def test_the_receiver_dies_as_it_would_have(self, world: World) -> None:
        """Looking keeps nothing alive, and takes nothing away."""
        module = world.load(f"{HEAD}order_placed.connect(lambda **kwargs: None)\n")
        world.find(fleeting)
        [(_, reference, *_)] = module.order_placed.receivers
        assert reference() is not None
        from django.utils import inspect

        inspect._get_func_parameters.cache_clear()  # type: ignore[attr-defined]
        gc.collect()
        assert reference() is None

    def test_many_held_ones_hide_none(self, world: World) -> None:
        """All are asked about, in one run: legitimate ones take nothing from the others."""
        held = "\n".join(
            ["kept.append(Newsletter())\norder_placed.connect(kept[-1].subscribe)"] * 600
        )
        lost = "\n".join(["order_placed.connect(make())"] * 3)
        world.load(f"{HEAD}kept = []\n{held}\n{lost}\n")
        assert len(world.find(fleeting)) == 3

    def test_the_clock_is_not_asked(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """However long it takes, the same is found."""
        world.load(HEAD + "\n".join(["order_placed.connect(make())"] * 5))
        monkeypatch.setattr("time.monotonic", itertools.count(step=1000).__next__)
        assert len(world.find(fleeting)) == 5

    def test_what_holds_one_is_not_held_by_another(self, world: World) -> None:
        """A receiver that a dying one holds dies with it; what a lasting one holds lasts."""
        world.load(
            f"{HEAD}kept, lost = partial(store), partial(store)\n"
            "first = [partial(store, it=kept)]\norder_placed.connect(first[0])\n"
            "order_placed.connect(kept)\norder_placed.connect(lost)\n"
            "order_placed.connect(partial(store, it=lost))\ndel kept, lost\n"
        )
        assert len(world.find(fleeting)) == 2

    def test_module_functions_are_not_asked_about(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """To ask who holds a receiver takes time, so it is not asked of those found by name."""
        monkeypatch.setattr("signal_inspector.checks.connecting._Walk", pytest.fail)
        world.load(f"{HEAD}order_placed.connect(store)\n")
        assert world.find(fleeting) == []


@pytest.mark.usefixtures("all_objects_seen")
class TestIsHeld:
    def test_a_cycle_holds_nothing(self) -> None:
        """A local function that names itself waits for the garbage collector alone."""
        gc.collect()
        gc.disable()
        try:
            signal = Signal()
            _connect_cycle(signal)
            [(_, reference, *_)] = signal.receivers
            assert reference() is not None
            assert not _is_held(reference())
        finally:
            gc.enable()

    def test_what_a_running_function_holds_is_held(self) -> None:
        """A variable of a function that runs has no holder to be found, and holds."""
        held = _local()
        assert _is_held(held)


def _is_held(receiver: Any) -> bool:
    connected = Connected(
        signal="",
        name=receiver_name(receiver),
        receiver=receiver,
        sender=None,
        sender_key=None,
        is_async=False,
        connection=None,
    )
    return not unheld([connected])


def _connect_cycle(signal: Signal) -> None:
    def names_itself(**kwargs: Any) -> object:
        return names_itself

    signal.connect(names_itself)


def _local() -> Any:
    def local(**kwargs: Any) -> None: ...

    return local
