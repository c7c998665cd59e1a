"""inject_failure and delay: what the sender, the responses, the log and the records show."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
import unittest
from collections.abc import Callable
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.dispatch import Signal

from signal_inspector import Outcome, capture
from signal_inspector.core.wrapper import instrument
from signal_inspector.testing import capture_dispatches, delay, inject_failure, mute
from tests.clocks import let_an_hour_pass
from tests.testing.shop import connected, order_placed

ran: list[str] = []


def first(**kwargs: Any) -> str:
    ran.append("first")
    return "first"


def second(**kwargs: Any) -> str:
    ran.append("second")
    return "second"


async def third(**kwargs: Any) -> str:
    ran.append("third")
    return "third"


def unconnected(**kwargs: Any) -> None: ...


class Shop:
    def hears(self, **kwargs: Any) -> str:
        return "heard"


#: Not in the test that needs it: Python complains (``WeakMethod``) where an object outlives the
#: last signal that its method is connected to, and dies.
SHOP = Shop()


@pytest.fixture
def signal() -> Signal:
    ran.clear()
    signal = Signal()
    for receiver in (first, second, third):
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


@pytest.fixture(autouse=True)
def _put_back(_wrapper: None) -> Any:
    """Signal has the same methods after each test as before."""
    methods = dict(vars(Signal))
    yield
    assert dict(vars(Signal)) == methods


ROBUST: dict[str, Callable[[Signal], list[Any]]] = {
    "send_robust": lambda signal: signal.send_robust(None),
    "asend_robust": lambda signal: asyncio.run(signal.asend_robust(None)),
}


class TestInjectFailure:
    @pytest.mark.parametrize("method", ROBUST)
    @pytest.mark.parametrize("receiver", [first, third])
    def test_robust(self, signal: Signal, receiver: Any, method: str) -> None:
        """The receiver does not run; its response is the exception, under its own name."""
        error = TimeoutError("slow")
        with inject_failure(receiver, error) as injected:
            responses = dict(ROBUST[method](signal))
        assert responses[receiver] is error
        assert list(responses) == [first, second, third]
        assert receiver.__name__ not in ran
        assert injected.calls == 1

    def test_send(self, signal: Signal) -> None:
        """send() raises it, and the receivers after it do not run."""
        with inject_failure(second, KeyError), pytest.raises(KeyError):
            signal.send(None)
        assert ran == ["first"]
        signal.send(None)
        assert ran == ["first", "first", "second", "third"]

    def test_asend(self, signal: Signal) -> None:
        """asend() raises what an async receiver was made to raise."""
        with inject_failure(third, KeyError("k")), pytest.raises(KeyError, match="k"):
            asyncio.run(signal.asend(None))

    @pytest.mark.parametrize("receiver", [second, third])
    def test_after_it_ran(self, signal: Signal, receiver: Any) -> None:
        """after=True lets the receiver run first, and what it did is done."""
        with inject_failure(receiver, KeyError, after=True), pytest.raises(KeyError):
            signal.send(None)
        assert receiver.__name__ in ran

    def test_times(self, signal: Signal) -> None:
        """With times=2 the third call is as ever: a retry can be tested."""
        with inject_failure(first, KeyError("k"), times=2) as injected:
            failed = [isinstance(signal.send_robust(None)[0][1], KeyError) for _ in range(3)]
        assert failed == [True, True, False]
        assert injected.calls == 3

    def test_what_the_records_show(self, signal: Signal) -> None:
        """In the record it is the receiver that raised, at its place in the source."""
        with inject_failure(second, KeyError("k")), capture_dispatches() as dispatches:
            with capture() as records:
                signal.send_robust(None)
            with pytest.raises(KeyError):
                signal.send(None)
        [record] = records
        assert [call.receiver.rpartition(".")[2] for call in record.calls] == [
            "first",
            "second",
            "third",
        ]
        assert record.calls[1].outcome is Outcome.RAISED
        assert (record.calls[1].path, record.calls[1].line) == (
            second.__code__.co_filename,
            second.__code__.co_firstlineno,
        )
        assert dispatches.assert_failed(second, KeyError) is dispatches[0].calls[1].exception
        assert [call.receiver for call in dispatches[1].calls] == [first, second, third]
        assert [call.ran for call in dispatches[1].calls] == [True, True, False]

    def test_what_django_logs(self, signal: Signal, caplog: pytest.LogCaptureFixture) -> None:
        """Django logs the failure under the receiver's name."""
        with inject_failure(first, KeyError("k")), caplog.at_level(logging.ERROR):
            signal.send_robust(None)
        [logged] = caplog.records
        assert logged.getMessage().startswith("Error calling first in Signal.send_robust()")

    def test_who_cannot_be_logged(self, signal: Signal) -> None:
        """A receiver without a name makes send_robust() itself raise, as it does in Django."""
        partial = functools.partial(first)
        signal.connect(partial)
        with (
            inject_failure(partial, KeyError),
            pytest.raises(AttributeError),
        ):
            signal.send_robust(None)

    def test_a_mock(self) -> None:
        """A mock that is made to fail is not called, and notices nothing."""
        signal, mock = Signal(), MagicMock()
        signal.connect(mock)
        with inject_failure(mock, KeyError), pytest.raises(KeyError):
            signal.send(None)
        assert mock.mock_calls == []

    def test_a_method(self) -> None:
        """A bound method is found though it is another object at each access."""
        signal = Signal()
        signal.connect(SHOP.hears)
        with inject_failure(SHOP.hears, KeyError("k")):
            [(receiver, response)] = signal.send_robust(None)
        assert receiver == SHOP.hears
        assert isinstance(response, KeyError)
        assert signal.send(None) == [(SHOP.hears, "heard")]

    def test_an_overriding_subclass(self) -> None:
        """A subclass that calls its receivers itself answers with receivers too."""

        class Own(Signal):
            def send_robust(self, sender: Any, **named: Any) -> Any:
                responses = []
                for receiver in self._live_receivers(sender)[0]:
                    try:
                        responses.append((receiver, receiver(signal=self, sender=sender)))
                    except Exception as error:
                        responses.append((receiver, error))
                return responses

        signal = Own()
        signal.connect(first)
        with inject_failure(first, KeyError("k")):
            [(receiver, response)] = signal.send_robust(None)
        assert receiver is first
        assert isinstance(response, KeyError)

    def test_of_one_signal(self, signal: Signal) -> None:
        """signal= has it fail under that signal alone."""
        other = Signal()
        other.connect(first)
        with inject_failure(first, KeyError, signal=other):
            signal.send(None)
            with pytest.raises(KeyError):
                other.send(None)

    def test_beside_others(self, signal: Signal) -> None:
        """It goes with mute and delay, with a capture inside or outside."""
        with capture_dispatches(), mute(second), delay(first, 0), inject_failure(first, KeyError):
            with capture_dispatches() as dispatches:
                responses = signal.send_robust(None)
            assert [receiver for receiver, _ in responses] == [first, third]
        dispatches.assert_failed(first, KeyError)

    @pytest.mark.parametrize("wrong", ["KeyError", object, None])
    def test_what_is_no_exception(self, wrong: Any) -> None:
        """Something that cannot be raised is refused at once, as is what cannot be called."""
        with pytest.raises(TypeError, match="takes an exception"):
            inject_failure(first, wrong)
        with pytest.raises(TypeError, match="takes receivers"):
            inject_failure(Signal(), KeyError)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="takes receivers"):
            inject_failure(7, KeyError)  # type: ignore[arg-type]

    def test_decorating(self, signal: Signal) -> None:
        """It decorates functions and coroutine functions."""

        @inject_failure(first, KeyError)
        def sync() -> None:
            signal.send(None)

        @inject_failure(third, KeyError)
        async def asynchronous() -> None:
            await signal.asend(None)

        with pytest.raises(KeyError):
            sync()
        with pytest.raises(KeyError):
            asyncio.run(asynchronous())
        signal.send(None)

    def test_a_class(self, signal: Signal) -> None:
        """Each test of a class has its own from its set-up on, and so has the class's set-up."""
        failed: list[str] = []

        def sends(where: str) -> None:
            if isinstance(dict(signal.send_robust(None)).get(first), KeyError):
                failed.append(where)

        @inject_failure(first, KeyError, times=1)
        class ShopTest(unittest.TestCase):
            @classmethod
            def setUpClass(cls) -> None:
                sends("class")
                sends("class again")

            def setUp(self) -> None:
                sends("set-up")

            def test_one(self) -> None:
                sends("test")

            def test_two(self) -> None:
                sends("test")

        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(ShopTest).run(result)
        assert result.wasSuccessful(), result.errors
        assert failed == ["class", "set-up", "set-up"]

    def test_names(self, signal: Signal) -> None:
        """The receiver and the signal may be named; a name that nothing has is refused."""
        with inject_failure("tests.testing.test_faults.first", KeyError) as injected:
            signal.send_robust(None)
        assert injected.calls == 1
        with (
            connected(order_placed, first),
            inject_failure(first, KeyError, signal="tests.testing.shop.order_placed") as injected,
        ):
            signal.send_robust(None)
            order_placed.send_robust(None)
        assert injected.calls == 1
        with pytest.raises(ValueError, match=r"is called 'tests\.testing\.test_faults\.frist'"):
            delay("tests.testing.test_faults.frist", 1).__enter__()

    def test_what_is_connected_nowhere(self) -> None:
        """A receiver that no signal calls is told at the end: nothing could fail."""
        told = r"test_faults\.unconnected is not connected to any signal"
        with pytest.raises(ValueError, match=told), inject_failure(unconnected, KeyError):
            pass


class TestDelay:
    def test_a_sync_receiver(self, signal: Signal) -> None:
        """It sleeps before it runs, and the record's time of it has that in."""
        with delay(second, 0.05) as delayed, capture_dispatches() as dispatches:
            assert [response for _, response in signal.send(None)] == ["first", "second", "third"]
        assert dispatches[0].calls[1].record.duration_ns >= 50_000_000
        assert delayed.calls == 1

    def test_an_async_receiver(self, signal: Signal) -> None:
        """It waits without holding the event loop: others go on meanwhile."""
        ticks = 0

        async def fourth(**kwargs: Any) -> str:
            nonlocal ticks
            for _ in range(5):
                await asyncio.sleep(0)
                ticks += 1
            ran.append("fourth")
            let_an_hour_pass()
            return "fourth"

        signal.connect(fourth)
        with delay(third, 3_600):
            asyncio.run(signal.asend(None))
        assert ticks == 5
        assert ran.index("fourth") < ran.index("third")

    def test_times(self, signal: Signal, monkeypatch: pytest.MonkeyPatch) -> None:
        """With times=1 the second call is not slow."""
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)
        with delay(first, 3, times=1):
            signal.send(None)
            signal.send(None)
        assert slept == [3]

    def test_a_past(self) -> None:
        """Less than no time is refused."""
        with pytest.raises(ValueError, match="faster"):
            delay(first, -1)
