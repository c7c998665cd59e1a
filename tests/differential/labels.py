"""Signals, senders and receivers of a world by their numbers, told by identity."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from django.dispatch import Signal
from django.dispatch.dispatcher import NONE_ID, _make_id

from tests.differential.receivers import Made


class Labels:
    """The number of each thing; words for what is none of the world's."""

    def __init__(
        self, signals: Sequence[Signal], senders: Sequence[Any], made: Sequence[Made]
    ) -> None:
        self._signals = signals
        self._senders = senders
        self._made = made

    def signal(self, signal: object) -> object:
        return _position(signal, self._signals)

    def sender(self, sender: object) -> object:
        return _position(sender, self._senders)

    def receiver(self, receiver: object) -> object:
        for index, made in enumerate(self._made):
            if made.is_(receiver):
                return index
        return f"unknown: a {type(receiver).__qualname__}"

    def state(self, signal: Signal) -> object:
        """All that a signal has kept."""
        ids = {NONE_ID: None} | {_make_id(sender): i for i, sender in enumerate(self._senders)}
        connected = []
        for entry in signal.receivers:
            (key, sender_id), receiver = entry[:2]
            is_weak = isinstance(receiver, weakref.ReferenceType)
            alive = receiver() if is_weak else receiver
            label = "dead" if alive is None else self.receiver(alive)
            uid = key if isinstance(key, str) else None
            connected.append((label, ids.get(sender_id, "unknown"), is_weak, uid, entry[-1]))
        cached = len(signal.sender_receivers_cache)
        return connected, cached, signal._dead_receivers, sorted(vars(signal))


def _position(thing: object, known: Sequence[object]) -> object:
    for index, candidate in enumerate(known):
        if candidate is thing:
            return index
    return f"unknown: a {object.__getattribute__(thing, '__class__').__qualname__}"
