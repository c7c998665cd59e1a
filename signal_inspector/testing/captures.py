"""The list that a capture gives: its dispatches, and what can be asserted of them."""

from __future__ import annotations

from collections import Counter
from threading import current_thread

from django.dispatch import Signal

from signal_inspector.names import loaded_signals, receiver_name, signal_name
from signal_inspector.testing.assertions import Assertions
from signal_inspector.testing.captured import CapturedDispatch
from signal_inspector.testing.wanted import (
    Receiver,
    SignalOrName,
    Wanted,
    find_signal,
    is_connected,
)
from signal_inspector.testing.wording import so_often

__unittest = True  # unittest leaves our frames out of the traceback of a failure


class CapturedDispatches(list[CapturedDispatch], Assertions):
    """The dispatches of a capture in the order they started, and assertions about them."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self._wanted = wanted
        #: What was sent in threads that do not belong to the capture: signals by their ids, and
        #: how often in which thread.
        self._elsewhere: dict[int, tuple[Signal, Counter[str]]] = {}

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
        __tracebackhide__ = True
        found = find_signal(signal)
        if not self._wanted.covers(found):
            raise ValueError(
                f"{signal_name(found)} is not captured here, so nothing can be said of it. Name "
                "it to capture_dispatches(), or to also() of what that gives."
            )
        return found

    def check_heard(self, receiver: Receiver) -> None:
        """ValueError if the receiver is connected, but to nothing that is captured here."""
        __tracebackhide__ = True
        if any(is_connected(receiver, [sent.signal]) for sent in self):
            return  # without a look at all modules, which takes a few dozen milliseconds
        heard = [
            signal for signal in loaded_signals().values() if is_connected(receiver, [signal])
        ]
        if heard and not any(self._wanted.covers(signal) for signal in heard):
            names = " and ".join(sorted(signal_name(signal) for signal in heard))
            raise ValueError(
                f"{receiver_name(receiver).name} is connected to {names}, which is not captured "
                "here, so nothing can be said of it."
            )

    def note_elsewhere(self, signal: Signal) -> None:
        """Count a dispatch of the current thread, which does not belong to the capture."""
        _, threads = self._elsewhere.setdefault(id(signal), (signal, Counter()))
        threads[current_thread().name] += 1

    def sent_elsewhere(
        self, signal: SignalOrName | None = None, receiver: Receiver | None = None
    ) -> list[str]:
        """What was sent in threads that are not captured, a line for each signal and thread.

        ``signal`` limits it to one, ``receiver`` to those that it is connected to.
        """
        asked = None if signal is None else self.named(signal)
        return [
            f"{signal_name(sent)} was sent {so_often(count)} in the thread {thread}, which is not "
            "captured. With threads=True all threads are."
            for sent, threads in list(self._elsewhere.values())
            if (asked is None or sent is asked)
            and (receiver is None or is_connected(receiver, [sent]))
            for thread, count in sorted(threads.items())
        ]

    def clear(self) -> None:
        """Let go of everything."""
        super().clear()
        self._elsewhere.clear()

    def mark(self) -> tuple[int, dict[int, Counter[str]]]:
        """How much there is now, for ``since``."""
        elsewhere = {key: Counter(each) for key, (_, each) in list(self._elsewhere.items())}
        return len(self), elsewhere

    def since(self, mark: tuple[int, dict[int, Counter[str]]]) -> CapturedDispatches:
        """What has come since the mark, with the assertions about it."""
        start, before = mark
        part = CapturedDispatches(self._wanted)
        part.extend(self[start:])
        for key, (signal, threads) in list(self._elsewhere.items()):
            part._elsewhere[key] = signal, threads - before.get(key, Counter())
        return part

    def _asserted(self) -> CapturedDispatches:
        return self
