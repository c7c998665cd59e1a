"""The parts of a dispatch's record: plain values that keep no object of the user's alive.

``as_dict`` gives plain data for JSON, ``from_dict`` reads it again; ``dispatch.schema.json``
describes it. A part that was not kept is absent. ``from_dict`` raises KeyError for a missing key,
and ValueError or TypeError for a wrong value; ``Dispatch.from_dict`` turns all of them into a
ValueError. One page writes or reads thousands of these, so the usual case comes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Flag, StrEnum
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")
Data = Mapping[str, Any]

_PLAIN: Final = frozenset({bool, int, float, str})

#: The least and the greatest integer of 64 bits. No counter or clock reaches them, and beyond them
#: an integer may be too large to be converted, added to a date, or stored in a database.
LEAST: Final = -(2**63)
MOST: Final = 2**63 - 1


def of_type(value: object, kind: type[T], what: str) -> T:
    """The value, if it is of exactly this type; otherwise raises a ValueError naming ``what``.

    An integer also has to fit into 64 bits.
    """
    if type(value) is not kind:
        raise ValueError(f"{what} is of type {type(value).__name__}, not {kind.__name__}")
    if kind is int and not LEAST <= value <= MOST:  # type: ignore[operator]
        raise ValueError(f"{what} does not fit into 64 bits")
    return value


def part(data: Data, key: str, kind: type[T], absent: T) -> T:
    """The value of a key that may be absent or None."""
    value = data.get(key)
    if type(value) is kind and kind is not int:  # nearly always
        return value
    return absent if value is None else of_type(value, kind, key)


class SendMethod(StrEnum):
    """The method of ``django.dispatch.Signal`` that the sender called.

    A sending method that only a subclass has (``send_chained``) is a member too, with its name as
    value; iteration does not include it.
    """

    SEND = "send"
    SEND_ROBUST = "send_robust"
    ASEND = "asend"
    ASEND_ROBUST = "asend_robust"

    @property
    def is_robust(self) -> bool:
        """Whether Django returns a receiver's exception to the sender instead of raising it."""
        return "robust" in self.value

    @property
    def is_async(self) -> bool:
        return self in (SendMethod.ASEND, SendMethod.ASEND_ROBUST)

    @property
    def is_own(self) -> bool:
        """Whether only a subclass has this method: it is not one of the four of Signal."""
        return self._name_ not in type(self).__members__

    @classmethod
    def named(cls, name: str) -> SendMethod:
        """The member with this value; made and remembered if only a subclass has the method."""
        return cls._value2member_map_.setdefault(name, cls.read(name))  # type: ignore[return-value]

    @classmethod
    def read(cls, name: str) -> SendMethod:
        """Like ``named``, but does not remember a new member: its name may come from anywhere."""
        known = cls._value2member_map_.get(name)
        if known is None:
            known = str.__new__(cls, name)
            known._name_, known._value_ = f"OWN_{name}", name
        return known  # type: ignore[return-value]


class Unseen(StrEnum):
    """What is known about a dispatch's receivers if their calls were not seen.

    This happens if a Signal subclass's own method ended without calling Signal's.
    """

    PUT_OFF = "put off"  # none was called: it is queued, sent on commit, elsewhere or not at all
    UNTOLD = "untold"  # the method called receivers itself: `calls` has those it may have called


class Outcome(StrEnum):
    """How a receiver call, or a whole dispatch, ended."""

    RETURNED = "returned"
    RAISED = "raised"
    SKIPPED = "skipped"  # not called: an earlier receiver raised
    CANCELLED = "cancelled"  # its task was cancelled
    RUNNING = "running"  # has not ended (Django 5.2 and 6.0 leave siblings of a failure running)


class Details(Flag):
    """What a sink or capture wants gathered beyond names, outcomes, times and query counts.

    Each detail costs time on every dispatch, so it is gathered only on request.
    """

    NONE = 0
    CALLER = 1  # file, line and function of the send
    STACK = 2  # the whole call stack of the send
    PAYLOAD = 4  # a safe, redacted summary of the arguments
    RESPONSE = 8  # a summary of what each receiver returned
    TRACEBACK = 16  # the text of tracebacks
    STATEMENTS = 32  # the SQL text of each receiver's queries
    TRANSACTION = 64  # whether a transaction was open, and whether it rolled back
    NOT_CALLED = 128  # connected receivers that were not called, and why
    TRACE = 256  # the OpenTelemetry trace that it was sent in, sampled or not
    ALL = 511


class NotCalledReason(StrEnum):
    """Why a receiver that is, or was, connected to the signal was not called."""

    OTHER_SENDER = "other sender"
    DEAD = "dead reference"
    TAKEN_OUT = "taken out"  # of ``signal.receivers``, as factory_boy's mute_signals() does


class ReceiverName(NamedTuple):
    """Where a receiver is defined: ``module.qualname``, source file and first line."""

    name: str
    path: str
    line: int


class Caller(NamedTuple):
    """A frame of the code that sent the signal."""

    path: str
    line: int
    function: str

    @classmethod
    def from_list(cls, data: object) -> Caller:
        """A frame from ``[path, line, function]``."""
        path, line, function = of_type(data, list, "a frame")
        of_type(line, int, "line")
        return cls(of_type(path, str, "path"), line, of_type(function, str, "function"))

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"path": self.path, "line": self.line, "function": self.function}

    @classmethod
    def from_dict(cls, data: Data) -> Caller:
        """What ``as_dict`` gave."""
        return cls.from_list([data["path"], data["line"], data["function"]])


#: The kind of a value of which only the type is kept, as a room's policy says.
WITHHELD: Final = "withheld"


class Summary(NamedTuple):
    """What is kept of a value: enough to read, never the value itself."""

    kind: str  # "plain", "model", "collection", "object", "redacted", "unreadable" or WITHHELD
    type: str  # dotted name of the value's type
    text: str  # one line, capped: "shop.Order:42", "'web'", "list of 12", "redacted"
    #: Set for "plain" values that JSON can hold. For a "model", the alias of its database if that
    #: is not "default". False for a dict whose keys are only described in words.
    value: bool | int | float | str | None = None
    items: tuple[tuple[str, Summary], ...] = ()  # of a collection: key or index, and value
    truncated: bool = False  # whether text or items were cut

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data: dict[str, Any] = {"kind": self.kind, "type": self.type, "text": self.text}
        if self.kind == "plain" or self.value is not None:
            data["value"] = self.value
        if self.items:
            data["items"] = [[key, item.as_dict()] for key, item in self.items]
        if self.truncated:
            data["truncated"] = True
        return data

    @classmethod
    def from_dict(cls, data: Data) -> Summary:
        """What ``as_dict`` gave."""
        kind, name, text = data["kind"], data["type"], data["text"]
        if not (type(kind) is type(name) is type(text) is str):
            for key in ("kind", "type", "text"):
                of_type(data[key], str, key)
        value = data.get("value")
        if value is not None and type(value) not in _PLAIN:
            raise ValueError(f"value is of type {type(value).__name__}")
        items = data.get("items")
        return cls(
            kind,
            name,
            text,
            value,
            ()
            if items is None
            else tuple([(of_type(key, str, "key"), cls.from_dict(item)) for key, item in items]),
            part(data, "truncated", bool, absent=False),
        )


class Failure(NamedTuple):
    """An exception that a receiver raised."""

    exception_class: str  # dotted name
    message: str  # str() of the exception, capped and cleaned
    traceback: str | None = None  # text, capped; None unless Details.TRACEBACK was asked for

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = {"exception_class": self.exception_class, "message": self.message}
        if self.traceback is not None:
            data["traceback"] = self.traceback
        return data

    @classmethod
    def from_dict(cls, data: Data) -> Failure:
        """What ``as_dict`` gave."""
        traceback = data.get("traceback")
        return cls(
            exception_class=of_type(data["exception_class"], str, "exception_class"),
            message=part(data, "message", str, ""),
            traceback=None if traceback is None else of_type(traceback, str, "traceback"),
        )


class Query(NamedTuple):
    """One SQL statement that a receiver sent."""

    alias: str  # database alias
    sql: str  # as sent to the driver: with placeholders, never the parameters
    duration_ns: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"alias": self.alias, "sql": self.sql, "duration_ns": self.duration_ns}

    @classmethod
    def from_dict(cls, data: Data) -> Query:
        """What ``as_dict`` gave."""
        return cls(
            alias=of_type(data["alias"], str, "alias"),
            sql=of_type(data["sql"], str, "sql"),
            duration_ns=of_type(data["duration_ns"], int, "duration_ns"),
        )


class NotCalled(NamedTuple):
    """A receiver that this dispatch did not reach, and why."""

    receiver: str
    path: str
    line: int
    reason: NotCalledReason
    detail: str  # for a person: "listens to sender gifts.models.GiftOrder only"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "receiver": self.receiver,
            "path": self.path,
            "line": self.line,
            "reason": self.reason.value,
            "detail": self.detail,
        }

    @classmethod
    def from_dict(cls, data: Data) -> NotCalled:
        """What ``as_dict`` gave."""
        return cls(
            receiver=of_type(data["receiver"], str, "receiver"),
            path=part(data, "path", str, ""),
            line=part(data, "line", int, 0),
            reason=NotCalledReason(data["reason"]),
            detail=part(data, "detail", str, ""),
        )


@dataclass(slots=True, kw_only=True)
class ReceiverCall:
    """One receiver's part in a dispatch; ``Dispatch.calls`` has them in the order of responses."""

    receiver: str  # module.qualname
    path: str  # source file, "" when it has none
    line: int  # first line of its definition, 0 when unknown
    is_async: bool
    outcome: Outcome
    offset_ns: int | None = None  # from the start of the dispatch; None: never started
    duration_ns: int = 0
    self_ns: int = 0  # without the dispatches that it sent
    response: Summary | None = None  # None unless Details.RESPONSE was asked for
    failure: Failure | None = None
    query_count: int = 0  # its own queries, without those of nested dispatches
    query_ns: int = 0
    queries_by_time: int = 0  # how many of them other threads and tasks sent while it ran
    queries: tuple[Query, ...] = ()  # at most Limits.statements; see query_count
    timed: bool = True  # False: times are unknown (an overriding send() was watched from outside)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data: dict[str, Any] = {
            "receiver": self.receiver,
            "path": self.path,
            "line": self.line,
            "is_async": self.is_async,
            "outcome": self.outcome._value_,  # faster than the property
            "duration_ns": self.duration_ns,
            "self_ns": self.self_ns,
            "query_count": self.query_count,
            "query_ns": self.query_ns,
            "queries_by_time": self.queries_by_time,
            "timed": self.timed,
        }
        if self.offset_ns is not None:
            data["offset_ns"] = self.offset_ns
        if self.response is not None:
            data["response"] = self.response.as_dict()
        if self.failure is not None:
            data["failure"] = self.failure.as_dict()
        if self.queries:
            data["queries"] = [query.as_dict() for query in self.queries]
        return data

    @classmethod
    def from_dict(cls, data: Data) -> ReceiverCall:
        """What ``as_dict`` gave."""
        try:
            values = _values_of_call(data)
        except KeyError:  # some of these may be absent or None
            values = _checked(data)
        outcome = _OUTCOMES.get(values[4])
        if (
            outcome is None
            or tuple(map(type, values)) != _TYPES_OF_CALL
            or min(ints := _ints_of_call(values)) < LEAST
            or max(ints) > MOST
        ):
            values = _checked(data)
            outcome = Outcome(values[4])
        receiver, path, line, is_async, _, duration_ns, self_ns, count, ns, by_time, timed = values
        get = data.get
        offset, response, failure = get("offset_ns"), get("response"), get("failure")
        queries = get("queries")
        return cls(
            receiver=receiver,
            path=path,
            line=line,
            is_async=is_async,
            outcome=outcome,
            offset_ns=None if offset is None else of_type(offset, int, "offset_ns"),
            duration_ns=duration_ns,
            self_ns=self_ns,
            response=None if response is None else Summary.from_dict(response),
            failure=None if failure is None else Failure.from_dict(failure),
            query_count=count,
            query_ns=ns,
            queries_by_time=by_time,
            queries=tuple([Query.from_dict(query) for query in queries]) if queries else (),
            timed=timed,
        )


_OUTCOMES: Final[dict[object, Outcome]] = {str(outcome): outcome for outcome in Outcome}

#: The keys that ``ReceiverCall.as_dict`` always writes: their types, and the defaults for JSON
#: that leaves them out; None if a key is required.
_CALL: Final[dict[str, tuple[type, Any]]] = {
    "receiver": (str, None),
    "path": (str, ""),
    "line": (int, 0),
    "is_async": (bool, None),
    "outcome": (str, None),
    "duration_ns": (int, None),
    "self_ns": (int, 0),
    "query_count": (int, 0),
    "query_ns": (int, 0),
    "queries_by_time": (int, 0),
    "timed": (bool, True),
}
_values_of_call: Final = itemgetter(*_CALL)
_TYPES_OF_CALL: Final = tuple([kind for kind, _ in _CALL.values()])
_ints_of_call: Final = itemgetter(*[at for at, kind in enumerate(_TYPES_OF_CALL) if kind is int])


def _checked(data: Data) -> tuple[Any, ...]:
    """The values of ``_CALL``. Raises KeyError or ValueError for what is missing or wrong."""
    return tuple(
        [
            of_type(data[key], kind, key) if absent is None else part(data, key, kind, absent)
            for key, (kind, absent) in _CALL.items()
        ]
    )


class Tally:
    """The queries of one receiver call, while they are counted."""

    __slots__ = ("by_time", "count", "ns", "statements")

    def __init__(self) -> None:
        self.count = 0
        self.ns = 0
        self.by_time = 0  # how many of `count` another thread or task sent
        self.statements: list[Query] = []


class Busy:
    """Time covered by nested dispatches, which may overlap and end in any order.

    Intervals arrive in the order of their ends. Only the latest few are kept apart: only a
    dispatch that outlived all of those could still overlap an older one.
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
