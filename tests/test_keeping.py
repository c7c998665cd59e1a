"""Keepers: what they are told, what they ask for, and that their failures stay with us."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from django.core.signals import got_request_exception
from django.dispatch import Signal

from signal_inspector import scopes, trouble
from signal_inspector.dispatches import Dispatch
from signal_inspector.keeping import Keeper


def works(**kwargs: Any) -> str:
    return "done"


def fails(**kwargs: Any) -> None:
    raise KeyError("k")


async def works_later(**kwargs: Any) -> str:
    return "later"


class Telling(Keeper):
    """Writes down what it is told."""

    def __init__(self, asked: Signal | None = None) -> None:
        super().__init__()
        self.asked = asked
        self.told: list[tuple[Any, ...]] = []

    def asks_for(self, signal: Signal) -> bool:
        return signal is self.asked

    def sent(self, dispatch: Dispatch, signal: Signal, sender: Any, named: dict[str, Any]) -> None:
        self.told.append(("sent", sender, named))

    def receivers(self, dispatch: Dispatch, receivers: Sequence[Any]) -> None:
        self.told.append(("receivers", *receivers))

    def returned(self, dispatch: Dispatch, index: int, response: Any) -> None:
        self.told.append(("returned", index, response))

    def raised(self, dispatch: Dispatch, index: int, error: BaseException) -> None:
        self.told.append(("raised", index, type(error)))


class Failing(Keeper):
    def sent(self, *args: Any) -> None:
        raise RuntimeError("of ours")

    receivers = returned = raised = sent


@pytest.fixture
def signal() -> Signal:
    signal = Signal()
    signal.connect(fails)
    signal.connect(works)
    return signal


def test_our_own_loop(signal: Signal) -> None:
    """What is raised is told as it happens, what is returned when the send has ended."""
    keeper = Telling()
    scopes.open_collector(keeper)
    signal.send_robust(object, number=1)
    scopes.close_collector(keeper)
    signal.send_robust(object, number=2)
    assert keeper.told == [
        ("sent", object, {"number": 1}),
        ("receivers", fails, works),
        ("raised", 0, KeyError),
        ("returned", 1, "done"),
    ]


def test_the_careful_way(signal: Signal) -> None:
    """With async receivers, each is told of as it ends; the last word on receivers counts."""
    signal.connect(works_later)
    keeper = Telling()
    scopes.open_collector(keeper)
    asyncio.run(signal.asend_robust(None))
    scopes.close_collector(keeper)
    assert ("receivers", fails, works, works_later) in keeper.told
    assert ("returned", 2, "later") in keeper.told


def test_no_record_is_kept(signal: Signal) -> None:
    """A keeper collects no records: one that listens for hours must not grow."""
    keeper = Telling()
    scopes.open_collector(keeper)
    signal.send_robust(None)
    scopes.close_collector(keeper)
    assert list(keeper.dispatches) == []
    assert keeper.dropped == 0


def test_everywhere(signal: Signal) -> None:
    """A keeper of the whole process hears of a context that knows nothing of it, until closed."""
    import contextvars

    before = contextvars.copy_context()
    keeper = Telling()
    scopes.collect_everywhere(keeper)
    before.run(signal.send_robust, None)
    assert len(keeper.told) == 4
    scopes.close_collector(keeper)
    before.run(signal.send_robust, None)
    assert len(keeper.told) == 4
    assert scopes.process_audience() is scopes.NOBODY or not scopes.process_audience().keepers


def test_a_signal_that_settings_leave_out() -> None:
    """It is told to the keeper that asks for it, and to no other."""
    asking, other = Telling(got_request_exception), Telling()
    scopes.open_collector(asking)
    scopes.open_collector(other)
    got_request_exception.send(None, request=None)
    scopes.close_collector(other)
    scopes.close_collector(asking)
    assert asking.told[0] == ("sent", None, {"request": None})
    assert other.told == []


def test_a_keeper_that_fails(signal: Signal) -> None:
    """The signal is sent as usual, and the failure is counted as ours."""
    keeper = Failing()
    scopes.open_collector(keeper)
    responses = signal.send_robust(None)
    scopes.close_collector(keeper)
    assert [receiver for receiver, _ in responses] == [fails, works]
    assert trouble.counts() == {"keeping what a test captures": 4}
