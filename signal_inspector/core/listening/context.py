"""The context that code runs in: its open captures, its dispatch and its receiver call."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import Final

from django.dispatch import Signal

from signal_inspector.core import process_state
from signal_inspector.core.listening import captures
from signal_inspector.core.listening.captures import (
    NO_CAPTURES,
    SUPPRESSED,
    Capture,
    Dispatches,
    Hearers,
    OpenCaptures,
)
from signal_inspector.core.listening.sinks import hearing
from signal_inspector.core.record.ids import perf_counter_ns
from signal_inspector.core.record.running import RunningDispatch
from signal_inspector.core.record.values import Details

_REMEMBERED: Final = 10_000  # signals whose hearers are remembered

_lock = process_state.lock()


class RecordingContext:
    """The open captures of one context, and the receiver call that its code runs in, if any."""

    __slots__ = ("captures", "dispatch", "guesses", "index", "offers", "outer")

    def __init__(
        self,
        captures: OpenCaptures,
        dispatch: RunningDispatch | None = None,
        index: int | None = None,
        outer: RecordingContext | RunningDispatch | None = None,
        offers: Signal | None = None,
    ) -> None:
        self.captures = captures
        self.dispatch = dispatch
        self.index = index
        self.outer = outer
        #: Whether ``index`` is only the receiver that was running at the time: the code may
        #: belong to another receiver.
        self.guesses = False
        #: The signal whose overriding send() began `dispatch`, until Signal.send() adopts it.
        self.offers = offers

    def adopt(self) -> RunningDispatch | None:
        """Take the dispatch on offer; it is no longer on offer afterwards."""
        if self.dispatch is not None:
            # The time that the override took until now belongs to no receiver.
            self.dispatch.marks[0] = perf_counter_ns()
        self.offers = None
        return self.dispatch


class ReceiverContext(RecordingContext):
    """The context of one receiver of our own loop, where a hearer asks for every detail."""

    __slots__ = ()

    def __init__(self, dispatch: RunningDispatch, index: int) -> None:
        # Does not call super(), because this is made for each receiver.
        self.captures = dispatch.captures
        self.dispatch = dispatch
        self.index = index
        self.guesses = False
        self.offers = None


class CaptureContext(RecordingContext):
    """The context that opening a capture makes; it is over when that capture is closed."""

    __slots__ = ("opened",)

    def __init__(self, opened: Capture, outer: RecordingContext | RunningDispatch | None) -> None:
        dispatch, index = running_call()
        around = NO_CAPTURES if outer is None else outer.captures
        super().__init__(around.and_(opened), dispatch, index, outer)
        self.opened = opened
        self.guesses = outer is not None and outer.guesses

    @property
    def is_over(self) -> bool:
        return not self.opened.is_open


class _Silent(RecordingContext):
    """The context of a ``suppress()``."""

    __slots__ = ("is_over",)

    def __init__(self, outer: RecordingContext | RunningDispatch | None) -> None:
        super().__init__(SUPPRESSED, outer=outer)
        self.is_over = False


#: The context that sinks run in: neither what they send nor their queries are recorded.
SILENCE: Final = RecordingContext(SUPPRESSED)


#: On the fast path this is the ``RunningDispatch`` itself, which saves making an object.
current: ContextVar[RecordingContext | RunningDispatch | None] = ContextVar(
    "signal_inspector", default=None
)


class _Setting(
    dict[
        RecordingContext | RunningDispatch | None, Token[RecordingContext | RunningDispatch | None]
    ]
):
    __missing__ = current.set


#: ``set_current[here]`` is ``current.set(here)`` in one instruction. After a call, Python runs
#: pending signal handlers; if one raised there, the context would stay set without its token.
set_current: Final = _Setting()


def hearing_of(signal: str, hearers: Hearers) -> Hearers:
    """Return the hearers that hear of this signal. Remembered in ``for_signals``."""
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


def running_call() -> tuple[RunningDispatch | None, int | None]:
    """The dispatch, and the index of the receiver call, that the current code runs in."""
    here = current.get()
    return (None, None) if here is None else (here.dispatch, here.index)


def open_capture(opened: Capture) -> None:
    """Collect the dispatches of this context, and of contexts copied from it, until closed.

    Keeps no Token, so the capture may be closed in a context other than the one that opened it.
    """
    was_open = opened.is_open
    try:
        _start_collecting(opened)
        current.set(CaptureContext(opened, _open_context()))
    except BaseException:  # raised by a signal handler: nothing else would close the capture
        if not was_open:
            close_capture(opened)
        raise


def capture_everywhere(opened: Capture) -> None:
    """Collect the dispatches of all code of the process, until closed."""
    _start_collecting(opened)
    with _lock:
        captures.collect_everywhere((*captures.everywhere, opened))


def _start_collecting(opened: Capture) -> None:
    if not opened.is_open:
        opened.is_open = True
        hearing.append(opened)
    opened.room = max(opened.limit - len(opened.dispatches), 0)


def close_capture(opened: Capture) -> None:
    """Stop collecting. Closing twice, or in a context that never opened it, is harmless."""
    if opened.is_open:
        opened.is_open = False
        opened.room = 0
        hearing.remove(opened)
    if opened in captures.everywhere:
        with _lock:
            others = [each for each in captures.everywhere if each is not opened]
            captures.collect_everywhere(tuple(others))
    here = _open_context()
    if here is not current.get():
        current.set(here)


def _open_context() -> RecordingContext | RunningDispatch | None:
    """The current context, or the next outer one that is not over; closed anywhere, it is over."""
    here = current.get()
    while isinstance(here, CaptureContext | _Silent) and here.is_over:
        here = here.outer
    return here


class capture:  # noqa: N801 - reads as a statement, like contextlib.suppress
    """Collect the dispatches of this context: ``with capture() as dispatches: ...``

    Gives a list that fills in the order the dispatches start. Context means thread or task:
    tasks, ``sync_to_async`` and ``async_to_sync`` called inside belong to it, plain threads do
    not. ``details`` says what is gathered beyond names, times, outcomes and query counts.
    ``limit`` (default: ``LIMITS["DISPATCHES"]``) is how many dispatches are kept;
    ``dispatches.dropped`` is how many more there were.
    """

    def __init__(self, *, details: Details = Details.ALL, limit: int | None = None) -> None:
        self._opened = Capture(details, limit)
        self._entered = 0

    def __enter__(self) -> Dispatches:
        open_capture(self._opened)
        self._entered += 1
        return self._opened.dispatches

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._entered = max(self._entered - 1, 0)
        here = current.get()
        if not self._entered:
            close_capture(self._opened)
        elif isinstance(here, CaptureContext) and here.opened is self._opened:
            current.set(here.outer)  # entered twice: the outer block continues


class suppress:  # noqa: N801
    """Record nothing of what this context sends: ``with suppress(): ...``. May be nested."""

    __slots__ = ("_contexts",)

    def __init__(self) -> None:
        # A list, because a suppress() may be entered again, here or in another thread.
        self._contexts: list[_Silent] = []

    def __enter__(self) -> None:
        silent = _Silent(current.get())
        self._contexts.append(silent)
        current.set(silent)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A generator may be closed inside a capture() that was entered later: the capture stays.
        silent = self._innermost()
        self._contexts.remove(silent)
        silent.is_over = True
        here = _open_context()
        if here is not current.get():
            current.set(here)

    def _innermost(self) -> _Silent:
        """This suppress()'s context that the code runs in; if none, the one made last."""
        here: object = current.get()
        while here is not None:
            if isinstance(here, _Silent) and here in self._contexts:
                return here
            here = getattr(here, "outer", None)
        return self._contexts[-1]
