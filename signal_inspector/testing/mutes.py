"""``mute`` and ``only``: signals and receivers that are silent while a test runs."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from django.dispatch import Signal

from signal_inspector import muting
from signal_inspector.muting import Change, MutedReceivers, MutedSignals, OnlyReceivers
from signal_inspector.testing.contexts import TestContext

Receiver = Callable[..., Any]


class _Changing(TestContext[None]):
    """Has a change in force while it is entered, in all threads and tasks of the process."""

    _changes: tuple[Change, ...]

    def __enter__(self) -> None:
        for change in self._changes:
            muting.add(change)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for change in reversed(self._changes):
            muting.remove(change)


class mute(_Changing):  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Call none of these receivers, and no receiver of these signals.

    ``with mute(order_placed, send_welcome_email): ...``, or as a decorator of a test or of a
    class of tests. A muted signal can be sent, and answers ``[]``; a muted receiver is not called
    and stands in no response. Nothing is taken off the signals: what is connected stays, in its
    order, and what is connected or disconnected meanwhile is so afterwards too.

    ``signal`` limits the muting of receivers to one signal. TypeError for anything that is
    neither a signal nor callable.
    """

    def __init__(self, *targets: Signal | Receiver, signal: Signal | None = None) -> None:
        signals = tuple(target for target in targets if isinstance(target, Signal))
        receivers = tuple(target for target in targets if not isinstance(target, Signal))
        if not targets:
            raise TypeError("mute() has to be told which signals or receivers to mute.")
        if signals and signal is not None:
            raise TypeError("mute(signal=...) limits the muting of receivers, not of signals.")
        check_receivers(receivers, "mute()")
        changes: list[Change] = [MutedSignals(signals)] if signals else []
        if receivers:
            changes.append(MutedReceivers(receivers, () if signal is None else (signal,)))
        self._changes = tuple(changes)


class only(_Changing):  # noqa: N801
    """Of the signals that these receivers are connected to, call them and nobody else.

    Signals that none of them is connected to call their receivers as ever; ``signal`` limits it
    to one signal, whether they are connected to it or not. Otherwise as ``mute``. A context
    inside another one can take more away, and gives nothing back.
    """

    def __init__(self, *receivers: Receiver, signal: Signal | None = None) -> None:
        if not receivers:
            raise TypeError("only() has to be told which receivers to call.")
        check_receivers(receivers, "only()")
        self._changes = (OnlyReceivers(receivers, () if signal is None else (signal,)),)


def check_receivers(receivers: tuple[object, ...], who: str) -> None:
    """TypeError if one of them cannot be a receiver."""
    for receiver in receivers:
        if isinstance(receiver, Signal):
            raise TypeError(f"{who} takes receivers, and {type(receiver).__name__} is a signal.")
        if not callable(receiver):
            raise TypeError(
                f"{who} takes receivers, and an object of {type(receiver).__qualname__} "
                "cannot be called."
            )
