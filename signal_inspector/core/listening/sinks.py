"""The sinks, which hear of every dispatch of the process, and the contract with them.

A ``Sink`` hears of dispatches as a whole. A sink that must follow each receiver as it runs
returns an ``Observer`` for that dispatch. This module owns the sinks that listen: all other code
asks it at each dispatch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final, Protocol
from weakref import WeakValueDictionary

from django.core.exceptions import ImproperlyConfigured

from signal_inspector.conf import import_subclass
from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Details, SendMethod

_SINKS = 'SIGNAL_INSPECTOR["SINKS"]'


class Observer:
    """Observes one dispatch, receiver by receiver; ``Sink.observer_for`` returns it.

    Its methods run in the thread and the context of the code that they are about. An observer may
    therefore keep context variables set from ``entered`` to ``left``, and no longer: an async
    receiver is left when it suspends, and entered again when it resumes. All methods are no-ops.
    """

    #: Whether the observer needs a record of the dispatch. If it does not, and nothing else
    #: wants one, a sync send to sync receivers only calls ``entered(None)`` and
    #: ``left(None, True)``.
    needs_record: bool = True
    #: Whether a recorded sync send to sync receivers reports each receiver to the observer too.
    by_receiver: bool = True

    dispatch: Dispatch  # from ``started`` on

    def started(self, dispatch: Dispatch) -> None:
        """Called before the first receiver. The dispatch is not complete yet."""
        self.dispatch = dispatch

    def entered(self, index: int | None) -> None:
        """Called when the code of receiver number ``index`` is about to run, or to resume.

        None stands for the code of the send itself, all receivers included. It is passed for a
        sync send to sync receivers, which runs in one go, and for overrides of Signal's methods.
        """

    def left(self, index: int | None, ended: bool) -> None:
        """Called when that code has suspended or ended; ``dispatch.end_of(index)`` says how."""

    def raised(self, index: int, error: BaseException) -> None:
        """Called when that code has ended with an exception, while it still counts as entered.

        Do not keep the exception: it keeps frames and their local variables alive.
        """

    def stepped(self, index: int, is_last: bool) -> None:
        """Called, if overridden, in place of ``left(index, True)`` and ``entered(index + 1)``.

        This saves time. It is used when this is the only observer by receiver and the receivers
        are sync ones that run in Signal Inspector's own loop.
        """

    def finished(self, error: BaseException | None) -> None:
        """Called when the send has ended, with the exception that it raised to the sender, if any.

        A receiver may end later: Django 5.2 and 6.0 leave the siblings of a failure running.
        If ``started`` was not called before, there is nothing to report: it turned out that there
        was no dispatch, or the send failed before its receivers were known.
        """


class Sink:
    """Base class of everything that listens to dispatches. All methods are no-ops.

    A sink named in ``SIGNAL_INSPECTOR["SINKS"]`` is instantiated once per process, without
    arguments, and hears of every inspected dispatch of that process, from any thread. An
    exception that it raises is logged once, counted, and never reaches the code that sent the
    signal.

    Most sinks override only ``dispatch_finished``. A sink that needs to follow each receiver as
    it runs overrides ``observer_for``.
    """

    #: Whether this sink, if the settings name it, replaces a sink of a base class that is added
    #: in code.
    stands_for_its_bases: ClassVar[bool] = False

    #: The details that the sink reads beyond names, outcomes, times and query counts.
    details: Details = Details.NONE

    def details_for(self, signal: str) -> Details | None:  # noqa: ARG002
        """Return the details to read for this signal's dispatches; None not to hear of them.

        If overridden, called once for each signal, with its name. ``details`` must include
        everything that any answer includes. Call ``sinks.refresh_sinks`` when the answers change.
        """
        return self.details

    def is_idle(self) -> bool:
        """Whether ``observer_for`` would return None; asked before everything else."""
        return False

    def observer_for(
        self,
        signal: str,  # noqa: ARG002
        sender: str,  # noqa: ARG002
        method: SendMethod,  # noqa: ARG002
        receivers: int | None,  # noqa: ARG002
    ) -> Observer | None:
        """Return an observer of this dispatch, or None. Called for every dispatch; must be quick.

        It is called before anything is recorded. ``signal`` and ``sender`` are names;
        ``receivers`` is the number of receivers, if it is known. If all sinks that listen
        override this method and neither of the two below, and all return None, the dispatch
        costs nothing more.
        """
        return None

    def dispatch_started(self, dispatch: Dispatch) -> None:
        """Called before the first receiver. ``dispatch.calls`` is not final yet."""

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        """Called when the send has ended, however it ended, before the sender goes on."""


class Sinks:
    """The sinks that listen, and what they override; worked out once for many dispatches."""

    __slots__ = ("all", "beginning", "details", "hearing", "tell_signals_apart", "with_observers")

    def __init__(self, sinks: tuple[Sink, ...], details: Details | None = None) -> None:
        self.all = sinks
        #: The sinks that may answer with an observer.
        self.with_observers = tuple([sink for sink in sinks if _observes(sink)])
        #: The sinks that hear of each dispatch as a whole.
        self.hearing = tuple([sink for sink in sinks if _hears_all(sink)])
        #: Those of ``hearing`` that also hear when a dispatch starts.
        self.beginning = tuple([sink for sink in self.hearing if _hears_start(sink)])
        #: Whether the details that they read depend on the signal. False for the sinks of one
        #: signal, which have been asked.
        self.tell_signals_apart = details is None and any(
            type(sink).details_for is not Sink.details_for for sink in sinks
        )
        if details is None:
            details = Details.NONE
            for sink in sinks:
                details |= sink.details
        self.details = details

    def of_signal(self, signal: str) -> Sinks:
        """The sinks that hear of this signal's dispatches; asks each which details it reads."""
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

#: One entry per open capture, and one while the process has sinks. If it is empty, nothing
#: listens anywhere in the process; an idle instrument has to test nothing else.
hearing: Final[list[object]] = []


class WorkedOut(Protocol):
    """Something worked out for the sinks of the process, which is stale when they change."""

    def forget(self) -> None: ...


#: By id. Each compares its sinks with ``process`` itself; this is here so that replaced sinks
#: are released at once.
worked_out: Final[WeakValueDictionary[int, WorkedOut]] = WeakValueDictionary()

#: The sinks of the process. Replaced as a whole, never changed, so that code that worked out
#: something for them sees when it has to do so again.
process: Sinks = NO_SINKS

_named: tuple[Sink, ...] = ()
_added: tuple[Sink, ...] = ()
_lock = process_state.lock()

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
    """The kind under which failures of a sink, or of a sink's observer, are counted."""
    return f"sink {type(who).__module__}.{type(who).__qualname__}"


def process_sinks() -> tuple[Sink, ...]:
    """The sinks that hear of the next dispatch, wherever it is sent."""
    return process.all


def use_sinks(sinks: tuple[Sink, ...]) -> None:
    """Make these the sinks that the settings name, in place of the previous ones."""
    global _named
    _named = sinks
    refresh_sinks()


def add_sink(sink: Sink) -> None:
    """Let a sink listen until it is removed, no matter what the settings name.

    Meanwhile, a sink of the same class that the settings name is set aside, so that nothing is
    heard twice. If the settings name a sink of a subclass that stands for its bases, that one is
    heard instead of the added sink.
    """
    global _added
    with _lock:
        _added = (*_added, sink)
        refresh_sinks()


def remove_sink(sink: Sink) -> None:
    """Undo ``add_sink``, however often it was called with this sink."""
    global _added
    with _lock:
        _added = tuple(each for each in _added if each is not sink)
        refresh_sinks()


def refresh_sinks() -> None:
    """Work out again what the sinks of the process override, and which details they read."""
    global process
    with _lock:  # two threads that did this at once would both remove the same sinks
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
    """One instance of each sink class; ImproperlyConfigured says which path failed, and why."""
    return [_load_sink(path) for path in paths]


def _load_sink(path: str) -> Sink:
    sink_class = import_subclass(path, Sink, "signal_inspector.Sink", _SINKS)
    try:
        return sink_class()
    except Exception as error:
        internal_errors.let_through(error)
        raise ImproperlyConfigured(
            f"{_SINKS}: {path!r} could not be created without arguments: "
            f"{type(error).__name__}: {error}"
        ) from error
