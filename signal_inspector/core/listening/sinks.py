"""The contract between the recorder and whoever wants its records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from signal_inspector.core import internal_errors
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Details, SendMethod

C = TypeVar("C")

_SINKS = 'SIGNAL_INSPECTOR["SINKS"]'


class Observer:
    """Follows one dispatch for a sink, receiver by receiver: what ``Sink.follow`` answers.

    Its methods run in the thread and the context of the code they speak of, so an observer may
    keep context variables set from ``entered`` to ``left``, and no longer: an async receiver
    that suspends is left, and entered again when it goes on. All methods are no-ops.
    """

    #: Whether a record is to be made for it. Without one, and where nobody else wants one, a
    #: sync send to sync receivers calls ``entered(None)`` and ``left(None, True)`` alone.
    needs_record: bool = True
    #: Whether such a send, where it is recorded, is to tell of each receiver too.
    by_receiver: bool = True

    dispatch: Dispatch  # from ``started`` on

    def started(self, dispatch: Dispatch) -> None:
        """Called before the first receiver. The dispatch is not complete yet."""
        self.dispatch = dispatch

    def entered(self, index: int | None) -> None:
        """Called when the code of receiver number ``index`` is about to run, or to go on.

        None stands for the code of the send itself, all receivers included. That is told where
        it runs in one go (a sync send to sync receivers) and of overrides of Signal's methods.
        """

    def left(self, index: int | None, ended: bool) -> None:
        """Called when that code has suspended or ended; ``dispatch.end_of(index)`` says how."""

    def raised(self, index: int, error: BaseException) -> None:
        """Called when that code has ended by an exception, while it still counts as entered.

        Nobody is to keep the exception: it keeps frames alive, and what stands in them.
        """

    def stepped(self, index: int, is_last: bool) -> None:
        """Called, if overridden, in place of ``left(index, True)`` and ``entered(index + 1)``.

        That is where nobody else follows by receiver and our own loop runs sync ones: quicker.
        """

    def finished(self, error: BaseException | None) -> None:
        """Called when the send has ended, with what it raised to the sender.

        A receiver may end later: Django 5.2 and 6.0 leave the siblings of a failure running.
        """


class Sink:
    """Base class of everything that listens to dispatches. All methods are no-ops.

    A sink named in ``SIGNAL_INSPECTOR["SINKS"]`` is instantiated once per process, without
    arguments, and hears of every inspected dispatch of that process, from any thread. What it
    raises is logged once, counted, and never reaches the code that sent the signal.

    Most sinks override ``dispatch_finished`` alone. One that wants to hear of each receiver as
    it runs overrides ``follow``.
    """

    #: Whether, named by settings, it is heard in place of one of its base class that code adds.
    stands_for_its_bases: ClassVar[bool] = False

    #: What the sink reads beyond names, outcomes, times and query counts.
    details: Details = Details.NONE

    def details_for(self, signal: str) -> Details | None:  # noqa: ARG002
        """What it reads of the dispatches of this signal; None: it is not to hear of them.

        Asked, if overridden, once for each signal, by name. ``details`` has to name all that any
        answer does. A sink whose answers change calls ``context.refresh_sinks``.
        """
        return self.details

    def is_idle(self) -> bool:
        """Asked before everything else: whether ``follow`` would answer None whatever is sent."""
        return False

    def follow(
        self,
        signal: str,  # noqa: ARG002
        sender: str,  # noqa: ARG002
        method: SendMethod,  # noqa: ARG002
        receivers: int | None,  # noqa: ARG002
    ) -> Observer | None:
        """Called before anything is recorded, so it must be quick: who follows this dispatch.

        Signal and sender are names; ``receivers`` is their number where that is known. Where
        every sink that listens is one that overrides this method and not the two below, and all
        of them answer None, the dispatch costs nothing more.
        """
        return None

    def dispatch_started(self, dispatch: Dispatch) -> None:
        """Called before the first receiver. ``dispatch.calls`` is not final yet."""

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        """Called when the send has ended, however it ended, before the sender goes on."""


def load_sinks(paths: Iterable[str]) -> list[Sink]:
    """One instance of each sink class; ImproperlyConfigured says which path fails, and why."""
    return [_load_sink(path) for path in paths]


def _load_sink(path: str) -> Sink:
    sink_class = import_subclass(path, Sink, "signal_inspector.Sink", _SINKS)
    try:
        return sink_class()
    except Exception as error:
        internal_errors.let_through(error)
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} could not be made without arguments: {_cause(error)}"
        ) from error


def import_subclass(path: str, base: type[C], base_path: str, setting: str = "") -> type[C]:
    """The class at a dotted path; ImproperlyConfigured says why it is none, or not of ``base``.

    ``base_path`` is where a project imports ``base`` from, ``setting`` what the path stands in.
    """
    named = f"{setting}: {path!r}" if setting else repr(path)
    try:
        found = import_string(path)
    except Exception as error:  # a module may raise anything while it is imported
        internal_errors.let_through(error)
        raise ImproperlyConfigured(f"{named} cannot be imported: {_cause(error)}") from error
    if not isinstance(found, type) or not issubclass(found, base):
        raise ImproperlyConfigured(f"{named} is not a subclass of {base_path}.")
    return found


def _cause(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
