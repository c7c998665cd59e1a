"""``mute`` and ``only``: silence signals and receivers while a test runs."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from django.dispatch import Signal

from signal_inspector.core.wrapper import muting
from signal_inspector.core.wrapper.muting import (
    Change,
    MutedReceivers,
    MutedSignals,
    OnlyReceivers,
    held,
)
from signal_inspector.names import receiver_name
from signal_inspector.testing.captures import (
    Receiver,
    SignalOrName,
    find_signal,
    find_target,
    is_connected,
)
from signal_inspector.testing.contexts import TestContext

__unittest = True  # unittest leaves our frames out of the traceback of a failure


class _Muting(TestContext[None]):
    """Mutes something while it is entered, in all threads and tasks of the process."""

    covers_set_up = covers_classes = stays = True

    def __init__(
        self, targets: tuple[SignalOrName | Receiver, ...], signal: SignalOrName | None
    ) -> None:
        self._who = f"{type(self).__name__}()"
        check_receivers(
            [each for each in targets if not isinstance(each, Signal | str)], self._who
        )
        self._targets = [each if isinstance(each, str) else held(each) for each in targets]
        self._signal = signal
        self._entered: list[tuple[Change, ...]] = []

    def __enter__(self) -> None:
        __tracebackhide__ = True
        found = [
            find_target(target) if isinstance(target, str) else target()
            for target in self._targets
        ]
        found = [target for target in found if target is not None]  # garbage collected receivers
        signals = tuple(each for each in found if isinstance(each, Signal))
        receivers = tuple(each for each in found if not isinstance(each, Signal))
        limited = () if self._signal is None else (find_signal(self._signal),)
        changes = self._changes(signals, receivers, limited)
        self._entered.append(changes)
        for change in changes:
            muting.add(change)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        changes = self._entered.pop()
        for change in reversed(changes):
            muting.remove(change)
        if exc is None and not self.is_of_class:
            for change in changes:
                if isinstance(change, MutedReceivers | OnlyReceivers):
                    check_was_connected(change.idle(), self._who)

    def _changes(
        self,
        signals: tuple[Signal, ...],
        receivers: tuple[Receiver, ...],
        limited: tuple[Signal, ...],
    ) -> tuple[Change, ...]:
        raise NotImplementedError

    def _again(self) -> Self:
        again = super()._again()
        again._entered = []
        return again


class mute(_Muting):  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Call none of these receivers, and no receiver of these signals.

    ``with mute(order_placed, send_welcome_email): ...``, or as a decorator of a test or of a
    class of tests. A muted signal can be sent and returns ``[]``; a muted receiver is not called
    and is not among the responses. No receiver is disconnected: all stay connected in their
    order, and what is connected or disconnected inside the block stays that way after it.

    Signals and receivers may be given by their dotted names, which are looked up when the context
    is entered. ``signal`` limits the muting of receivers to one signal. Raises TypeError for
    anything that is neither a signal nor callable, ValueError for an unknown name, and ValueError
    on exit for a receiver that is connected to no signal.
    """

    def __init__(
        self, *targets: SignalOrName | Receiver, signal: SignalOrName | None = None
    ) -> None:
        if not targets:
            raise TypeError("mute() needs the signals or receivers to mute.")
        if signal is not None and any(isinstance(target, Signal) for target in targets):
            raise TypeError("mute(signal=...) limits the muting of receivers, not of signals.")
        super().__init__(targets, signal)

    def _changes(
        self,
        signals: tuple[Signal, ...],
        receivers: tuple[Receiver, ...],
        limited: tuple[Signal, ...],
    ) -> tuple[Change, ...]:
        changes: list[Change] = [MutedSignals(signals)] if signals else []
        if receivers:
            changes.append(MutedReceivers(receivers, limited))
        return tuple(changes)


class only(_Muting):  # noqa: N801
    """Call only these receivers, and no others of the signals that they are connected to.

    A signal that none of them is connected to calls its receivers as usual. ``signal`` limits the
    effect to one signal, whether they are connected to it or not. Everything else is as for
    ``mute``. A nested context can mute more receivers, but cannot unmute any.
    """

    def __init__(self, *receivers: Receiver | str, signal: SignalOrName | None = None) -> None:
        if not receivers:
            raise TypeError("only() needs the receivers to call.")
        check_receivers(
            [each for each in receivers if not isinstance(each, str)], f"{type(self).__name__}()"
        )
        super().__init__(receivers, signal)

    def _changes(
        self,
        signals: tuple[Signal, ...],
        receivers: tuple[Receiver, ...],
        limited: tuple[Signal, ...],
    ) -> tuple[Change, ...]:
        check_receivers([*signals, *receivers], self._who)
        return (OnlyReceivers(receivers, limited),)


def check_was_connected(receivers: Iterable[Receiver], who: str) -> None:
    """Raise ValueError if a receiver is connected to no signal, so that muting had no effect."""
    __tracebackhide__ = True
    for receiver in receivers:
        if not is_connected(receiver):
            raise ValueError(
                f"{who} has no effect: {receiver_name(receiver).name} is not connected to any "
                "signal."
            )


def check_receivers(receivers: Iterable[object], who: str) -> None:
    """Raise TypeError if one of these objects cannot be a receiver."""
    for receiver in receivers:
        if isinstance(receiver, Signal):
            raise TypeError(f"{who} takes receivers, but {type(receiver).__name__} is a signal.")
        if not callable(receiver):
            raise TypeError(
                f"{who} takes receivers, but an object of {type(receiver).__qualname__} is not "
                "callable."
            )
