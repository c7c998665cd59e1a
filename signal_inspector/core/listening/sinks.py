"""Who hears of every dispatch of the process, and the contract with those who do.

A ``Sink`` hears of dispatches as a whole; one that must hear of each receiver as it runs answers
with an ``Observer`` for that dispatch. This module owns the sinks that listen: everybody else
asks it at each dispatch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final, Protocol, TypeVar
from weakref import WeakValueDictionary

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from signal_inspector.core import forks, internal_errors
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Details, SendMethod

C = TypeVar("C")

_SINKS = 'SIGNAL_INSPECTOR["SINKS"]'


class Observer:
    """Observes one dispatch, receiver by receiver: what ``Sink.observer_for`` answers.

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

        That is where nobody else observes by receiver and our own loop runs sync ones: quicker.
        """

    def finished(self, error: BaseException | None) -> None:
        """Called when the send has ended, with what it raised to the sender.

        A receiver may end later: Django 5.2 and 6.0 leave the siblings of a failure running.
        Without ``started`` before it there is nothing to tell: it turned out to be no dispatch, or
        it failed before its receivers were known.
        """


class Sink:
    """Base class of everything that listens to dispatches. All methods are no-ops.

    A sink named in ``SIGNAL_INSPECTOR["SINKS"]`` is instantiated once per process, without
    arguments, and hears of every inspected dispatch of that process, from any thread. What it
    raises is logged once, counted, and never reaches the code that sent the signal.

    Most sinks override ``dispatch_finished`` alone. One that wants to hear of each receiver as
    it runs overrides ``observer_for``.
    """

    #: Whether, named by settings, it is heard in place of one of its base class that code adds.
    stands_for_its_bases: ClassVar[bool] = False

    #: What the sink reads beyond names, outcomes, times and query counts.
    details: Details = Details.NONE

    def details_for(self, signal: str) -> Details | None:  # noqa: ARG002
        """What it reads of the dispatches of this signal; None: it is not to hear of them.

        Asked, if overridden, once for each signal, by name. ``details`` has to name all that any
        answer does. A sink whose answers change calls ``sinks.refresh_sinks``.
        """
        return self.details

    def is_idle(self) -> bool:
        """Asked before everything else: whether ``observer_for`` would answer None."""
        return False

    def observer_for(
        self,
        signal: str,  # noqa: ARG002
        sender: str,  # noqa: ARG002
        method: SendMethod,  # noqa: ARG002
        receivers: int | None,  # noqa: ARG002
    ) -> Observer | None:
        """Called before anything is recorded, so it must be quick: who observes this dispatch.

        Signal and sender are names; ``receivers`` is their number where that is known. Where
        every sink that listens is one that overrides this method and not the two below, and all
        of them answer None, the dispatch costs nothing more.
        """
        return None

    def dispatch_started(self, dispatch: Dispatch) -> None:
        """Called before the first receiver. ``dispatch.calls`` is not final yet."""

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        """Called when the send has ended, however it ended, before the sender goes on."""


class Sinks:
    """Sinks that listen, and what they override: worked out once for many dispatches."""

    __slots__ = ("all", "beginning", "details", "hearing", "tell_signals_apart", "with_observers")

    def __init__(self, sinks: tuple[Sink, ...], details: Details | None = None) -> None:
        self.all = sinks
        #: Those that may answer with an observer.
        self.with_observers = tuple([sink for sink in sinks if _observes(sink)])
        #: Those that are told of each dispatch as a whole.
        self.hearing = tuple([sink for sink in sinks if _hears_all(sink)])
        #: Those of them that want to know when it begins.
        self.beginning = tuple([sink for sink in self.hearing if _hears_start(sink)])
        #: Whether what they read depends on the signal; those of one signal have been asked.
        self.tell_signals_apart = details is None and any(
            type(sink).details_for is not Sink.details_for for sink in sinks
        )
        if details is None:
            details = Details.NONE
            for sink in sinks:
                details |= sink.details
        self.details = details

    def of_signal(self, signal: str) -> Sinks:
        """Those that hear of the dispatches of this signal; asks each of them what it reads."""
        sinks, details = [], Details.NONE
        for sink in self.all:
            try:
                wanted = sink.details_for(signal)
            except Exception as error:
                internal_errors.report(f"{sink_kind(sink)}.details_for", error)
                wanted = sink.details
            if wanted is not None:
                sinks.append(sink)
                details |= wanted
        return Sinks(tuple(sinks), details)


NO_SINKS: Final = Sinks(())

#: One entry per open capture and one while the process has sinks: empty means that no dispatch
#: anywhere in the process is listened to, which is all the instrument has to ask when idle.
hearing: Final[list[object]] = []


class WorkedOut(Protocol):
    """What was worked out for the sinks of the process, and is worth nothing when they change."""

    def forget(self) -> None: ...


#: By their ids. They ask ``process`` themselves; this is for letting go of former sinks at once.
worked_out: Final[WeakValueDictionary[int, WorkedOut]] = WeakValueDictionary()

#: The sinks of the process. Replaced as a whole, never changed: who has worked out something for
#: these has to do so anew when they are others.
process: Sinks = NO_SINKS

_named: tuple[Sink, ...] = ()
_added: tuple[Sink, ...] = ()
_lock = forks.lock()

#: The methods of a sink that a project may override, and that may fail.
_OF_A_SINK: Final = ("observer_for", "dispatch_started", "dispatch_finished")


def _observes(sink: Sink) -> bool:
    return type(sink).observer_for is not Sink.observer_for


def _hears_start(sink: Sink) -> bool:
    return type(sink).dispatch_started is not Sink.dispatch_started


def _hears_all(sink: Sink) -> bool:
    hears_end = type(sink).dispatch_finished is not Sink.dispatch_finished
    return hears_end or _hears_start(sink) or not _observes(sink)


def sink_kind(who: Sink | Observer) -> str:
    """What failures of a sink, or of an observer of one, are counted by."""
    return f"sink {type(who).__module__}.{type(who).__qualname__}"


def process_sinks() -> tuple[Sink, ...]:
    """The sinks that hear of the next dispatch, wherever it is sent."""
    return process.all


def use_sinks(sinks: tuple[Sink, ...]) -> None:
    """Make these the sinks of the process that settings name, in place of those before."""
    global _named
    _named = sinks
    refresh_sinks()


def add_sink(sink: Sink) -> None:
    """Let a sink listen until it is removed, whatever the settings name.

    One of the same class that the settings name is set aside meanwhile: nothing is heard twice.
    One of a subclass of it is heard in its place, if it stands for its bases.
    """
    global _added
    with _lock:
        _added = (*_added, sink)
        refresh_sinks()


def remove_sink(sink: Sink) -> None:
    """Undo ``add_sink``."""
    global _added
    with _lock:
        _added = tuple(each for each in _added if each is not sink)
        refresh_sinks()


def refresh_sinks() -> None:
    """Look anew at what the sinks of the process override, and which details they read."""
    global process
    with _lock:  # sinks that look anew in two threads at once would take the same one out
        classes = {type(sink) for sink in _added}
        named = [sink for sink in _named if type(sink) not in classes]
        special = [sink for sink in named if sink.stands_for_its_bases]
        added = [sink for sink in _added if not any(isinstance(s, type(sink)) for s in special)]
        sinks = (*added, *named)
        had, process = process, Sinks(sinks)
        if sinks:
            hearing.append(process)
        if had.all:
            hearing.remove(had)
        for reference in worked_out.valuerefs():
            known = reference()
            if known is not None:
                known.forget()
    for sink in sinks:
        kind = sink_kind(sink)
        internal_errors.announce(failures=[f"{kind}.{method}" for method in _OF_A_SINK])


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
