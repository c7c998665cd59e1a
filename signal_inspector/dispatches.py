"""``Dispatch``: one send of one signal, cheap to make and put in words only when it is read.

While a dispatch runs it collects raw marks: a timestamp per receiver boundary, failures, query
tallies. ``Dispatch.calls`` turns them into ``ReceiverCall`` objects when somebody first looks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from signal_inspector.ids import next_sequence, uuid7
from signal_inspector.records import (
    Caller,
    Failure,
    NotCalled,
    Outcome,
    Query,
    ReceiverCall,
    ReceiverName,
    SendMethod,
    Summary,
    plain,
)

if TYPE_CHECKING:
    from signal_inspector.recorder import Audience
    from signal_inspector.transactions import TransactionMark


class Tally:
    """Queries of one receiver call, as they are counted."""

    __slots__ = ("count", "ns", "statements")

    def __init__(self) -> None:
        self.count = 0
        self.ns = 0
        self.statements: list[Query] = []


class Busy:
    """Time covered by nested dispatches, which may overlap and end in any order.

    Intervals arrive in the order of their ends. Only the latest few stay apart; older ones can
    no longer be overlapped by anything short of a dispatch that outlived all of them.
    """

    __slots__ = ("_folded", "_spans")
    _APART = 32

    def __init__(self) -> None:
        self._folded = 0
        self._spans: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        while self._spans and self._spans[-1][1] >= start:
            earlier, _ = self._spans.pop()
            start = min(start, earlier)
        self._spans.append((start, end))
        if len(self._spans) > self._APART:
            first, last = self._spans.pop(0)
            self._folded += last - first

    @property
    def total(self) -> int:
        """Nanoseconds covered."""
        return self._folded + sum(end - start for start, end in self._spans)


class Dispatch:
    """One call of ``send``, ``send_robust``, ``asend`` or ``asend_robust``.

    Complete when the send has ended; ``outcome`` is ``Outcome.RUNNING`` until then.
    """

    __slots__ = (
        "_calls",
        "_parent_key",
        "_sequence",
        "audience",
        "busy",
        "caller",
        "duration_ns",
        "ends",
        "failures_by_index",
        "in_transaction",
        "marks",
        "method",
        "not_called",
        "outcome",
        "parent_call",
        "payload",
        "payload_dropped",
        "receivers",
        "responses",
        "sender",
        "signal",
        "stack",
        "start_ns",
        "started_ns",
        "tallies",
        "transactions",
    )

    def __init__(
        self,
        signal: str,
        sender: str,
        method: SendMethod,
        started_ns: int,
        audience: Audience | None = None,
    ) -> None:
        self.signal = signal  # dotted name: "shop.signals.order_placed"
        self.sender = sender  # dotted name of the sender, or of its class
        self.method = method
        self.started_ns = started_ns  # Unix time in nanoseconds
        self.start_ns = 0  # time.perf_counter_ns() at the start
        self.duration_ns = 0
        self.outcome = Outcome.RUNNING  # RETURNED, RAISED (to the sender) or CANCELLED at the end
        self.caller: Caller | None = None  # None unless Details.CALLER was asked for
        self.stack: tuple[Caller, ...] = ()  # innermost last; () unless Details.STACK
        self.payload: dict[str, Summary] | None = None  # None unless Details.PAYLOAD
        self.payload_dropped = 0  # arguments beyond LIMITS["PAYLOAD_ITEMS"]
        self.in_transaction: bool | None = None  # None unless Details.TRANSACTION
        self.not_called: tuple[NotCalled, ...] = ()  # () unless Details.NOT_CALLED
        self.parent_call: int | None = None  # index of the parent's receiver that sent this
        # Raw marks, written by the instrument and read by `calls`.
        self.audience = audience
        self.marks: list[int] = []  # perf_counter at each receiver's start, and at the end
        self.ends: dict[int, int] | None = None  # exact ends where the next mark is not one
        self.receivers: Sequence[ReceiverName] = ()
        self.responses: list[Summary | None] | None = None
        self.failures_by_index: dict[int, Failure] | None = None
        self.tallies: dict[int, Tally] | None = None
        self.busy: dict[int, Busy] | None = None
        self.transactions: tuple[TransactionMark, ...] = ()
        self._calls: list[ReceiverCall] | None = None
        self._parent_key: tuple[int, int] | None = None
        self._sequence = next_sequence()

    @property
    def id(self) -> UUID:
        """The UUIDv7 that joins toolbar row, span attribute and audit row."""
        return uuid7(self.started_ns, self._sequence)

    @property
    def parent_id(self) -> UUID | None:
        """The id of the dispatch in whose receiver this one was sent."""
        return None if self._parent_key is None else uuid7(*self._parent_key)

    @property
    def started_at(self) -> datetime:
        """The start, in UTC, to the microsecond."""
        return datetime.fromtimestamp(self.started_ns / 1e9, UTC)

    @property
    def calls(self) -> list[ReceiverCall]:
        """The receiver calls in the order of Django's responses: sync, then async ones."""
        calls = self._calls
        if calls is None:
            calls = [self._timed_call(index) for index in range(len(self.receivers))]
            if self.outcome is not Outcome.RUNNING:
                self._calls = calls
        for index, call in enumerate(calls):
            self._settle(index, call)
        return calls

    @property
    def failures(self) -> list[ReceiverCall]:
        """The receiver calls that raised."""
        return [call for call in self.calls if call.outcome is Outcome.RAISED]

    @property
    def is_orphan(self) -> bool:
        """Whether nobody received it."""
        return self.outcome is Outcome.RETURNED and not self.receivers and not self._calls

    @property
    def query_count(self) -> int:
        """Queries of its receivers, without those of nested dispatches."""
        return sum(tally.count for tally in (self.tallies or {}).values())

    @property
    def query_ns(self) -> int:
        """Nanoseconds in these queries."""
        return sum(tally.ns for tally in (self.tallies or {}).values())

    @property
    def rolled_back(self) -> bool | None:
        """Whether a transaction it was sent in rolled back; None when that was not watched."""
        if self.in_transaction is None:
            return None
        return any(mark.rolled_back for mark in self.transactions)

    def expect(self, calls: list[ReceiverCall]) -> None:
        """Take receiver calls that are kept up to date one by one, in place of marks."""
        self._calls = calls

    def caused_by(self, parent: Dispatch, index: int | None) -> None:
        """Note the dispatch, and the receiver of it, that sent this one."""
        self._parent_key = (parent.started_ns, parent._sequence)
        self.parent_call = index

    def current_call(self) -> int | None:
        """The index of the receiver that runs now, in a dispatch that runs on marks."""
        started = len(self.marks)
        return started - 1 if started and self.outcome is Outcome.RUNNING else None

    def tally(self, index: int) -> Tally:
        """The query tally of a receiver call; -1 is for queries outside any."""
        tallies = self.tallies
        if tallies is None:
            tallies = self.tallies = {}
        return tallies.setdefault(index, Tally())

    def nest(self, index: int, start_ns: int, end_ns: int) -> None:
        """Note that a receiver call spent this time in a dispatch of its own."""
        if self.busy is None:
            self.busy = {}
        self.busy.setdefault(index, Busy()).add(start_ns, end_ns)

    def fail(self, index: int, failure: Failure) -> None:
        """Note what a receiver call raised."""
        if self.failures_by_index is None:
            self.failures_by_index = {}
        self.failures_by_index[index] = failure

    def _timed_call(self, index: int) -> ReceiverCall:
        name = self.receivers[index]
        started = index < len(self.marks) - 1
        failure = (self.failures_by_index or {}).get(index)
        outcome = Outcome.RETURNED if started else Outcome.SKIPPED
        if failure is not None:
            cancelled = failure.exception_class.endswith(".CancelledError")
            outcome = Outcome.CANCELLED if cancelled else Outcome.RAISED
        call = ReceiverCall(
            receiver=name.name,
            path=name.path,
            line=name.line,
            is_async=False,
            outcome=outcome,
            failure=failure,
        )
        if started:
            start = self.marks[index]
            end = (self.ends or {}).get(index, self.marks[index + 1])
            call.offset_ns = start - self.start_ns
            call.duration_ns = end - start
        if self.responses is not None and index < len(self.responses):
            call.response = self.responses[index]
        return call

    def _settle(self, index: int, call: ReceiverCall) -> None:
        """Bring what is tallied beside the calls into one of them."""
        busy = None if self.busy is None else self.busy.get(index)
        nested_ns = 0 if busy is None else busy.total
        call.self_ns = max(call.duration_ns - nested_ns, 0)
        tally = None if self.tallies is None else self.tallies.get(index)
        if tally is not None:
            call.query_count, call.query_ns = tally.count, tally.ns
            call.queries = tuple(tally.statements)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; the keys are part of the public interface."""
        return {
            "id": str(self.id),
            "parent_id": None if self.parent_id is None else str(self.parent_id),
            "parent_call": self.parent_call,
            "signal": self.signal,
            "sender": self.sender,
            "method": self.method.value,
            "started_at": self.started_at.isoformat(),
            "start_ns": self.start_ns,
            "duration_ns": self.duration_ns,
            "outcome": self.outcome.value,
            "caller": None if self.caller is None else self.caller._asdict(),
            "stack": [list(frame) for frame in self.stack],
            "payload": self._payload_dict(),
            "payload_dropped": self.payload_dropped,
            "in_transaction": self.in_transaction,
            "rolled_back": self.rolled_back,
            "calls": [call.as_dict() for call in self.calls],
            "not_called": [plain(receiver) for receiver in self.not_called],
        }

    def _payload_dict(self) -> dict[str, Any] | None:
        if self.payload is None:
            return None
        return {key: summary.as_dict() for key, summary in self.payload.items()}

    def __repr__(self) -> str:
        return (
            f"<Dispatch {self.method.value} {self.signal} from {self.sender}: "
            f"{len(self.receivers or self._calls or ())} receivers, {self.outcome.value}>"
        )
