"""Those who hear of a dispatch: collectors, which keep dispatches of one context, and sinks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from django.dispatch import Signal

from signal_inspector import trouble
from signal_inspector.conf import get_config
from signal_inspector.dispatches import Dispatch
from signal_inspector.ids import perf_counter_ns, time_ns
from signal_inspector.records import Details
from signal_inspector.sinks import Sink

if TYPE_CHECKING:
    from signal_inspector.keeping import Keeper


class Dispatches(list[Dispatch]):
    """Dispatches in the order they started; ``dropped`` counts those beyond the limit."""

    dropped = 0


class Collector:
    """Keeps the dispatches of one context: a ``capture()``, or a request of the toolbar."""

    #: Whether it is a ``keeping.Keeper``, which is given the objects of a dispatch too.
    keeps: ClassVar[bool] = False

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
        """Whether it wants this signal although settings leave it out. Keepers are asked alone."""
        return False


#: What is gathered when a dispatch starts.
_AT_START: Final = (
    Details.CALLER
    | Details.STACK
    | Details.PAYLOAD
    | Details.TRANSACTION
    | Details.NOT_CALLED
    | Details.TRACE
)


class Audience:
    """The collectors and sinks that hear of a dispatch, worked out once for many of them."""

    __slots__ = (
        "__weakref__",
        "beginning",
        "closes",
        "collectors",
        "details",
        "epoch_ns",
        "for_signals",
        "gathers",
        "hearing",
        "is_choosy",
        "is_exact",
        "is_special",
        "keepers",
        "leader",
        "only",
        "prepares",
        "sinks",
        "steps",
        "wants_responses",
        "whole",
        "with_followers",
    )

    def __init__(
        self,
        collectors: tuple[Collector, ...],
        sinks: tuple[Sink, ...],
        whole: Audience | None = None,
        details: Details = Details.NONE,
    ) -> None:
        #: That of which this one is the part that hears of one signal: what the receivers of that
        #: signal send is of interest to all of it. Or the one that has replaced it (``renew``).
        self.whole = whole
        #: Whether it is such a part, was replaced, or is NOBODY.
        self.is_special = whole is not None
        #: Those parts, by the name of the signal; None where no sink tells signals apart.
        self.for_signals: dict[str, Audience] | None = None
        if whole is None:
            for sink in sinks:
                details |= sink.details
                if _overrides(sink, "details_for"):
                    self.for_signals = {}
        self.collectors = collectors
        self.only = collectors[0] if len(collectors) == 1 else None
        self.keepers: tuple[Keeper, ...] = tuple(
            collector  # type: ignore[misc]
            for collector in collectors
            if collector.keeps
        )
        self.sinks = sinks
        self.with_followers = tuple(sink for sink in sinks if _overrides(sink, "follow"))
        #: Those that are told of each dispatch as a whole.
        self.hearing = tuple(sink for sink in sinks if _hears_all(sink))
        #: Those of them that want to know when it begins.
        self.beginning = tuple(
            sink for sink in self.hearing if _overrides(sink, "dispatch_started")
        )
        #: Whether a dispatch that has no follower is heard of by nobody.
        self.is_choosy = not collectors and not self.hearing
        #: The only sink that sends followers, as it mostly is: asked itself, as every dispatch
        #: of an idle process asks.
        self.leader = self.with_followers[0] if len(self.with_followers) == 1 else None
        self.details = details
        for collector in collectors:
            self.details |= collector.details
        #: Whether code that a receiver has started elsewhere is to be known as that receiver's.
        self.is_exact = self.details & Details.ALL == Details.ALL
        #: Whether something is to be done between two receivers of our own loop.
        self.steps = bool(self.with_followers) or self.is_exact
        # Asking a Flag takes longer than all else that a dispatch asks.
        self.gathers = bool(self.details & _AT_START)
        self.prepares = bool(sinks or self.keepers) or self.gathers
        self.wants_responses = bool(self.details & Details.RESPONSE)
        self.closes = bool(sinks or self.keepers) or self.wants_responses
        #: Makes Unix time of perf_counter_ns(): one clock less to read for most dispatches. With
        #: sinks, whose audience may live as long as the process, the other is read all the same.
        self.epoch_ns = time_ns() - perf_counter_ns()

    def part(self, signal: str) -> Audience:
        """Those that hear of the dispatches of this signal; asks each sink what it reads."""
        sinks, details = [], Details.NONE
        for sink in self.sinks:
            try:
                wanted = sink.details_for(signal)
            except Exception as error:
                kind = type(sink)
                trouble.report(f"sink {kind.__module__}.{kind.__qualname__}.details_for", error)
                wanted = sink.details
            if wanted is not None:
                sinks.append(sink)
                details |= wanted
        return Audience(self.collectors, tuple(sinks), self, details)

    def narrowed(self, signal: Signal) -> Audience:
        """Those that hear of a signal that is not inspected: the keepers that ask for it."""
        asking = tuple(keeper for keeper in self.keepers if keeper.asks_for(signal))
        return Audience(asking, (), self) if asking else NOBODY

    def renew(self, fresh: Audience) -> None:
        """Have the code that runs with this audience be heard by another one from now on."""
        self.whole = fresh
        self.is_special = True

    def newest(self) -> Audience:
        """Those that hear of the next dispatch, whichever part or former one this is."""
        audience = self
        while audience.whole is not None:
            audience = audience.whole
        return audience

    def is_idle(self) -> bool:
        """Whether no sink that sends followers would send one, for all it knows now."""
        if len(self.with_followers) == 1:
            return self.with_followers[0].is_idle()
        return all([sink.is_idle() for sink in self.with_followers])  # noqa: C419 - quicker

    def offer(self, dispatch: Dispatch) -> bool:
        """Let every collector keep a dispatch or count it as dropped; whether any kept it."""
        kept = False
        for collector in self.collectors:
            if collector.room:
                collector.room -= 1
                collector.dispatches.append(dispatch)
                kept = True
            elif collector.is_open:
                collector.dispatches.dropped += 1
                trouble.drop("dispatches")
        return kept


NOBODY: Final = Audience((), ())
NOBODY.is_special = True


def _overrides(sink: Sink, method: str) -> bool:
    return getattr(type(sink), method) is not getattr(Sink, method)


def _hears_all(sink: Sink) -> bool:
    heard = _overrides(sink, "dispatch_started") or _overrides(sink, "dispatch_finished")
    return heard or not _overrides(sink, "follow")
