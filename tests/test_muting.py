"""What is muted, below the contexts that tests use (``tests/testing/test_muting.py``)."""

from __future__ import annotations

import functools
import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector.core.wrapper import muting
from signal_inspector.core.wrapper.muting import (
    Change,
    MutedReceivers,
    MutedSignals,
    OnlyReceivers,
)


@contextmanager
def changed(*changes: Change) -> Iterator[None]:
    for change in changes:
        muting.add(change)
    try:
        yield
    finally:
        for change in changes:
            muting.remove(change)


def first(**kwargs: Any) -> str:
    return "first"


def second(**kwargs: Any) -> str:
    return "second"


class Shop:
    def hears(self, **kwargs: Any) -> str:
        return "shop"


@pytest.fixture
def signal() -> Signal:
    signal = Signal()
    signal.connect(first)
    signal.connect(second)
    return signal


def answers(signal: Signal) -> list[Any]:
    return [response for _, response in signal.send(None)]


class TestReading:
    def test_a_muted_signal(self, signal: Signal) -> None:
        """is_muted and muted_receivers tell of a signal that is muted as a whole."""
        with changed(MutedSignals((signal,))):
            assert muting.is_muted(signal)
            assert not muting.is_muted(Signal())
            assert muting.muted_receivers(signal) == (first, second)
        assert not muting.is_muted(signal)
        assert muting.muted_receivers(signal) == ()

    def test_a_muted_receiver(self, signal: Signal) -> None:
        """A muted receiver stands among the muted ones of its signal, which is not muted."""
        with changed(MutedReceivers((first,))):
            assert not muting.is_muted(signal)
            assert muting.muted_receivers(signal) == (first,)
            assert muting.is_receiver_muted(signal, first)
            assert not muting.is_receiver_muted(signal, second)

    def test_only_one(self, signal: Signal) -> None:
        """All but the only one are muted; a signal that it is not connected to is as ever."""
        other = Signal()
        other.connect(second)
        with changed(OnlyReceivers((first,))):
            assert muting.muted_receivers(signal) == (second,)
            assert muting.muted_receivers(other) == ()


class TestPlace:
    def test_wrapped_while_needed(self, signal: Signal) -> None:
        """_live_receivers is Django's own before the first change and after the last."""
        bare = Signal.__dict__["_live_receivers"]
        one, other = MutedSignals((signal,)), MutedReceivers((first,))
        with changed(one):
            muting.add(other)
            assert Signal.__dict__["_live_receivers"] is not bare
        assert Signal.__dict__["_live_receivers"] is not bare  # `other` is still there
        assert answers(signal) == ["second"]
        muting.remove(other)
        assert Signal.__dict__["_live_receivers"] is bare

    def test_a_subclass_with_receivers_of_its_own(self) -> None:
        """A class that overrides _live_receivers is heard too, and is left as it was."""

        class Own(Signal):
            def _live_receivers(self, sender: Any) -> Any:
                return [first, second], []

        bare = Own.__dict__["_live_receivers"]
        signal = Own()
        signal.connect(first)
        with changed(MutedReceivers((first,))):
            assert answers(signal) == ["second"]
        assert Own.__dict__["_live_receivers"] is bare

    def test_another_tool_wraps_meanwhile(
        self, signal: Signal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A patch that came later stays, with ours idle below it, and muting goes on working."""
        muting.add(one := MutedSignals((signal,)))
        ours = Signal.__dict__["_live_receivers"]

        @functools.wraps(ours)
        def foreign(self: Signal, sender: Any) -> Any:
            return ours(self, sender)

        with monkeypatch.context() as patch:
            patch.setattr(Signal, "_live_receivers", foreign)
            muting.remove(one)
            assert Signal.__dict__["_live_receivers"] is foreign
            assert answers(signal) == ["first", "second"]
            with changed(MutedReceivers((first,))):
                assert answers(signal) == ["second"]
        with changed(one):
            assert answers(signal) == []
        assert Signal.__dict__["_live_receivers"] is ours.__wrapped__

    def test_nothing_is_kept_alive(self, signal: Signal) -> None:
        """A receiver that is muted dies as if it were not."""
        shop = Shop()
        signal.connect(shop.hears)
        reference = weakref.ref(shop)
        with changed(MutedReceivers((shop.hears,))):
            assert answers(signal) == ["first", "second"]
            del shop
            gc.collect()
            assert reference() is None
            assert answers(signal) == ["first", "second"]


def decorated(function: Any) -> Any:
    @functools.wraps(function)
    def inner(**kwargs: Any) -> Any:
        return function(**kwargs)

    return inner


SHOP, OTHER_SHOP = Shop(), Shop()
PARTIAL, OTHER_PARTIAL = functools.partial(first), functools.partial(first)
DECORATED, OTHER_DECORATED = decorated(first), decorated(first)


@pytest.mark.parametrize(
    ("wanted", "receiver", "same"),
    [
        (first, first, True),
        (first, second, False),
        (SHOP.hears, SHOP.hears, True),
        (SHOP.hears, OTHER_SHOP.hears, False),
        (Shop.hears, SHOP.hears, True),
        (SHOP.hears, Shop.hears, False),
        (PARTIAL, PARTIAL, True),
        (PARTIAL, OTHER_PARTIAL, False),
        (first, DECORATED, True),
        (DECORATED, first, True),
        (DECORATED, OTHER_DECORATED, False),
        (None, first, False),
    ],
)
def test_who_is_meant(wanted: object, receiver: object, same: bool) -> None:
    """A receiver is itself, and what it decorates; not another one made of the same function."""
    assert muting.is_receiver(wanted, receiver) is same
