"""Those who hear of a dispatch: captures, which keep dispatches of one context, and sinks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from django.dispatch import Signal

from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.sinks import Sink
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.ids import perf_counter_ns, time_ns
from signal_inspector.core.record.values import Details

#: What is gathered when a dispatch starts.
_AT_START: Final = (
    Details.CALLER
    | Details.STACK
    | Details.PAYLOAD
    | Details.TRANSACTION
    | Details.NOT_CALLED
    | Details.TRACE
)

#: A receiver, what it returned, and what it raised.
Seen: TypeAlias = tuple[Any, Any, BaseException | None]


class Dispatches(list[Dispatch]):
    """Dispatches in the order they started; ``dropped`` counts those beyond the limit."""

    dropped = 0


class Capture:
    """Keeps the dispatches of one context: a ``capture()``, or a request of the toolbar."""

    __slots__ = ("details", "dispatches", "is_open", "limit", "room")

    def __init__(self, details: Details = Details.ALL, limit: int | None = None) -> None:
        self.details = details
        self.limit = get_config().limits.dispatches if limit is None else limit
        self.dispatches = Dispatches()
        self.is_open = False
        self.room = 0  # how many more are kept; 0 while closed

    @property
    def dropped(self) -> int:
        """Dispatches that were counted, not kept."""
        return self.dispatches.dropped

    def asks_for(self, signal: Signal) -> bool:  # noqa: ARG002
        """Whether it wants this signal although settings leave it out. Others are not asked."""
        return False


class Hearers:
    """The captures and sinks that hear of a dispatch, worked out once for many of them."""

    __slots__ = (
        "__weakref__",
        "beginning",
        "closes",
        "details",
        "epoch_ns",
        "for_signals",
        "gathers",
        "hearing",
        "is_choosy",
        "is_exact",
        "is_special",
        "leader",
        "object_captures",
        "only",
        "open_captures",
        "prepares",
        "sinks",
        "steps",
        "wants_responses",
        "whole",
        "with_observers",
    )

    def __init__(
        self,
        open_captures: tuple[Capture, ...],
        sinks: tuple[Sink, ...],
        whole: Hearers | None = None,
        details: Details = Details.NONE,
    ) -> None:
        #: That of which this one is the part that hears of one signal: what the receivers of that
        #: signal send is of interest to all of it. Or the one that has replaced it (``renew``).
        self.whole = whole
        #: Whether it is such a part, was replaced, or is NOBODY.
        self.is_special = whole is not None
        #: Those parts, by the name of the signal; None where no sink tells signals apart.
        self.for_signals: dict[str, Hearers] | None = None
        if whole is None:
            for sink in sinks:
                details |= sink.details
                if _overrides(sink, "details_for"):
                    self.for_signals = {}
        self.open_captures = open_captures
        self.only = open_captures[0] if len(open_captures) == 1 else None
        self.object_captures = tuple(
            opened for opened in open_captures if isinstance(opened, ObjectCapture)
        )
        self.sinks = sinks
        self.with_observers = tuple(sink for sink in sinks if _overrides(sink, "follow"))
        #: Those that are told of each dispatch as a whole.
        self.hearing = tuple(sink for sink in sinks if _hears_all(sink))
        #: Those of them that want to know when it begins.
        self.beginning = tuple(
            sink for sink in self.hearing if _overrides(sink, "dispatch_started")
        )
        #: Whether a dispatch that has no observer is heard of by nobody.
        self.is_choosy = not open_captures and not self.hearing
        #: The only sink that sends observers, as it mostly is: asked itself, as every dispatch
        #: of an idle process asks.
        self.leader = self.with_observers[0] if len(self.with_observers) == 1 else None
        self.details = details
        for opened in open_captures:
            self.details |= opened.details
        #: Whether code that a receiver has started elsewhere is to be known as that receiver's.
        self.is_exact = self.details & Details.ALL == Details.ALL
        #: Whether something is to be done between two receivers of our own loop.
        self.steps = bool(self.with_observers) or self.is_exact
        # Asking a Flag takes longer than all else that a dispatch asks.
        self.gathers = bool(self.details & _AT_START)
        self.prepares = bool(sinks or self.object_captures) or self.gathers
        self.wants_responses = bool(self.details & Details.RESPONSE)
        self.closes = bool(sinks or self.object_captures) or self.wants_responses
        #: Makes Unix time of perf_counter_ns(): one clock less to read for most dispatches. With
        #: sinks, with which this may live as long as the process, the other is read all the same.
        self.epoch_ns = time_ns() - perf_counter_ns()

    def part(self, signal: str) -> Hearers:
        """Those that hear of the dispatches of this signal; asks each sink what it reads."""
        sinks, details = [], Details.NONE
        for sink in self.sinks:
            try:
                wanted = sink.details_for(signal)
            except Exception as error:
                kind = type(sink)
                internal_errors.report(
                    f"sink {kind.__module__}.{kind.__qualname__}.details_for", error
                )
                wanted = sink.details
            if wanted is not None:
                sinks.append(sink)
                details |= wanted
        return Hearers(self.open_captures, tuple(sinks), self, details)

    def narrowed(self, signal: Signal) -> Hearers:
        """Those that hear of a signal that is not inspected, as they ask for it."""
        asking = tuple(
            object_capture
            for object_capture in self.object_captures
            if object_capture.asks_for(signal)
        )
        return Hearers(asking, (), self) if asking else NOBODY

    def renew(self, fresh: Hearers) -> None:
        """Have the code that these hear be heard by others from now on."""
        self.whole = fresh
        self.is_special = True

    def newest(self) -> Hearers:
        """Those that hear of the next dispatch, whichever part or former one this is."""
        hearers = self
        while hearers.whole is not None:
            hearers = hearers.whole
        return hearers

    def is_idle(self) -> bool:
        """Whether no sink that sends observers would send one, for all it knows now."""
        if len(self.with_observers) == 1:
            return self.with_observers[0].is_idle()
        return all([sink.is_idle() for sink in self.with_observers])  # noqa: C419 - quicker

    def offer(self, dispatch: Dispatch) -> bool:
        """Let every capture keep a dispatch or count it as dropped; whether any kept it."""
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


NOBODY: Final = Hearers((), ())

NOBODY.is_special = True


def _overrides(sink: Sink, method: str) -> bool:
    return getattr(type(sink), method) is not getattr(Sink, method)


def _hears_all(sink: Sink) -> bool:
    heard = _overrides(sink, "dispatch_started") or _overrides(sink, "dispatch_finished")
    return heard or not _overrides(sink, "follow")


class _Nowhere(Dispatches):
    """Keeps no record: an object capture takes what it wants when it is told of it."""

    def append(self, _dispatch: Dispatch) -> None: ...


class ObjectCapture(Capture):
    """A capture that hears of each step of a dispatch with the objects themselves.

    All methods are no-ops. They run in the thread and the context of the code that sends.
    """

    __slots__ = ()

    def __init__(self, details: Details = Details.NONE) -> None:
        super().__init__(details, limit=sys.maxsize)
        self.dispatches = _Nowhere()

    def sent(self, dispatch: Dispatch, signal: Signal, sender: Any, named: dict[str, Any]) -> None:
        """Called before the first receiver."""

    def receivers(self, dispatch: Dispatch, receivers: Sequence[Any]) -> None:
        """Called when it is known whom Django calls, in the order of ``dispatch.calls``.

        Of an override that does not call Signal's own method that is after the last receiver.
        """

    def returned(self, dispatch: Dispatch, index: int, response: Any) -> None:
        """Called with what a receiver returned; of sync ones, when the send has ended."""

    def raised(self, dispatch: Dispatch, index: int, error: BaseException) -> None:
        """Called with what a receiver raised."""

    def withdrawn(self, dispatch: Dispatch) -> None:
        """Called, in place of all but ``sent``, of what turned out to be no dispatch."""


def tell_objects(dispatch: Dispatch, what: str, *args: Any) -> None:
    """Call one method of each object capture of a dispatch."""
    held = None
    for object_capture in dispatch.hearers.object_captures:
        try:
            getattr(object_capture, what)(dispatch, *args)
        except BaseException as error:
            held = internal_errors.hold("keeping what a test captures", error, held)
    internal_errors.resume(held)


def tell_responses(dispatch: Dispatch, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Tell what the receivers of our own loop returned; what they raised has been told."""
    raised = dispatch.raised or {}
    for index, (_, response) in enumerate(pairs):
        if index not in raised:
            tell_objects(dispatch, "returned", index, response)


def from_outside(dispatch: Dispatch, seen: Sequence[Seen]) -> None:
    """Tell of the receiver calls that were read off what an override returned or raised."""
    tell_objects(dispatch, "receivers", [receiver for receiver, _, _ in seen])
    for index, (_, response, error) in enumerate(seen):
        if error is None:
            tell_objects(dispatch, "returned", index, response)
        else:
            tell_objects(dispatch, "raised", index, error)
