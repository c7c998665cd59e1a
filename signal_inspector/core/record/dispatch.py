"""``Dispatch``: the record of one send of one signal, and its JSON.

Nothing here depends on the code that sends: ``RunningDispatch`` (``running.py``) makes the record
of a send of this process, ``Dispatch.from_dict`` a record from what ``as_dict`` gave.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol
from uuid import UUID

from signal_inspector.core.record.ids import uuid7, uuid7_text
from signal_inspector.core.record.values import (
    LEAST,
    MOST,
    Caller,
    Data,
    Failure,
    NotCalled,
    Outcome,
    ReceiverCall,
    ReceiverName,
    SendMethod,
    Summary,
    Unseen,
    of_type,
    part,
)

if TYPE_CHECKING:
    from signal_inspector.core.record.transactions import TransactionMark


FAILED: Final = frozenset({Outcome.RAISED, Outcome.SKIPPED, Outcome.CANCELLED})

#: The version of a dispatch's JSON; raised when a key changes its meaning or is removed.
VERSION: Final = 1

_SAMPLED: Final = 1  # among the flags of a trace

#: The values of attributes that have not been set.
UNWRITTEN: Final[dict[str, Any]] = {
    "outcome": Outcome.RUNNING,
    "by_time": False,
    "caller": None,
    "in_transaction": None,
    "not_called": (),
    "parent": None,
    "parent_call": None,
    "payload": None,
    "payload_dropped": 0,
    "project_caller": None,
    "receivers": (),
    "stack": (),
    "trace": None,
    "transactions": (),
    "unseen": None,
    "_parent_key": None,
}
_HEX: Final = re.compile("[0-9a-f]+")
_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

#: The first and the last moment whose nanoseconds since 1970 fit into 64 bits. Every time zone has
#: them, which is not so at the ends of the calendar.
_FIRST: Final = _EPOCH + timedelta(microseconds=LEAST // 1_000 + 1)
_LAST: Final = _EPOCH + timedelta(microseconds=MOST // 1_000)


class TraceIds(Protocol):
    """The ids of an OpenTelemetry span (its ``SpanContext`` has them)."""

    @property
    def trace_id(self) -> int: ...

    @property
    def span_id(self) -> int: ...

    @property
    def trace_flags(self) -> int: ...


class OuterTrace(NamedTuple):
    """The trace that a dispatch was sent in, if it has no span of its own."""

    trace_id: int
    trace_flags: int
    span_id: int = 0


class Dispatch:
    """One send of a signal: ``send``, ``send_robust``, ``asend``, ``asend_robust`` or the like.

    The method may also be a sending method that only a subclass of Signal has. The record is
    complete when the send has ended; ``outcome`` is ``Outcome.RUNNING`` until then.
    """

    signal: str  # dotted name: "shop.signals.order_placed"
    sender: str  # dotted name of the sender, or of its class
    method: SendMethod
    started_ns: int  # Unix time in nanoseconds
    start_ns: int  # the same moment by time.perf_counter_ns(), which `calls` and timelines use
    duration_ns: int
    outcome: Outcome  # RETURNED, RAISED (to the sender) or CANCELLED once it has ended
    receivers: Sequence[ReceiverName]  # as far as they were known at the start: see `calls`
    caller: Caller | None  # the line that sent; None unless Details.CALLER or STACK was asked for
    project_caller: Caller | None  # the same, or the line of the project that led to it
    stack: tuple[Caller, ...]  # innermost last; () unless Details.STACK was asked for
    payload: dict[str, Summary] | None  # None unless Details.PAYLOAD was asked for
    payload_dropped: int  # arguments beyond Limits.payload_items
    in_transaction: bool | None  # None unless Details.TRANSACTION was asked for
    transactions: tuple[TransactionMark, ...]  # the transactions it was sent in, on each database
    not_called: tuple[NotCalled, ...]  # () unless Details.NOT_CALLED was asked for
    unseen: Unseen | None  # set if receiver calls of a subclass's own method were not seen
    parent: Dispatch | None  # in whose receiver this one was sent; None when it has ended
    parent_call: int | None  # index of the parent's receiver call that sent this one
    by_time: bool  # whether that call only ran at the time: another thread or task sent this one
    trace: TraceIds | None  # of its span; or of the span around it, with Details.TRACE
    sequence: int  # tells dispatches apart that started at the same moment
    _parent_key: tuple[int, int] | None  # from which the parent's id is made

    __slots__ = (
        "_parent_key",
        "by_time",
        "caller",
        "duration_ns",
        "in_transaction",
        "method",
        "not_called",
        "outcome",
        "parent",
        "parent_call",
        "payload",
        "payload_dropped",
        "project_caller",
        "receivers",
        "sender",
        "sequence",
        "signal",
        "stack",
        "start_ns",
        "started_ns",
        "trace",
        "transactions",
        "unseen",
    )

    def __getattr__(self, name: str) -> Any:
        """The default of an attribute that was not set; defaults make a dispatch cheap to make."""
        if name not in UNWRITTEN:
            raise AttributeError(name)
        return UNWRITTEN[name]

    @property
    def id(self) -> UUID:
        """The UUIDv7 that joins toolbar row, span attribute and audit row."""
        return uuid7(self.started_ns, self.sequence)

    @property
    def id_text(self) -> str:
        """``str(id)``, but faster."""
        return uuid7_text(self.started_ns, self.sequence)

    @property
    def parent_id(self) -> UUID | None:
        """The id of the dispatch in whose receiver this one was sent."""
        return None if self._parent_key is None else uuid7(*self._parent_key)

    @property
    def parent_id_text(self) -> str:
        """``parent_id`` as text; "" if there is no parent."""
        return "" if self._parent_key is None else uuid7_text(*self._parent_key)

    @property
    def trace_id(self) -> str:
        """The id of the trace that this dispatch is in, in W3C format; "" if it is in none."""
        return "" if self.trace is None else f"{self.trace.trace_id:032x}"

    @property
    def span_id(self) -> str:
        """The id of its span; "" if it has none."""
        return (
            f"{self.trace.span_id:016x}" if self.trace is not None and self.trace.span_id else ""
        )

    @property
    def trace_sampled(self) -> bool | None:
        """Whether the trace was sampled, so that a link leads somewhere; None without a trace."""
        return None if self.trace is None else bool(self.trace.trace_flags & _SAMPLED)

    @property
    def started_at(self) -> datetime:
        """The start, in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.started_ns // 1_000)

    @property
    def calls(self) -> list[ReceiverCall]:
        """The receiver calls in the order of Django's responses: sync, then async ones."""
        raise NotImplementedError

    @property
    def failures(self) -> list[ReceiverCall]:
        """The receiver calls that raised."""
        return [call for call in self.calls if call.outcome is Outcome.RAISED]

    @property
    def has_failed(self) -> bool:
        """Whether the dispatch, or one of its receivers, raised, was skipped or was cancelled."""
        return self.outcome in FAILED or any(call.outcome in FAILED for call in self.calls)

    @property
    def end_ns(self) -> int:
        """When the dispatch ended, on the clock of ``start_ns``."""
        return self.start_ns + self.duration_ns

    @property
    def is_orphan(self) -> bool:
        """Whether no receiver was called, and none will be."""
        return self.outcome is Outcome.RETURNED and not self.calls and self.unseen is None

    @property
    def query_count(self) -> int:
        """The number of queries of its receivers, without those of nested dispatches."""
        return sum(call.query_count for call in self.calls)

    @property
    def query_ns(self) -> int:
        """The nanoseconds that these queries took."""
        return sum(call.query_ns for call in self.calls)

    @property
    def rolled_back(self) -> bool | None:
        """Whether a transaction that the dispatch was sent in rolled back.

        None if that was not watched or cannot be known: the answer to the COMMIT was lost, or
        the transaction was begun without Django.
        """
        if self.in_transaction is None:
            return None
        marks = self.transactions
        if any(mark.rolled_back for mark in marks):
            return True
        is_unknown = self.in_transaction and not marks
        return None if is_unknown or any(mark.is_unknown for mark in marks) else False

    @property
    def in_loop(self) -> bool:
        """Whether the dispatch takes the fast path: receiver after receiver, in one frame."""
        return False

    def end_of(self, index: int) -> tuple[Outcome, Failure | None, int]:
        """How a receiver call ended, and how long it took (ns); faster than ``calls[index]``."""
        call = self.calls[index]
        return call.outcome, call.failure, call.duration_ns

    def detached(self) -> Dispatch:
        """The same record, for code that keeps it for long: it keeps no capture alive."""
        return self

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON, which ``dispatch.schema.json`` describes.

        The keys are part of the public interface. A part that was not kept is absent.
        """
        data: dict[str, Any] = {
            "id": self.id_text,
            "by_time": self.by_time,
            "signal": self.signal,
            "sender": self.sender,
            "method": self.method._value_,
            "started_at": self.started_at.isoformat(timespec="microseconds"),
            "duration_ns": self.duration_ns,
            "outcome": self.outcome._value_,
            "calls": [call.as_dict() for call in self.calls],
        }
        payload, stack, not_called = self.payload, self.stack, self.not_called
        if payload is not None:
            data["payload"] = {key: value.as_dict() for key, value in payload.items()}
            data["payload_dropped"] = self.payload_dropped
        if parent_id := self.parent_id_text:
            data["parent_id"] = parent_id
        for key in ("start_ns", "trace_id", "span_id"):
            if value := getattr(self, key):
                data[key] = value
        if stack:
            data["stack"] = list(map(list, stack))
        if not_called:
            data["not_called"] = [each.as_dict() for each in not_called]
        for key in ("trace_sampled", "parent_call", "in_transaction", "rolled_back"):
            if (value := getattr(self, key)) is not None:
                data[key] = value
        for key in ("caller", "project_caller"):
            if (caller := getattr(self, key)) is not None:
                data[key] = caller.as_dict()
        if self.unseen is not None:
            data["unseen"] = self.unseen._value_
        return data

    @staticmethod
    def from_dict(data: Data, *, is_trusted: bool = False) -> Dispatch:
        """The dispatch that ``as_dict`` described, also after JSON; unknown keys are ignored.

        Raises ValueError, which says what is wrong. If the data ``is_trusted``, parts are read
        only when they are asked for.
        """
        try:
            dispatch = _read(data)
            for key in () if is_trusted else _PARTS:
                getattr(dispatch, key)
        except KeyError as error:
            raise ValueError(f"Not a dispatch: {error} is missing.") from error
        except (AttributeError, OverflowError, RecursionError, TypeError, ValueError) as error:
            raise ValueError(f"Not a dispatch: {error}.") from error
        return dispatch

    def __repr__(self) -> str:
        return (
            f"<Dispatch {self.method.value} {self.signal} from {self.sender}: "
            f"{len(self.calls)} receivers, {self.outcome.value}>"
        )


def document(dispatch: Data, **context: Any) -> dict[str, Any]:
    """The JSON of one dispatch, wherever it is shown or sent.

    ``dispatch`` is its ``as_dict()``; ``context`` is what else the room knows about it.
    """
    return {"version": VERSION, "dispatch": dispatch, "context": context}


def read_document(data: Data) -> tuple[Dispatch, Data]:
    """The dispatch and its context, from what ``document`` returned, also after JSON.

    Raises ValueError, which says what is wrong.
    """
    version = data.get("version")
    if type(version) is not int or version != VERSION:
        raise ValueError(f"Not a dispatch: its version is {version!r:.50}, not {VERSION}.")
    try:
        dispatch = of_type(data["dispatch"], dict, "dispatch")
        context = of_type(data["context"], dict, "context")
    except KeyError as error:
        raise ValueError(f"Not a dispatch: {error} is missing.") from error
    except ValueError as error:
        raise ValueError(f"Not a dispatch: {error}.") from error
    return Dispatch.from_dict(dispatch), context


class _ReadDispatch(Dispatch):
    """A dispatch that was read: properties that are computed otherwise are kept as written."""

    id_text: str
    parent_id_text: str
    started_at: datetime
    calls: list[ReceiverCall]
    rolled_back: bool | None
    trace_sampled: bool | None

    _data: Data

    __slots__ = (
        "_data",
        "calls",
        "id_text",
        "parent_id_text",
        "rolled_back",
        "started_at",
        "trace_sampled",
    )

    def __getattr__(self, name: str) -> Any:
        if name == "started_ns":
            return (self.started_at - _EPOCH) // _MICROSECOND * 1_000
        read = _PARTS.get(name)
        if read is None:
            return super().__getattr__(name)
        value = self._data.get(name)
        value = UNWRITTEN.get(name) if value is None else read(value)
        setattr(self, name, value)
        return value

    @property
    def id(self) -> UUID:
        return UUID(self.id_text)

    @property
    def parent_id(self) -> UUID | None:
        return UUID(self.parent_id_text) if self.parent_id_text else None


def _read(data: Data) -> Dispatch:
    dispatch = _ReadDispatch()
    dispatch._data = data
    dispatch.id_text = _id(data["id"])
    parent = data.get("parent_id")
    dispatch.parent_id_text = _id(parent) if parent else ""
    dispatch.sequence = 0
    if data.get("trace_id"):
        dispatch.trace = OuterTrace(
            _number(data["trace_id"], 32),
            _SAMPLED if data.get("trace_sampled") else 0,
            _number(data.get("span_id") or "0" * 16, 16),
        )
    dispatch.signal = of_type(data["signal"], str, "signal")
    dispatch.sender = of_type(data["sender"], str, "sender")
    dispatch.method = SendMethod.read(of_type(data["method"], str, "method"))
    dispatch.started_at = _moment(data["started_at"])
    dispatch.start_ns = part(data, "start_ns", int, 0)
    dispatch.duration_ns = of_type(data["duration_ns"], int, "duration_ns")
    dispatch.outcome = Outcome(data["outcome"])
    of_type(data["calls"], list, "calls")
    return dispatch


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not _FIRST <= moment <= _LAST:
        raise ValueError(f"started_at, {text!r:.50}, does not fit into 64 bits of nanoseconds")
    return moment


def _id(value: object) -> str:
    text = of_type(value, str, "an id")
    if _ID.fullmatch(text) is None:
        raise ValueError(f"{text!r:.50} is not the id of a dispatch")
    return text


def _number(value: object, digits: int) -> int:
    text = of_type(value, str, "an id")
    if len(text) != digits or _HEX.fullmatch(text) is None:
        raise ValueError(f"{text!r:.50} does not have {digits} hexadecimal digits")
    return int(text, 16)


def _typed(kind: type, what: str) -> Callable[[object], object]:
    return lambda value: of_type(value, kind, what)


def _payload(value: Data) -> dict[str, Summary]:
    return {of_type(key, str, "a key"): Summary.from_dict(each) for key, each in value.items()}


#: The parts that are read when they are asked for, and how; each may be absent.
_PARTS: Final[dict[str, Callable[[Any], object]]] = {
    "calls": lambda value: [ReceiverCall.from_dict(call) for call in value],
    "by_time": _typed(bool, "by_time"),
    "parent_call": _typed(int, "parent_call"),
    "trace_sampled": _typed(bool, "trace_sampled"),
    "unseen": Unseen,
    "caller": Caller.from_dict,
    "project_caller": Caller.from_dict,
    "stack": lambda value: tuple(map(Caller.from_list, value)),
    "payload": _payload,
    "payload_dropped": _typed(int, "payload_dropped"),
    "in_transaction": _typed(bool, "in_transaction"),
    "rolled_back": _typed(bool, "rolled_back"),
    "not_called": lambda value: tuple(map(NotCalled.from_dict, value)),
}
