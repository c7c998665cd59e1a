"""How signals are sent, as far as the source shows."""

from __future__ import annotations

import pytest

from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Kind
from signal_inspector.checks.sending import (
    may_stop_others,
    never_sent,
    nobody_connected,
    sync_on_asend,
)
from tests.checks.worlds import World, write

HEAD = """
from django.dispatch import Signal, receiver
order_placed = Signal()
"""
SYNC = "\n@receiver(order_placed)\ndef store(**kwargs): pass\n"
ASYNC = "\n@receiver(order_placed)\nasync def astore(**kwargs): pass\n"


def sending(method: str) -> str:
    wait = "await " if method.startswith("a") else ""
    return f"\nasync def place():\n    {wait}order_placed.{method}(None)\n"


class TestSyncOnAsend:
    @pytest.mark.parametrize("method", ["asend", "asend_robust"])
    def test_is_found(self, world: World, method: str) -> None:
        """W021 names the send with file and line, and the sync receivers alone."""
        world.load(HEAD + SYNC + ASYNC + sending(method))
        [found] = world.find(sync_on_asend)
        assert (found.kind, found.subject) == (Kind.SYNC_ON_ASEND, "bazaar.signals.order_placed")
        assert found.line == world.line(f".{method}(")
        assert f"bazaar/signals.py:{found.line}) calls sync receivers: " in found.message
        assert "bazaar.signals.store." in found.message
        assert "astore" not in found.message

    def test_by_way_of_a_helper(self, world: World) -> None:
        """A send of what a function is given stands where it is given."""
        world.load(
            f"{HEAD}{SYNC}\nasync def emit(signal): await signal.asend(None)\n"
            "async def place(): await emit(order_placed)\n"
        )
        [found] = world.find(sync_on_asend)
        assert found.line == world.line("await emit(")

    @pytest.mark.parametrize(
        "source",
        [HEAD + ASYNC + sending("asend"), HEAD + SYNC + sending("send"), HEAD + sending("asend")],
    )
    def test_others_are_none(self, world: World, source: str) -> None:
        """Async receivers, a sync send, no receivers."""
        world.load(source)
        assert world.find(sync_on_asend) == []


class TestNeverSent:
    def test_is_found(self, world: World) -> None:
        """I024, with the line that makes the signal."""
        world.load(HEAD + SYNC)
        [found] = world.find(never_sent)
        assert (found.kind, found.line) == (Kind.NEVER_SENT, world.line("= Signal()"))

    @pytest.mark.parametrize("method", ["send", "send_robust", "asend", "asend_robust"])
    def test_sent_from_another_module(self, world: World, method: str) -> None:
        """Any of the four methods, through an import under another name."""
        world.load(HEAD)
        world.load(
            f"from bazaar import signals as s\nasync def place(): s.order_placed.{method}(None)\n",
            "bazaar.services",
        )
        assert world.find(never_sent) == []

    @pytest.mark.parametrize(
        "handed_on",
        [
            "from bazaar.signals import order_placed\ndo(order_placed)\n",
            "from bazaar.signals import order_placed as op\nALL = [op]\n",
            "from bazaar import signals\nclass View:\n    add = signals.order_placed\n",
            "from bazaar import signals\ndef get(name): return getattr(signals, name)\n",
        ],
    )
    def test_handed_on_is_none(self, world: World, handed_on: str) -> None:
        """Whoever it is handed on to may send it, in whatever file that happens."""
        world.load(HEAD + SYNC)
        world.load(handed_on.replace("do(", "print("), "bazaar.beside")
        assert world.find(never_sent) == []

    def test_the_hint_does_not_tell_to_remove_it(self, world: World) -> None:
        """What sends it may be where nobody has looked."""
        world.load(HEAD + SYNC)
        [found] = world.find(never_sent)
        assert "Before you remove it, look for code outside this project" in found.hint

    def test_what_was_not_read_is_none(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of a signal whose module's source was not read, nothing is said."""
        monkeypatch.setattr(Facts, "sources", ())
        world.load(HEAD)
        assert world.find(never_sent) == []

    def test_a_class_of_its_own_is_none(self, world: World) -> None:
        """A subclass may have other methods to send it by."""
        world.load(
            "from django.dispatch import Signal\nclass ShopSignal(Signal):\n"
            "    def tell(self): self.send(None)\norder_placed = ShopSignal()\n"
        )
        assert world.find(never_sent) == []


class TestNobodyConnected:
    def test_is_found(self, world: World) -> None:
        """I025: neither this process nor the source has a receiver."""
        world.load(HEAD + sending("send"))
        assert [found.kind for found in world.find(nobody_connected)] == [Kind.NOBODY_CONNECTED]

    def test_a_module_that_is_not_imported_may_connect(self, world: World) -> None:
        """A receiver in the source counts: that it is not connected is W017."""
        world.load(HEAD)
        receivers = (
            f"from bazaar.signals import order_placed\nfrom django.dispatch import receiver{SYNC}"
        )
        write(world.directory, {"bazaar/receivers.py": receivers})
        assert world.find(nobody_connected) == []


class TestMayStopOthers:
    OTHER = f"from bazaar.signals import order_placed\nfrom django.dispatch import receiver{SYNC}"

    def test_is_found(self, world: World) -> None:
        """I027: send, and receivers of two packages."""
        world.load(HEAD + SYNC + sending("send"))
        world.load(self.OTHER, "twin.receivers")
        [found] = world.find(may_stop_others)
        assert found.kind is Kind.MAY_STOP_OTHERS
        assert "bazaar.signals.store and twin.receivers.store" in found.message
        assert found.hint.startswith("Use send_robust,")

    def test_of_asend_another_method_helps(self, world: World) -> None:
        """The hint names asend_robust."""
        world.load(HEAD + SYNC + sending("asend"))
        world.load(self.OTHER, "twin.receivers")
        [found] = world.find(may_stop_others)
        assert found.hint.startswith("Use asend_robust,")

    def test_receivers_of_one_app_know_each_other(self, world: World) -> None:
        """Two modules of one package are no strangers."""
        world.load(HEAD + SYNC + sending("send"))
        world.load(self.OTHER, "bazaar.receivers")
        assert world.find(may_stop_others) == []

    def test_robust_sends_stop_nobody(self, world: World) -> None:
        """With send_robust each receiver runs."""
        world.load(HEAD + SYNC + sending("send_robust"))
        world.load(self.OTHER, "twin.receivers")
        assert world.find(may_stop_others) == []
