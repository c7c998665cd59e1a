"""Captures, which keep the dispatches of one context, and all hearers of a dispatch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.dispatch import Signal

from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import sinks
from signal_inspector.core.listening.sinks import NO_SINKS, Observer, Sinks
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.ids import perf_counter_ns, time_ns
from signal_inspector.core.record.values import Details

#: The details that are gathered when a dispatch starts.
_AT_START: Final = (
    Details.CALLER
    | Details.STACK
    | Details.PAYLOAD
    | Details.TRANSACTION
    | Details.NOT_CALLED
    | Details.TRACE
)


class Dispatches(list[Dispatch]):
    """Dispatches in the order they started; ``dropped`` counts those beyond the limit."""

    dropped = 0


class Capture:
    """Keeps the dispatches of one context: of a ``capture()``, or of a request of the toolbar."""

    __slots__ = ("details", "dispatches", "is_open", "limit", "room")

    def __init__(self, details: Details = Details.ALL, limit: int | None = None) -> None:
        self.details = details
        self.limit = get_config().limits.dispatches if limit is None else limit
        self.dispatches = Dispatches()
        self.is_open = False
        self.room = 0  # how many more dispatches it will keep; 0 while closed

    @property
    def dropped(self) -> int:
        """The number of dispatches that were only counted, not kept."""
        return self.dispatches.dropped


class Hearers:
    """The captures of a context and the sinks of the process that hear of a dispatch.

    ``OpenCaptures`` builds this for the sinks that listen now, and reuses it for many dispatches.
    """

    __slots__ = (
        "beginning",
        "closes",
        "details",
        "epoch_ns",
        "for_signals",
        "gathers",
        "hearing",
        "is_choosy",
        "is_exact",
        "leader",
        "object_captures",
        "observes",
        "only",
        "open_captures",
        "prepares",
        "sinks",
        "steps",
        "wants_responses",
        "with_observers",
    )

    def __init__(self, open_captures: tuple[Capture, ...], sinks: Sinks) -> None:
        self.open_captures = open_captures
        self.only = open_captures[0] if len(open_captures) == 1 else None
        self.object_captures = tuple(
            [opened for opened in open_captures if isinstance(opened, ObjectCapture)]
        )
        self.sinks = sinks
        self.with_observers = sinks.with_observers
        self.hearing = sinks.hearing
        self.beginning = sinks.beginning
        #: The hearers of each signal, by its name; None if no sink tells signals apart.
        self.for_signals: dict[str, Hearers] | None = {} if sinks.tell_signals_apart else None
        #: Whether a sink or capture may want to observe a dispatch as it runs.
        self.observes = bool(self.with_observers or self.object_captures)
        #: Whether nothing hears of a dispatch that has no observer.
        self.is_choosy = not open_captures and not self.hearing
        #: The only sink that answers with observers; usually there is just one. It is called
        #: directly, because every dispatch of an idle process calls it.
        self.leader = self.with_observers[0] if len(self.with_observers) == 1 else None
        self.details = sinks.details
        for opened in open_captures:
            self.details |= opened.details
        #: Whether code that a receiver starts elsewhere must be attributed to that receiver.
        self.is_exact = self.details & Details.ALL == Details.ALL
        #: Whether there is work to do before the receivers of our own loop, or between two.
        self.steps = self.observes or self.is_exact
        # Testing a Flag takes longer than everything else that a dispatch tests.
        self.gathers = bool(self.details & _AT_START)
        self.prepares = bool(sinks.all) or self.observes or self.gathers
        self.wants_responses = bool(self.details & Details.RESPONSE)
        self.closes = bool(sinks.all) or self.observes or self.wants_responses
        #: Turns perf_counter_ns() into Unix time, so that most dispatches read one clock less.
        #: With sinks, this object may live as long as the process, so both clocks are read.
        self.epoch_ns = time_ns() - perf_counter_ns()

    def part(self, signal: str) -> Hearers:
        """The hearers of this signal's dispatches; asks each sink which details it reads."""
        return Hearers(self.open_captures, self.sinks.of_signal(signal))

    def narrowed(self, signal: Signal) -> Hearers:
        """The captures that hear of a signal that is not inspected, because they ask for it."""
        asking = tuple([each for each in self.object_captures if each.asks_for(signal)])
        return Hearers(asking, NO_SINKS) if asking else NOBODY

    def is_idle(self) -> bool:
        """Whether, as far as the sinks know now, none of them would answer with an observer."""
        for sink in self.with_observers:
            try:
                if not sink.is_idle():
                    return False
            except Exception as error:
                internal_errors.report(f"{sinks.sink_kind(sink)}.is_idle", error)
                return False  # the sinks that have not failed must be asked for an observer
        return True

    def offer(self, dispatch: Dispatch) -> bool:
        """Let every capture keep a dispatch or count it as dropped; return whether any kept it."""
        kept = False
        for opened in self.open_captures:
            if opened.room:
                opened.room -= 1
                opened.dispatches.append(dispatch)
                kept = True
            elif opened.is_open:
                opened.dispatches.dropped += 1
                internal_errors.drop("dispatches")
        return kept


NOBODY: Final = Hearers((), NO_SINKS)

#: Captures that collect in every context. When they change, the sinks are refreshed.
everywhere: tuple[Capture, ...] = ()


class OpenCaptures:
    """The captures that are open in a context, without the sinks.

    Each dispatch asks the process which sinks also hear: ``hearers`` is the result for the sinks
    of the last dispatch, and stays valid as long as the sinks are the same. A ``suppress()`` sets
    a context apart from the process: there, only captures hear.
    """

    __slots__ = ("__weakref__", "_is_apart", "_own", "hearers")

    def __init__(self, own: tuple[Capture, ...] = (), *, is_apart: bool = False) -> None:
        self._own = own
        self._is_apart = is_apart
        #: The last hearers; ``recorder.begin`` reads them, and calls ``now`` if the sinks changed.
        self.hearers = NOBODY
        if own:
            self.hearers = Hearers(own, NO_SINKS) if is_apart else self._work_out()

    def now(self) -> Hearers:
        """The hearers of a dispatch that is sent now."""
        hearers = self.hearers
        if not self._is_apart and hearers.sinks is not sinks.process:
            self.hearers = hearers = self._work_out()
        return hearers

    def forget(self) -> None:
        """Drop the hearers of the last dispatch."""
        self.hearers = NOBODY

    def _work_out(self) -> Hearers:
        sinks.worked_out[id(self)] = self
        process = sinks.process  # read before `everywhere`, which changes first
        own = [each for each in self._own if each.is_open]
        others = [each for each in everywhere if each not in own]
        return Hearers((*others, *own), process)

    def and_(self, opened: Capture) -> OpenCaptures:
        """These captures and one that is opened, or opened again."""
        others = [each for each in self._own if each is not opened]
        return OpenCaptures((*others, opened), is_apart=self._is_apart)


#: For code that runs in no context of its own.
NO_CAPTURES: Final = OpenCaptures()

#: For code whose dispatches are not recorded.
SUPPRESSED: Final = OpenCaptures(is_apart=True)


def collect_everywhere(captures: tuple[Capture, ...]) -> None:
    """Make these the captures that collect in every context."""
    global everywhere
    everywhere = captures
    sinks.refresh_sinks()


class _Nowhere(Dispatches):
    """Keeps no records: an object capture takes what it wants when its observer is called."""

    def append(self, _dispatch: Dispatch) -> None: ...


class ObjectCapture(Capture):
    """A capture that gets the objects themselves, through the observer that it returns."""

    __slots__ = ()

    def __init__(self, details: Details = Details.NONE) -> None:
        super().__init__(details, limit=sys.maxsize)
        self.dispatches = _Nowhere()

    def asks_for(self, signal: Signal) -> bool:  # noqa: ARG002
        """Whether the capture wants this signal although the settings leave it out."""
        return False

    def observer_for(
        self,
        signal: Signal,  # noqa: ARG002
        sender: Any,  # noqa: ARG002
        named: Mapping[str, Any],  # noqa: ARG002
        receivers: Sequence[Any],  # noqa: ARG002
    ) -> ObjectObserver | None:
        """Return the observer of this dispatch; called before anything is recorded.

        ``receivers`` are the receivers that Django will call, if a sync send calls sync receivers
        alone; otherwise it is empty.
        """
        return None


class ObjectObserver(Observer):
    """Observes one dispatch, with the receivers themselves and what they return.

    All methods are no-ops. They run in the thread of the code that sends.
    """

    by_receiver = False

    def called(self, receivers: Sequence[Any]) -> None:
        """Called when it is known which receivers Django calls, if it was not known before.

        They are in the order of ``dispatch.calls``. For an override that does not call Signal's
        own method, this is after the last receiver.
        """

    def returned(self, index: int, response: Any) -> None:
        """Called with what a receiver returned; for sync receivers, when the send has ended."""

    def withdrawn(self) -> None:
        """Called before ``finished`` if it turned out that there was no dispatch."""
