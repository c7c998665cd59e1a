"""Who listens to the dispatches of a context: collectors of this context, sinks of the process."""

from __future__ import annotations

from contextvars import ContextVar
from time import perf_counter_ns, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Final

from django.dispatch import Signal

from signal_inspector import trouble
from signal_inspector.conf import get_config
from signal_inspector.dispatches import Dispatch
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
    Details.CALLER | Details.STACK | Details.PAYLOAD | Details.TRANSACTION | Details.NOT_CALLED
)


class Audience:
    """The collectors and sinks that hear of a dispatch, worked out once for many of them."""

    __slots__ = (
        "around",
        "closes",
        "collectors",
        "details",
        "epoch_ns",
        "gathers",
        "hearing",
        "is_choosy",
        "is_special",
        "keepers",
        "leader",
        "only",
        "prepares",
        "sinks",
        "wants_responses",
        "with_followers",
    )

    def __init__(self, collectors: tuple[Collector, ...], sinks: tuple[Sink, ...]) -> None:
        self.collectors = collectors
        self.only = collectors[0] if len(collectors) == 1 else None
        self.keepers: tuple[Keeper, ...] = tuple(
            collector  # type: ignore[misc]
            for collector in collectors
            if collector.keeps
        )
        #: Whether it is NOBODY, or one that ``narrowed`` made.
        self.is_special = False
        #: Who hears of what is sent inside, where that is another audience (see ``narrowed``).
        self.around: Audience | None = None
        self.sinks = sinks
        self.with_followers = tuple(sink for sink in sinks if _overrides(sink, "follow"))
        #: Those that are told of each dispatch as a whole.
        self.hearing = tuple(sink for sink in sinks if _hears_all(sink))
        #: Whether a dispatch that has no follower is heard of by nobody.
        self.is_choosy = not collectors and not self.hearing
        #: The only sink that sends followers, as it mostly is: asked itself, as every dispatch
        #: of an idle process asks.
        self.leader = self.with_followers[0] if len(self.with_followers) == 1 else None
        self.details = Details.NONE
        for collector in collectors:
            self.details |= collector.details
        for sink in sinks:
            self.details |= sink.details
        # Asking a Flag takes longer than all else that a dispatch asks.
        self.gathers = bool(self.details & _AT_START)
        self.prepares = bool(sinks or self.keepers) or self.gathers
        self.wants_responses = bool(self.details & Details.RESPONSE)
        self.closes = bool(sinks or self.keepers) or self.wants_responses
        #: Makes Unix time of perf_counter_ns(): one clock less to read for most dispatches. With
        #: sinks, whose audience may live as long as the process, the other is read all the same.
        self.epoch_ns = time_ns() - perf_counter_ns()

    def is_idle(self) -> bool:
        """Whether no sink that sends followers would send one, for all it knows now."""
        if len(self.with_followers) == 1:
            return self.with_followers[0].is_idle()
        return all([sink.is_idle() for sink in self.with_followers])  # noqa: C419 - quicker

    def narrowed(self, signal: Signal) -> Audience:
        """Who hears of a signal that is not inspected: the keepers that have asked for it.

        Whatever its receivers send has this audience again.
        """
        asking = tuple(keeper for keeper in self.keepers if keeper.asks_for(signal))
        if not asking:
            return NOBODY
        audience = Audience(asking, ())
        audience.is_special, audience.around = True, self
        return audience

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


def _overrides(sink: Sink, method: str) -> bool:
    return getattr(type(sink), method) is not getattr(Sink, method)


def _hears_all(sink: Sink) -> bool:
    heard = _overrides(sink, "dispatch_started") or _overrides(sink, "dispatch_finished")
    return heard or not _overrides(sink, "follow")


class Scope:
    """What the code of one context is running in: its audience, and the receiver call if any."""

    __slots__ = ("audience", "dispatch", "index", "offers", "outer")

    def __init__(
        self,
        audience: Audience,
        dispatch: Dispatch | None = None,
        index: int | None = None,
        outer: Scope | Dispatch | None = None,
        offers: Signal | None = None,
    ) -> None:
        self.audience = audience
        self.dispatch = dispatch
        self.index = index
        self.outer = outer
        #: The signal whose overriding send() opened `dispatch`, until Signal.send() adopts it.
        self.offers = offers

    def adopt(self) -> Dispatch | None:
        """The dispatch on offer, which is then no longer on offer."""
        self.offers = None
        if self.dispatch is not None:
            # What the override did until now is no receiver's time.
            self.dispatch.marks[0] = perf_counter_ns()
        return self.dispatch


class CollectorScope(Scope):
    """The scope that opening a collector makes; it is over when that collector is closed."""

    __slots__ = ("collector",)

    def __init__(self, collector: Collector, outer: Scope | Dispatch | None) -> None:
        before = _process if outer is None else outer.audience
        before = before.around or before
        others = tuple(each for each in before.collectors if each is not collector)
        dispatch, index = running_call()
        super().__init__(Audience((*others, collector), before.sinks), dispatch, index, outer)
        self.collector = collector


NOBODY: Final = Audience((), ())
NOBODY.is_special = True

#: What sinks run in: what they send is not recorded, nor their queries.
SILENCE: Final = Scope(NOBODY)

#: A ``Dispatch`` stands here itself while it runs the fast way: one object less to make.
current: ContextVar[Scope | Dispatch | None] = ContextVar("signal_inspector", default=None)

#: One entry per open collector and one while sinks are configured: empty means that no dispatch
#: anywhere in the process is listened to, which is all the instrument has to ask when idle.
ears: list[object] = []

_process: Audience = NOBODY
_named: tuple[Sink, ...] = ()
_added: tuple[Sink, ...] = ()
_collecting: tuple[Collector, ...] = ()


def process_audience() -> Audience:
    """Who listens to the whole process, for code that runs in no scope of its own."""
    return _process


def running_call() -> tuple[Dispatch | None, int | None]:
    """The dispatch, and the index of the receiver call, that the current code runs in."""
    scope = current.get()
    return (None, None) if scope is None else (scope.dispatch, scope.index)


def use_sinks(sinks: tuple[Sink, ...]) -> None:
    """Make these the sinks of the process that settings name, in place of those before."""
    global _named
    _named = sinks
    refresh_sinks()


def add_sink(sink: Sink) -> None:
    """Let a sink listen until it is removed, whatever the settings name.

    One of the same class that the settings name is set aside meanwhile: nothing is heard twice.
    """
    global _added
    _added = (*_added, sink)
    refresh_sinks()


def remove_sink(sink: Sink) -> None:
    """Undo ``add_sink``."""
    global _added
    _added = tuple(each for each in _added if each is not sink)
    refresh_sinks()


def refresh_sinks() -> None:
    """Look anew at what the sinks of the process override, and which details they read."""
    global _process
    classes = {type(sink) for sink in _added}
    sinks = (*_added, *(sink for sink in _named if type(sink) not in classes))
    listened = bool(sinks or _collecting)
    had, _process = _process, Audience(_collecting, sinks) if listened else NOBODY
    if had is not NOBODY:
        ears.remove(had)
    if _process is not NOBODY:
        ears.append(_process)


def open_collector(collector: Collector) -> None:
    """Collect the dispatches of this context, and of contexts copied from it, until closed.

    Keeps no Token, so it may be closed in another context than the one it was opened in.
    """
    scope = CollectorScope(collector, _open_scope())
    _start_collecting(collector)
    current.set(scope)


def collect_everywhere(collector: Collector) -> None:
    """Collect the dispatches of all code that runs in no scope of its own too, until closed."""
    global _collecting
    _start_collecting(collector)
    _collecting = (*_collecting, collector)
    refresh_sinks()


def _start_collecting(collector: Collector) -> None:
    if not collector.is_open:
        collector.is_open = True
        ears.append(collector)
    collector.room = max(collector.limit - len(collector.dispatches), 0)


def close_collector(collector: Collector) -> None:
    """Stop collecting. Closing twice, or in a context that never opened it, is harmless."""
    global _collecting
    if collector.is_open:
        collector.is_open = False
        collector.room = 0
        ears.remove(collector)
    if collector in _collecting:
        _collecting = tuple(each for each in _collecting if each is not collector)
        refresh_sinks()
    scope = _open_scope()
    if scope is not current.get():
        current.set(scope)


def _open_scope() -> Scope | Dispatch | None:
    """The current scope, past those of collectors that are closed by now, here or elsewhere."""
    scope = current.get()
    while isinstance(scope, CollectorScope) and not scope.collector.is_open:
        scope = scope.outer
    return scope


class capture:  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Collect the dispatches of this context: ``with capture() as dispatches: ...``

    Gives a list that fills in the order the dispatches start. Context means thread or task:
    tasks, ``sync_to_async`` and ``async_to_sync`` called inside belong to it, plain threads do
    not. ``details`` says what is gathered beyond names, times, outcomes and query counts;
    ``limit`` (default: ``LIMITS["DISPATCHES"]``) is how many are kept, ``dispatches.dropped``
    how many more there were.
    """

    def __init__(self, *, details: Details = Details.ALL, limit: int | None = None) -> None:
        self._collector = Collector(details, limit)

    def __enter__(self) -> Dispatches:
        open_collector(self._collector)
        return self._collector.dispatches

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        close_collector(self._collector)


class suppress:  # noqa: N801
    """Record nothing of what this context sends: ``with suppress(): ...``. Nests."""

    __slots__ = ("_outer",)

    def __enter__(self) -> None:
        self._outer = current.get()
        current.set(Scope(NOBODY, outer=self._outer))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        current.set(self._outer)
