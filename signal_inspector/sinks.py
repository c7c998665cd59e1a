"""The contract between the recorder and whoever wants its records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Details, ReceiverCall

_SINKS = 'SIGNAL_INSPECTOR["SINKS"]'


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


def load_sinks(paths: Iterable[str]) -> list[Sink]:
    """One instance of each sink class; ImproperlyConfigured says which path fails, and why."""
    return [_load_sink(path) for path in paths]


def _load_sink(path: str) -> Sink:
    sink_class = _sink_class(path)
    try:
        return sink_class()
    except Exception as error:
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} could not be made without arguments: {_cause(error)}"
        ) from error


def _sink_class(path: str) -> type[Sink]:
    try:
        found = import_string(path)
    except Exception as error:  # a module may raise anything while it is imported
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} cannot be imported: {_cause(error)}"
        ) from error
    if not isinstance(found, type) or not issubclass(found, Sink):
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} is not a subclass of signal_inspector.Sink."
        )
    return found


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
