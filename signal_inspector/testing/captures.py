"""The list that a capture gives: its dispatches, and what can be asserted of them."""

from __future__ import annotations

from django.dispatch import Signal

from signal_inspector.connections import entries
from signal_inspector.muting import is_receiver
from signal_inspector.names import loaded_signals, receiver_name, signal_name
from signal_inspector.testing.assertions import Assertions
from signal_inspector.testing.captured import CapturedDispatch
from signal_inspector.testing.mutes import Receiver
from signal_inspector.testing.wanted import SignalOrName, Wanted, find_signal


class CapturedDispatches(list[CapturedDispatch], Assertions):
    """The dispatches of a capture in the order they started, and assertions about them."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self._wanted = wanted

    def also(self, *signals: SignalOrName) -> None:
        """Capture these signals too from now on, though settings leave them out."""
        self._wanted.add(signals)

    def of(self, *signals: SignalOrName) -> list[CapturedDispatch]:
        """The dispatches of these signals; of all where none is named."""
        if not signals:
            return list(self)
        chosen = [self.named(signal) for signal in signals]
        return [sent for sent in self if any(sent.signal is signal for signal in chosen)]

    def named(self, signal: SignalOrName) -> Signal:
        """The signal of this name; ValueError if it is not captured here."""
        found = find_signal(signal)
        if not self._wanted.covers(found):
            raise ValueError(
                f"{signal_name(found)} is not captured here, so nothing can be said of it. Name "
                "it to capture_dispatches(), or to also() of what that gives."
            )
        return found

    def check_heard(self, receiver: Receiver) -> None:
        """ValueError if the receiver is connected, but to nothing that is captured here."""
        if any(_is_connected(receiver, sent.signal) for sent in self):
            return  # without a look at all modules, which takes a few dozen milliseconds
        heard = [signal for signal in loaded_signals().values() if _is_connected(receiver, signal)]
        if heard and not any(self._wanted.covers(signal) for signal in heard):
            names = " and ".join(sorted(signal_name(signal) for signal in heard))
            raise ValueError(
                f"{receiver_name(receiver).name} is connected to {names}, which is not captured "
                "here, so nothing can be said of it."
            )

    def _asserted(self) -> CapturedDispatches:
        return self


def _is_connected(receiver: Receiver, signal: Signal) -> bool:
    return any(is_receiver(receiver, connected) for _, connected, _ in entries(signal))
