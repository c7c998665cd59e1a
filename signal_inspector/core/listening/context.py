"""Who hears of the dispatches of a context: captures of this context, sinks of the process."""

from __future__ import annotations

from contextvars import ContextVar, Token
from threading import RLock
from types import TracebackType
from typing import Final
from weakref import WeakSet

from django.dispatch import Signal

from signal_inspector.core import forks, internal_errors
from signal_inspector.core.listening.captures import NOBODY, Capture, Dispatches, Hearers
from signal_inspector.core.listening.sinks import Sink
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.ids import perf_counter_ns
from signal_inspector.core.record.values import Details

#: The methods of a sink that a project may override, and that may fail.
_OF_A_SINK: Final = ("follow", "dispatch_started", "dispatch_finished")

_REMEMBERED: Final = 10_000  # signals, by those who hear

#: One entry per open capture and one while sinks are configured: empty means that no dispatch
#: anywhere in the process is listened to, which is all the instrument has to ask when idle.
hearing: list[object] = []

_process: Hearers = NOBODY
#: Those of open captures. They follow the sinks of the process, whenever these are added.
_in_contexts: WeakSet[Hearers] = WeakSet()
_named: tuple[Sink, ...] = ()
_added: tuple[Sink, ...] = ()
_collecting: tuple[Capture, ...] = ()
_lock = RLock()


class RecordingContext:
    """What the code of one context is running in: its hearers, and the receiver call if any."""

    __slots__ = ("dispatch", "guesses", "hearers", "index", "offers", "outer")

    def __init__(
        self,
        hearers: Hearers,
        dispatch: Dispatch | None = None,
        index: int | None = None,
        outer: RecordingContext | Dispatch | None = None,
        offers: Signal | None = None,
    ) -> None:
        self.hearers = hearers
        self.dispatch = dispatch
        self.index = index
        self.outer = outer
        #: Whether ``index`` is the receiver that ran when somebody asked, and maybe another's.
        self.guesses = False
        #: The signal whose overriding send() opened `dispatch`, until Signal.send() adopts it.
        self.offers = offers

    def adopt(self) -> Dispatch | None:
        """The dispatch on offer, which is then no longer on offer."""
        if self.dispatch is not None:
            # What the override did until now is no receiver's time.
            self.dispatch.marks[0] = perf_counter_ns()
        self.offers = None
        return self.dispatch


class ReceiverContext(RecordingContext):
    """That of one receiver of our own loop, where somebody asks for everything."""

    __slots__ = ()

    def __init__(self, dispatch: Dispatch, index: int) -> None:
        # Not by way of super(): this is made for each receiver.
        self.hearers = dispatch.hearers
        self.dispatch = dispatch
        self.index = index
        self.guesses = False
        self.offers = None


class CaptureContext(RecordingContext):
    """The one that opening a capture makes; it is over when that capture is closed."""

    __slots__ = ("opened",)

    def __init__(self, opened: Capture, outer: RecordingContext | Dispatch | None) -> None:
        dispatch, index = running_call()
        with _lock:  # or a sink that is added meanwhile would not be heard in here
            before = _process if outer is None else outer.hearers.newest()
            others = tuple(each for each in before.open_captures if each is not opened)
            hearers = Hearers((*others, opened), before.sinks)
            if before is not NOBODY or outer is None:  # within `suppress` no sink hears anything
                _in_contexts.add(hearers)
        super().__init__(hearers, dispatch, index, outer)
        self.opened = opened
        self.guesses = outer is not None and outer.guesses

    @property
    def is_over(self) -> bool:
        return not self.opened.is_open


class _Silent(RecordingContext):
    """That of a ``suppress()``."""

    __slots__ = ("is_over",)

    def __init__(self, outer: RecordingContext | Dispatch | None) -> None:
        super().__init__(NOBODY, outer=outer)
        self.is_over = False


#: What sinks run in: what they send is not recorded, nor their queries.
SILENCE: Final = RecordingContext(NOBODY)


#: A ``Dispatch`` stands here itself while it runs the fast path: one object less to make.
current: ContextVar[RecordingContext | Dispatch | None] = ContextVar(
    "signal_inspector", default=None
)


class _Setting(
    dict[RecordingContext | Dispatch | None, Token[RecordingContext | Dispatch | None]]
):
    __missing__ = current.set


#: ``set_current[scope]`` is ``current.set(scope)`` in one instruction: after a call Python looks
#: for signals, and what a handler raises there would leave the scope set and the token lost.
set_current: Final = _Setting()


@forks.in_child
def _after_fork() -> None:
    global _lock
    _lock = RLock()  # the thread that held it is not in the child


def process_hearers() -> Hearers:
    """Who hears of the whole process, for code that runs in no context of its own."""
    return _process


def hearing_of(signal: str, hearers: Hearers) -> Hearers:
    """Those of them that hear of this signal. Remembered in ``for_signals``."""
    known = hearers.for_signals
    if known is None:
        return hearers
    token = set_current[SILENCE]
    try:
        part = hearers.part(signal)
    finally:
        current.reset(token)
    if len(known) >= _REMEMBERED:
        known.clear()
    known[signal] = part
    return part


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
    global _process
    with _lock:  # sinks that look anew in two threads at once would take the same one out
        classes = {type(sink) for sink in _added}
        named = [sink for sink in _named if type(sink) not in classes]
        special = [sink for sink in named if sink.stands_for_its_bases]
        added = [sink for sink in _added if not any(isinstance(s, type(sink)) for s in special)]
        sinks = (*added, *named)
        listened = bool(sinks or _collecting)
        had, _process = _process, Hearers(_collecting, sinks) if listened else NOBODY
        if had is not NOBODY:
            hearing.remove(had)
            had.renew(_process)
        if _process is not NOBODY:
            hearing.append(_process)
        _renew_contexts(sinks)
    for sink in sinks:
        where = f"sink {type(sink).__module__}.{type(sink).__qualname__}"
        internal_errors.announce(failures=[f"{where}.{method}" for method in _OF_A_SINK])


def _renew_contexts(sinks: tuple[Sink, ...]) -> None:
    """Have the sinks, and who collects everywhere, be heard where captures are open."""
    renewed: dict[tuple[Capture, ...], Hearers] = {}
    for hearers in list(_in_contexts):
        open_captures = [each for each in hearers.open_captures if each.is_open]
        open_captures += [each for each in _collecting if each not in open_captures]
        key = tuple(open_captures)
        if key not in renewed:
            renewed[key] = Hearers(key, sinks)
        hearers.renew(renewed[key])
    _in_contexts.update(renewed.values())


def open_capture(opened: Capture) -> None:
    """Collect the dispatches of this context, and of contexts copied from it, until closed.

    Keeps no Token, so it may be closed in another context than the one it was opened in.
    """
    _start_collecting(opened)
    current.set(CaptureContext(opened, _open_scope()))


def capture_everywhere(opened: Capture) -> None:
    """Collect the dispatches of all code that runs in no context of its own too, until closed."""
    global _collecting
    _start_collecting(opened)
    with _lock:
        _collecting = (*_collecting, opened)
        refresh_sinks()


def _start_collecting(opened: Capture) -> None:
    if not opened.is_open:
        opened.is_open = True
        hearing.append(opened)
    opened.room = max(opened.limit - len(opened.dispatches), 0)


def close_capture(opened: Capture) -> None:
    """Stop collecting. Closing twice, or in a context that never opened it, is harmless."""
    global _collecting
    if opened.is_open:
        opened.is_open = False
        opened.room = 0
        hearing.remove(opened)
    if opened in _collecting:
        with _lock:
            _collecting = tuple(each for each in _collecting if each is not opened)
            refresh_sinks()
    scope = _open_scope()
    if scope is not current.get():
        current.set(scope)


def _open_scope() -> RecordingContext | Dispatch | None:
    """The current one, past those that are over by now, here or elsewhere."""
    scope = current.get()
    while isinstance(scope, CaptureContext | _Silent) and scope.is_over:
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
        self._opened = Capture(details, limit)
        self._entered = 0

    def __enter__(self) -> Dispatches:
        self._entered += 1
        open_capture(self._opened)
        return self._opened.dispatches

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered = max(self._entered - 1, 0)
        scope = current.get()
        if not self._entered:
            close_capture(self._opened)
        elif isinstance(scope, CaptureContext) and scope.opened is self._opened:
            current.set(scope.outer)  # entered twice: the outer one goes on


class suppress:  # noqa: N801
    """Record nothing of what this context sends: ``with suppress(): ...``. Nests."""

    __slots__ = ("_scope",)

    def __enter__(self) -> None:
        self._scope = _Silent(current.get())
        current.set(self._scope)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A generator may be closed in a capture() that was entered after it: that one stays.
        self._scope.is_over = True
        scope = _open_scope()
        if scope is not current.get():
            current.set(scope)
