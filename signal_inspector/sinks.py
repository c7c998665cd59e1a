"""The contract between the recorder and whoever wants its records."""

from __future__ import annotations

from typing import ClassVar

from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Details, ReceiverCall


class Sink:
    """Base class of everything that listens to dispatches. All methods are no-ops.

    A sink named in ``SIGNAL_INSPECTOR["SINKS"]`` is instantiated once per process, without
    arguments, and hears of every inspected dispatch of that process, from any thread. What it
    raises is logged once, counted, and never reaches the code that sent the signal.

    The methods run in the thread and the context of the code they speak of. For an async
    receiver that suspends, ``receiver_left`` and ``receiver_entered`` bracket each stretch in
    which its code runs, so a sink may keep context variables set for exactly that long.
    """

    #: What the sink reads beyond names, outcomes, times and query counts.
    details: ClassVar[Details] = Details.NONE

    def dispatch_started(self, dispatch: Dispatch) -> None:
        """Called before the first receiver. ``dispatch.calls`` is not final yet."""

    def receiver_entered(self, dispatch: Dispatch, index: int) -> None:
        """Called before receiver number ``index`` runs, and each time it is resumed."""

    def receiver_left(self, dispatch: Dispatch, index: int, call: ReceiverCall | None) -> None:
        """Called when a receiver suspends (``call`` is None) and when it ends (its record)."""

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        """Called when the send has ended, however it ended, before the sender goes on."""
