"""``RunningDispatch``: a dispatch from its start to its end, for the wrapper and the recorder.

It is cheap to make. While it runs, it only collects raw marks: a timestamp per receiver boundary,
failures and query tallies. ``calls`` turns them into ``ReceiverCall`` objects when it is first
read. All other code uses it as a ``Dispatch``.
"""

from __future__ import annotations

import sys
from asyncio import Handle, _get_running_loop
from threading import get_ident
from types import FrameType
from typing import Any, ClassVar, Final, Literal

from signal_inspector.core.listening.captures import NOBODY, Hearers, OpenCaptures
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.dispatch import UNWRITTEN, Dispatch
from signal_inspector.core.record.values import (
    Busy,
    Failure,
    Outcome,
    ReceiverCall,
    Summary,
    Tally,
)

_UNWRITTEN: Final[dict[str, Any]] = {
    **UNWRITTEN,
    "busy": None,
    "ends": None,
    "held": None,
    "observers": (),
    "raised": None,
    "responses": None,
    "tallies": None,
    "thread": 0,
    "whole_told": False,
    "_calls": None,
}

_HANDLED: Final = Handle._run.__code__
_SENDS: Final = ("send", "send_robust")
_WRAPPER: Final = "signal_inspector.core.wrapper.instrument"


class RunningDispatch(Dispatch):
    """The record of a send of this process, and what is needed while it runs.

    This is one object, because a second one would have to be made for every dispatch.
    ``recorder.begin`` makes it and sets its attributes, because a constructor with arguments
    takes one and a half times as long. On the fast path, ``context.current`` is this object
    itself: it is the context of the code that it runs.
    """

    # Its hearers, and what is needed to inform them:
    hearers: Hearers
    captures: OpenCaptures  # open for the code that sends, and for what its receivers send
    observers: tuple[Observer, ...]  # until it has ended
    whole_told: bool  # whether observers were told that the code of the send runs
    held: BaseException | None  # interrupted our code in a receiver, and must reach the sender
    parent: RunningDispatch | None  # while it runs; afterwards its key is enough
    # The raw marks:
    thread: int  # the thread that calls the receivers on the fast path
    marks: list[int]  # perf_counter_ns at the start and at the end of each receiver
    ends: dict[int, int] | None  # exact ends where the next mark comes later
    responses: list[Summary | None] | None
    raised: dict[int, tuple[Failure, Outcome]] | None
    tallies: dict[int, Tally] | None
    busy: dict[int, Busy] | None
    _calls: list[ReceiverCall] | None

    __slots__ = (
        "_calls",
        "busy",
        "captures",
        "ends",
        "hearers",
        "held",
        "marks",
        "observers",
        "raised",
        "responses",
        "tallies",
        "thread",
        "whole_told",
    )

    def __getattr__(self, name: str) -> Any:
        """The default of an attribute that was not set; defaults make a dispatch cheap to make."""
        if name == "started_ns":
            self.started_ns = started_ns = self.start_ns + self.hearers.epoch_ns
            return started_ns
        if name == "duration_ns":
            return 0 if self.outcome is Outcome.RUNNING else self.marks[-1] - self.start_ns
        if name not in _UNWRITTEN:
            raise AttributeError(name)
        return _UNWRITTEN[name]

    # As the context of the code that it runs (see ``context.RecordingContext``).

    offers: ClassVar[None] = None

    passes: Literal[False] = False  # unlike ``observers.Passing``; an attribute is quick to test

    @property
    def dispatch(self) -> RunningDispatch:
        return self

    @property
    def index(self) -> int | None:
        """The receiver call that runs now; the first one if the others have their own contexts."""
        return 0 if self.hearers.is_exact else self._running

    @property
    def guesses(self) -> bool:
        """Whether the code that asks may belong to a receiver other than ``index``.

        This is so for code of another thread or of a task, and for code that outlives the
        dispatch.
        """
        if self.hearers.is_exact:
            return False
        if self.outcome is not Outcome.RUNNING or self.thread != get_ident():
            return True
        return _get_running_loop() is not None and _is_in_a_loop_of(self)

    def adopt(self) -> None:
        """A dispatch is never on offer itself."""

    # Notes that are taken while it runs.

    def caused_by(self, parent: RunningDispatch, index: int | None) -> None:
        """Note the dispatch, and the receiver in it, that sent this one."""
        self.parent = parent
        self._parent_key = (parent.started_ns, parent.sequence)
        self.parent_call = index

    def leave_parent(self, end_ns: int) -> None:
        """Tell the parent's receiver call how much of its time this dispatch took."""
        parent, self.parent = self.parent, None
        if parent is not None and self.parent_call is not None and not self.by_time:
            parent._nest(self.parent_call, self.start_ns, end_ns)

    def _nest(self, index: int, start_ns: int, end_ns: int) -> None:
        call = None if self._calls is None else self._calls[index]
        if call is not None and call.offset_ns is not None and call.outcome is not Outcome.RUNNING:
            # A task that outlived the receiver sent this one: only their common time counts.
            end_ns = min(end_ns, self.start_ns + call.offset_ns + call.duration_ns)
            if end_ns <= start_ns:
                return
        if self.busy is None:
            self.busy = {}
        self.busy.setdefault(index, Busy()).add(start_ns, end_ns)

    def restart(self, start_ns: int) -> None:
        """Restart the clock, so that the time of gathering details is not a receiver's."""
        self.start_ns = self.marks[0] = start_ns

    def expect(self, calls: list[ReceiverCall]) -> None:
        """Use these receiver calls, which are updated one by one, instead of marks."""
        self._calls = calls

    def fail(self, index: int, failure: Failure, outcome: Outcome) -> None:
        """Note what a receiver call raised, and whether its outcome is raised or cancelled."""
        if self.raised is None:
            self.raised = {}
        self.raised[index] = (failure, outcome)

    def tally(self, index: int) -> Tally:
        """The query tally of a receiver call; index -1 is for queries outside of all of them."""
        tallies = self.tallies
        if tallies is None:
            tallies = self.tallies = {}
        return tallies.setdefault(index, Tally())

    def settle(self, index: int, call: ReceiverCall) -> None:
        """Copy what was tallied separately into one receiver call."""
        busy = None if self.busy is None else self.busy.get(index)
        nested_ns = 0 if busy is None else busy.total
        call.self_ns = max(call.duration_ns - nested_ns, 0)
        tally = None if self.tallies is None else self.tallies.get(index)
        if tally is not None:
            call.query_count, call.query_ns = tally.count, tally.ns
            call.queries_by_time = tally.by_time
            call.queries = tuple(tally.statements)

    # The record, computed from the marks.

    @property
    def calls(self) -> list[ReceiverCall]:
        calls = self._calls
        if calls is None:
            calls = [self._timed_call(index) for index in range(len(self.receivers))]
            if self.outcome is not Outcome.RUNNING:
                self._calls = calls
        for index, call in enumerate(calls):
            self.settle(index, call)
        return calls

    @property
    def in_loop(self) -> bool:
        return self._calls is None

    @property
    def is_orphan(self) -> bool:
        if self.outcome is not Outcome.RETURNED or self.receivers or self._calls:
            return False
        return self.unseen is None

    @property
    def query_count(self) -> int:
        return sum(tally.count for tally in (self.tallies or {}).values())

    @property
    def query_ns(self) -> int:
        return sum(tally.ns for tally in (self.tallies or {}).values())

    def end_of(self, index: int) -> tuple[Outcome, Failure | None, int]:
        if self._calls is not None:
            call = self._calls[index]
            return call.outcome, call.failure, call.duration_ns
        marks, ends, raised = self.marks, self.ends, self.raised
        if index >= len(marks):
            return self._outcome_by_marks(index), None, 0
        end = marks[index + 1] if index + 1 < len(marks) else marks[index]
        if ends is not None:
            end = ends.get(index, end)
        if raised is not None and index in raised:
            failure, outcome = raised[index]
            return outcome, failure, end - marks[index]
        if index + 1 < len(marks):
            return Outcome.RETURNED, None, end - marks[index]
        return self._outcome_by_marks(index), None, 0

    def detached(self) -> Dispatch:
        """The same record for code that keeps it for long: itself, or a copy without captures.

        The hearers of this object stay, because code whose context it is may still run.
        """
        if not self.hearers.open_captures:
            return self
        copy = RunningDispatch()
        _ = self.started_ns  # would otherwise be computed from the hearers
        for name in (*Dispatch.__slots__, *RunningDispatch.__slots__):
            try:
                value = object.__getattribute__(self, name)
            except AttributeError:
                continue
            setattr(copy, name, value)
        copy.hearers = NOBODY
        del copy.captures
        return copy

    @property
    def _running(self) -> int | None:
        return len(self.marks) - 1 if self.outcome is Outcome.RUNNING else None

    def _timed_call(self, index: int) -> ReceiverCall:
        name = self.receivers[index]
        failure, outcome = (self.raised or {}).get(index, (None, self._outcome_by_marks(index)))
        call = ReceiverCall(
            receiver=name.name,
            path=name.path,
            line=name.line,
            is_async=False,
            outcome=outcome,
            failure=failure,
        )
        if index < len(self.marks) - 1:
            start = self.marks[index]
            end = (self.ends or {}).get(index, self.marks[index + 1])
            call.offset_ns = start - self.start_ns
            call.duration_ns = end - start
        elif outcome is Outcome.RUNNING:
            call.offset_ns = self.marks[index] - self.start_ns
        if self.responses is not None and index < len(self.responses):
            call.response = self.responses[index]
        return call

    def _outcome_by_marks(self, index: int) -> Outcome:
        if index == self._running:
            return Outcome.RUNNING
        return Outcome.RETURNED if index < len(self.marks) - 1 else Outcome.SKIPPED


def _is_in_a_loop_of(dispatch: RunningDispatch) -> bool:
    """Whether the current code runs in an event loop that a receiver of the dispatch runs."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        if frame.f_code is _HANDLED:
            return True
        is_send = frame.f_code.co_name in _SENDS and frame.f_globals.get("__name__") == _WRAPPER
        if is_send and frame.f_locals.get("dispatch") is dispatch:
            return False
        frame = frame.f_back
    return True
