"""mute and only: who is silent, where, for how long, and that nothing else changes."""

from __future__ import annotations

import asyncio
import gc
import threading
import unittest
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models.signals import post_save
from django.dispatch import Signal
from django.test import SimpleTestCase

from signal_inspector.core.wrapper import instrument
from signal_inspector.testing import capture_dispatches, mute, only
from tests.testing.shop import connected, order_placed


def first(**kwargs: Any) -> str:
    return "first"


def second(**kwargs: Any) -> str:
    return "second"


async def third(**kwargs: Any) -> str:
    return "third"


def unconnected(**kwargs: Any) -> str:
    return "unconnected"


class Shop:
    def hears(self, **kwargs: Any) -> str:
        return "heard"


#: Not in the tests: an object whose method was connected must outlive the signal.
SHOP = Shop()

RECEIVERS = (first, second, third)


@pytest.fixture(params=[False, True], ids=["plain", "caching"])
def signal(request: pytest.FixtureRequest) -> Signal:
    signal = Signal(use_caching=request.param)
    for receiver in RECEIVERS:
        signal.connect(receiver)
    return signal


@pytest.fixture(params=[True, False], ids=["wrapped", "bare"], autouse=True)
def _wrapper(request: pytest.FixtureRequest) -> Any:
    """Each test with the wrapper and without it."""
    if request.param:
        yield
        return
    instrument.uninstall()
    yield
    instrument.install()


class Sender:
    pass


def send(signal: Signal) -> list[Any]:
    return [response for _, response in signal.send(Sender)]


SENDS: dict[str, Callable[[Signal], list[Any]]] = {
    "send": lambda signal: signal.send(Sender),
    "send_robust": lambda signal: signal.send_robust(Sender),
    "asend": lambda signal: asyncio.run(signal.asend(Sender)),
    "asend_robust": lambda signal: asyncio.run(signal.asend_robust(Sender)),
}


class TestMute:
    @pytest.mark.parametrize("method", SENDS)
    def test_a_signal(self, signal: Signal, method: str) -> None:
        """A muted signal answers [] to each method, and calls nobody."""
        with mute(signal):
            assert SENDS[method](signal) == []
        assert [receiver for receiver, _ in SENDS[method](signal)] == list(RECEIVERS)

    @pytest.mark.parametrize("method", SENDS)
    @pytest.mark.parametrize("receiver", RECEIVERS)
    def test_a_receiver(self, signal: Signal, receiver: Any, method: str) -> None:
        """A muted receiver, sync or async, is not called and stands in no response."""
        with mute(receiver):
            left = [each for each, _ in SENDS[method](signal)]
        assert left == [each for each in RECEIVERS if each is not receiver]

    def test_of_one_signal(self, signal: Signal) -> None:
        """signal= mutes a receiver of that signal alone."""
        other = Signal()
        other.connect(first)
        with mute(first, signal=other):
            assert send(signal) == ["first", "second", "third"]
            assert send(other) == []

    def test_several(self, signal: Signal) -> None:
        """Signals and receivers may be named together."""
        other = Signal()
        other.connect(first)
        with mute(other, second, third):
            assert (send(signal), send(other)) == (["first"], [])

    def test_a_muted_signal_is_still_sent(self, signal: Signal) -> None:
        """A capture hears of it, with nobody who received it."""
        with mute(signal), capture_dispatches() as dispatches:
            signal.send(Sender, number=1)
        sent = dispatches.assert_sent(signal, payload={"number": 1})
        assert sent.calls == []
        with pytest.raises(AssertionError, match="it was muted"):
            dispatches.assert_received(first)

    @pytest.mark.parametrize("target", [None, 7])
    def test_what_is_neither(self, target: Any) -> None:
        """What is neither a signal nor can be called is refused at once."""
        with pytest.raises(TypeError, match="takes receivers"):
            mute(target)

    def test_nothing(self) -> None:
        """mute() and only() without a target would do nothing, and say so."""
        for context in (mute, only):
            with pytest.raises(TypeError, match="needs the"):
                context()
        with pytest.raises(TypeError, match="is a signal"):
            only(Signal())  # type: ignore[arg-type]


class TestOnly:
    def test_one(self, signal: Signal) -> None:
        """Of a signal that it is connected to, it alone is called."""
        with only(second):
            assert send(signal) == ["second"]

    def test_other_signals(self, signal: Signal) -> None:
        """A signal that it is not connected to calls all of its receivers."""
        other = Signal()
        other.connect(first)
        with only(second):
            assert send(other) == ["first"]
        with only(second, signal=other):
            assert send(other) == []
            assert send(signal) == ["first", "second", "third"]

    def test_of_another_sender(self, signal: Signal) -> None:
        """Connected for another sender it is connected: then nobody is called."""
        waits = Signal()
        waits.connect(first)
        waits.connect(second, sender=object)
        with only(second):
            assert send(waits) == []

    def test_within_each_other(self, signal: Signal) -> None:
        """An inner context takes more away, and gives nothing back."""
        with only(first, second):
            with only(second, third):
                assert send(signal) == ["second"]
            assert send(signal) == ["first", "second"]


class TestNesting:
    def test_the_same_twice(self, signal: Signal) -> None:
        """A receiver that is muted twice is heard again after both."""
        with mute(first):
            with mute(first):
                assert send(signal) == ["second", "third"]
            assert send(signal) == ["second", "third"]
        assert send(signal) == ["first", "second", "third"]

    def test_one_context_entered_twice(self, signal: Signal) -> None:
        """A context that is entered within itself ends when the outer one does."""
        context = mute(first)
        with context:
            with context:
                pass
            assert send(signal) == ["second", "third"]
        assert send(signal) == ["first", "second", "third"]

    def test_not_in_turn(self, signal: Signal) -> None:
        """Contexts that end in another order than they began in leave nothing behind."""
        outer, inner = mute(first), mute(second)
        outer.__enter__()
        inner.__enter__()
        outer.__exit__(None, None, None)
        assert send(signal) == ["first", "third"]
        inner.__exit__(None, None, None)
        assert send(signal) == ["first", "second", "third"]

    def test_after_an_exception(self, signal: Signal) -> None:
        """An exception ends it as well."""
        with pytest.raises(LookupError), mute(signal):
            raise LookupError
        assert len(send(signal)) == 3


class TestNothingElseChanges:
    def test_receivers_and_caches(self, signal: Signal) -> None:
        """signal.receivers is the same list with the same entries, and the cache is not spoilt."""
        receivers, entries = signal.receivers, list(signal.receivers)
        with mute(first), only(second):
            send(signal)
            assert signal.receivers is receivers
        assert list(signal.receivers) == entries
        assert all(one is other for one, other in zip(receivers, entries, strict=True))
        assert send(signal) == ["first", "second", "third"]

    def test_the_cache_was_warm(self, signal: Signal) -> None:
        """A cache that was filled before is neither emptied nor filled with less."""
        send(signal)
        cached = dict(signal.sender_receivers_cache)
        with mute(signal):
            assert send(signal) == []
        assert dict(signal.sender_receivers_cache) == cached

    def test_what_happens_meanwhile(self, signal: Signal) -> None:
        """Who is connected or disconnected meanwhile is so afterwards."""

        def fourth(**kwargs: Any) -> str:
            return "fourth"

        with mute(signal):
            signal.connect(fourth)
            signal.disconnect(second)
        assert send(signal) == ["first", "fourth", "third"]

    def test_who_dies_meanwhile(self, signal: Signal) -> None:
        """A receiver that nothing holds any more dies, muted or not."""

        def fourth(**kwargs: Any) -> str:
            return "fourth"

        signal.connect(fourth)
        gone = weakref.ref(fourth)
        with mute(fourth):
            del fourth
            gc.collect()
            assert gone() is None
        assert send(signal) == ["first", "second", "third"]
        assert len(signal.receivers) == 3

    def test_a_model_signal(self) -> None:
        """post_save, whose entries other tools count, is left alone."""
        before = list(post_save.receivers)
        with mute(post_save):
            assert post_save.send(Sender, instance=None) == []
        assert post_save.receivers == before


class TestNames:
    """Signals and receivers by their names, and those that nothing has."""

    HERE = "tests.testing.test_muting"

    def test_receivers(self, signal: Signal) -> None:
        """A function is found by the module that it stands in."""
        with mute(f"{self.HERE}.first"):
            assert send(signal) == ["second", "third"]
        with only(f"{self.HERE}.first"):
            assert send(signal) == ["first"]

    def test_methods(self) -> None:
        """A method is found by its class, whichever object it is connected of."""
        plain = Signal()
        plain.connect(SHOP.hears)
        with mute(f"{self.HERE}.Shop.hears"):
            assert send(plain) == []
        assert send(plain) == ["heard"]

    def test_signals(self) -> None:
        """A signal is found by its dotted name, and may limit what is muted."""
        with connected(order_placed, first, second):
            with mute("tests.testing.shop.order_placed"):
                assert send(order_placed) == []
            with mute(first, signal="tests.testing.shop.order_placed"):
                assert send(order_placed) == ["second"]

    def test_what_nothing_is_called(self, signal: Signal) -> None:
        """A misspelt name is refused when it is entered, with what is near it."""
        for context in (mute, only):
            with pytest.raises(ValueError, match=r"is called 'tests\.testing\.shop\.order_plcd'"):
                context("tests.testing.shop.order_plcd").__enter__()
        with pytest.raises(ValueError, match=r"Did you mean 'tests\.testing\.shop\.order_placed'"):
            mute("tests.testing.shop.order_plaked").__enter__()
        assert send(signal) == ["first", "second", "third"]

    @pytest.mark.parametrize("context", [mute, only])
    def test_what_is_connected_nowhere(self, context: Any) -> None:
        """A receiver that no signal calls is told at the end: muting it has changed nothing."""
        told = r"test_muting\.unconnected is not connected to any signal"
        with pytest.raises(ValueError, match=told), context(unconnected):
            pass

    @pytest.mark.usefixtures("all_objects_seen")
    def test_what_was_connected_before_all_was_frozen(self) -> None:
        """A signal that the garbage collector does not tell of has receivers all the same."""
        order_placed.connect(unconnected)
        gc.freeze()
        try:
            with mute(unconnected):
                pass  # a receiver that is called was connected
        finally:
            order_placed.disconnect(unconnected)

    @pytest.mark.usefixtures("all_objects_seen")
    def test_what_is_connected_to_a_frozen_signal_of_no_module(self) -> None:
        """The wrapper knows the signals that were made since it was installed."""
        instrument.install()
        signal = Signal()
        signal.connect(unconnected)
        gc.freeze()
        with mute(unconnected):
            pass

    def test_what_is_connected_meanwhile(self) -> None:
        """Connected at the end, or called by a signal meanwhile, it was muted."""
        plain = Signal()
        with mute(unconnected):
            plain.connect(unconnected)
            assert send(plain) == []
            plain.disconnect(unconnected)
        with mute(unconnected):
            plain.connect(unconnected)

    def test_the_exception_of_the_block(self) -> None:
        """No complaint hides what the block has raised."""
        with pytest.raises(ZeroDivisionError), mute(unconnected):
            raise ZeroDivisionError


class TestWhere:
    def test_all_threads(self, signal: Signal) -> None:
        """It holds for all threads of the process."""
        found: list[list[Any]] = []
        with mute(first):
            thread = threading.Thread(target=lambda: found.append(send(signal)))
            thread.start()
            thread.join(30)
        assert found == [["second", "third"]]

    def test_from_many_threads(self, signal: Signal) -> None:
        """Threads that mute and send at once end with everything as it was."""
        methods = dict(vars(Signal))
        plain, wrong = Signal(), []
        plain.connect(first)
        plain.connect(second)

        def work(receiver: Any, left: list[str]) -> None:
            for _ in range(60):
                with mute(receiver):
                    if not set(send(plain)) <= set(left):
                        wrong.append(receiver)

        threads = [
            threading.Thread(target=work, args=args)
            for args in ((first, ["second"]), (second, ["first"])) * 4
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert wrong == []
        assert send(plain) == ["first", "second"]
        assert dict(vars(Signal)) == methods


class TestDecorating:
    def test_functions_and_classes(self, signal: Signal) -> None:
        """Functions, coroutine functions and the tests of a class can be decorated."""

        @mute(first)
        def sync() -> list[Any]:
            return send(signal)

        @only(first)
        async def asynchronous() -> list[Any]:
            return [response for _, response in await signal.asend(Sender)]

        @mute(signal)
        class ShopTest:
            def test_sends(self) -> list[Any]:
                return send(signal)

            def sends(self) -> list[Any]:
                return send(signal)

        assert sync() == ["second", "third"]
        assert asyncio.run(asynchronous()) == ["first"]
        assert ShopTest().test_sends() == []
        assert send(signal) == ShopTest().sends() == ["first", "second", "third"]

    @pytest.mark.parametrize(
        "context", [mute(order_placed), only(unconnected, signal=order_placed)]
    )
    def test_set_up(self, context: Any) -> None:
        """It holds while a class and its tests are set up, in subclasses too, and no longer."""
        sent: list[Any] = []

        class Base(SimpleTestCase):
            @classmethod
            def setUpClass(cls) -> None:
                super().setUpClass()
                sent.append(send(order_placed))

            def setUp(self) -> None:
                sent.append(send(order_placed))
                self.addCleanup(lambda: sent.append(send(order_placed)))

            def test_sends(self) -> None:
                sent.append(send(order_placed))

        class ShopTest(context(Base)):  # type: ignore[misc]
            @classmethod
            def setUpClass(cls) -> None:
                super().setUpClass()
                sent.append(send(order_placed))

            @classmethod
            def tearDownClass(cls) -> None:
                sent.append(send(order_placed))
                super().tearDownClass()

            async def test_of_the_subclass(self) -> None:
                sent.append(await order_placed.asend(Sender))

        with connected(order_placed, first):
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(ShopTest).run(result)
            assert result.wasSuccessful(), (result.errors, result.failures)
            assert sent == [[]] * 9
            assert send(order_placed) == ["first"]

    def test_set_up_of_pytest(self) -> None:
        """So it does for a class of pytest."""
        sent: list[Any] = []

        @mute(order_placed)
        class TestShop:
            @classmethod
            def setup_class(cls) -> None:
                sent.append(send(order_placed))

            def setup_method(self) -> None:
                sent.append(send(order_placed))

        with connected(order_placed, first):
            TestShop.setup_class()
            TestShop().setup_method()
        assert sent == [[], []]

    def test_a_misspelt_name(self) -> None:
        """On a class it is an error of the class, and ends no run."""

        @mute("tests.testing.shop.nothing")
        class ShopTest(unittest.TestCase):
            def test_sends(self) -> None: ...

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(ShopTest).run(result)
        [(_, told)] = result.errors
        assert "is called 'tests.testing.shop.nothing'" in told
