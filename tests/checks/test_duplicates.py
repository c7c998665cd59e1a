"""Receivers that run twice for one dispatch."""

from __future__ import annotations

import sys
from importlib import import_module, reload

import pytest

from signal_inspector.checks.connecting import (
    connected_twice,
    imported_twice,
    uid_taken,
    vain_disconnect,
)
from signal_inspector.checks.findings import Kind
from tests.checks.worlds import World, write

HEAD = """
from functools import partial
from django.dispatch import Signal, receiver
order_placed = Signal()
order_paid = Signal()

class Web: pass
class Shop: pass

class Desk:
    def note(self, **kwargs): pass

def store(**kwargs): pass
def make():
    def local(**kwargs): pass
    return local

one, two = Desk(), Desk()
first, second = make(), make()
"""

WITH_UID = "order_placed.connect(store, sender=Web, dispatch_uid='x')"


class TestConnectedTwice:
    @pytest.mark.parametrize(
        ("again", "calls"),
        [
            ("order_placed.connect(store)\norder_placed.connect(store, dispatch_uid='x')", 2),
            ("order_placed.connect(store)\norder_placed.connect(store, sender=Web)", 2),
            (f"order_placed.connect(store, sender=Web)\n{WITH_UID}", 2),
            (
                "order_placed.connect(one.note)\norder_placed.connect(one.note, dispatch_uid='x')",
                2,
            ),
            (
                (
                    "order_placed.connect(store)\norder_placed.connect(store, sender=Web)\n"
                    f"{WITH_UID}"
                ),
                3,
            ),
        ],
    )
    def test_is_found(self, world: World, again: str, calls: int) -> None:
        """W014, where one sender reaches a receiver more than once, as it really does."""
        module = world.load(f"{HEAD}{again}\n")
        assert len(module.order_placed.send(module.Web)) == calls
        [found] = world.find(connected_twice)
        assert found.kind is Kind.TWICE
        often = "twice" if calls == 2 else f"{calls} times"
        assert f"so it runs {often} per dispatch" in found.message

    @pytest.mark.parametrize(
        "once",
        [
            "order_placed.connect(store)\norder_placed.connect(store)",
            "order_placed.connect(store)\norder_paid.connect(store)",
            "order_placed.connect(store, sender=Web)\norder_placed.connect(store, sender=Shop)",
            "order_placed.connect(one.note)\norder_placed.connect(two.note)",
            "order_placed.connect(first)\norder_placed.connect(second)",
            (
                "order_placed.connect(partial(store), weak=False)\n"
                "order_placed.connect(partial(store), weak=False)"
            ),
        ],
    )
    def test_what_runs_once_is_none(self, world: World, once: str) -> None:
        """Nor are other senders, other signals, other objects, or several of one maker."""
        world.load(f"{HEAD}{once}\n")
        assert world.find(connected_twice) == []
        assert world.find(imported_twice) == []

    def test_says_how_and_where(self, world: World) -> None:
        """The message has the uid, the sender and the line of each connection."""
        world.load(
            f"{HEAD}order_placed.connect(store)\n"
            "order_placed.connect(store, sender=Web, dispatch_uid='mine')\n"
        )
        [found] = world.find(connected_twice)
        line = world.line("order_placed.connect(store)")
        message = found.message.replace(f"{world.directory}/", "")
        assert f"once without dispatch_uid for any sender (bazaar/signals.py:{line})" in message
        assert (
            " and once with dispatch_uid='mine' for sender bazaar.signals.Web "
            f"(bazaar/signals.py:{line + 1})" in message
        )


class TestImportedTwice:
    SIGNALS = "from django.dispatch import Signal\norder_placed = Signal()\n"
    RECEIVERS = """
        from django.dispatch import receiver
        from bazaar.signals import order_placed

        @receiver(order_placed)
        def store(**kwargs): pass
        """

    def test_under_another_name(self, world: World) -> None:
        """W015: a package that is in sys.path itself gives its modules two names."""
        write(
            world.directory, {"bazaar/signals.py": self.SIGNALS, "bazaar/twin.py": self.RECEIVERS}
        )
        sys.path.insert(0, str(world.directory / "bazaar"))
        try:
            modules = import_module("bazaar.twin"), import_module("twin")
        finally:
            sys.path.remove(str(world.directory / "bazaar"))
        assert len(import_module("bazaar.signals").order_placed.send(None)) == 2
        [found] = world.find(imported_twice)
        assert modules
        assert (found.kind, found.subject) == (Kind.IMPORTED_TWICE, "bazaar.twin.store")
        assert "was imported twice, as bazaar.twin and twin" in found.message
        assert world.find(connected_twice) == []

    def test_by_a_reload(self, world: World) -> None:
        """A module that is loaded anew leaves its former receivers, if somebody holds them."""
        write(world.directory, {"bazaar/signals.py": self.SIGNALS})
        module = world.load(self.RECEIVERS, "bazaar.receivers")
        former = module.store
        reload(module)
        [found] = world.find(imported_twice)
        assert former is not module.store
        assert "as bazaar.receivers, which was reloaded" in found.message


class TestUidTaken:
    HEAD = "from django.dispatch import Signal, receiver\norder_placed = Signal()\n"
    FIRST = "@receiver(order_placed, dispatch_uid='log')\ndef first(**kwargs): pass\n"

    def test_is_found(self, world: World) -> None:
        """W020 names both, at the line that connects in vain."""
        world.load(
            f"{self.HEAD}{self.FIRST}@receiver(order_placed, dispatch_uid='log')\n"
            "def second(**kwargs): pass\n"
        )
        [found] = world.find(uid_taken)
        assert (found.kind, found.subject) == (Kind.UID_TAKEN, "bazaar.signals.second")
        assert "dispatch_uid 'log' is already used by bazaar.signals.first (" in found.message

    @pytest.mark.parametrize(
        "text",
        [
            "order_placed.connect(first, dispatch_uid='log')",
            "order_placed.connect(second, sender=Signal, dispatch_uid='log')",
            "order_placed.connect(second, dispatch_uid='other')",
            "order_placed.connect(second, dispatch_uid='log')\norder_placed.connect(second)",
            (
                "order_placed.connect(second, dispatch_uid='log')\n"
                "order_placed.disconnect(dispatch_uid='log')"
            ),
        ],
    )
    def test_others_are_none(self, world: World, text: str) -> None:
        """The same one again, another key, and what has been mended since."""
        world.load(f"{self.HEAD}{self.FIRST}def second(**kwargs): pass\n{text}\n")
        assert world.find(uid_taken) == []


class TestVainDisconnect:
    HEAD = (
        "from django.dispatch import Signal\norder_placed = Signal()\n"
        "class Web: pass\nclass Till: pass\ndef store(**kwargs): pass\n"
    )

    @pytest.mark.parametrize(
        ("connect", "disconnect"),
        [
            ("store, dispatch_uid='s'", "store"),
            ("store, dispatch_uid='s'", "store, dispatch_uid='other'"),
            ("store, sender=Web", "store"),
            ("store", "store, sender=Web"),
            ("store", "store, dispatch_uid='s'"),
            ("store, sender=Web, dispatch_uid='s'", "dispatch_uid='s'"),
        ],
    )
    def test_is_found(self, world: World, connect: str, disconnect: str) -> None:
        """W030, at the line that disconnects in vain."""
        world.load(
            f"{self.HEAD}order_placed.connect({connect})\norder_placed.disconnect({disconnect})\n"
        )
        [found] = world.find(vain_disconnect)
        assert (found.kind, found.subject) == (Kind.VAIN_DISCONNECT, "bazaar.signals.store")
        assert found.line == world.line("order_placed.disconnect")

    @pytest.mark.parametrize(
        "text",
        [
            "order_placed.disconnect(store)",  # never connected
            (
                "order_placed.connect(store)\norder_placed.disconnect(store)\n"
                "order_placed.disconnect(store)"
            ),
            (
                "order_placed.connect(store, dispatch_uid='a')\n"
                "order_placed.connect(store, dispatch_uid='b')\n"
                "order_placed.disconnect(dispatch_uid='a')\norder_placed.disconnect(dispatch_uid='a')"
            ),
            "order_placed.connect(store, sender=Web)\norder_placed.disconnect(store, sender=Till)",
            (
                "order_placed.connect(store, dispatch_uid='s')\norder_placed.disconnect(store)\n"
                "order_placed.disconnect(store, dispatch_uid='s')"
            ),
        ],
    )
    def test_others_are_none(self, world: World, text: str) -> None:
        """What was not connected, twice to make sure, another sender, and what was mended."""
        world.load(f"{self.HEAD}{text}\n")
        assert world.find(vain_disconnect) == []
