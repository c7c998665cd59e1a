"""What is kept of a dispatch: plain values that keep nothing of the user's alive."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Flag, StrEnum
from typing import Any, NamedTuple


class SendMethod(StrEnum):
    """The method of ``django.dispatch.Signal`` that the sender called.

    A sending method of a subclass's own (``send_chained``) is a member by its name too, which is
    not among those that iteration gives.
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
        """Whether it is a subclass's own, and none of the four that Signal has."""
        return self._name_ not in type(self).__members__

    @classmethod
    def named(cls, name: str) -> SendMethod:
        """The member of this value, made where it is a method of a subclass's own."""
        known = cls._value2member_map_.get(name)
        if known is None:
            known = str.__new__(cls, name)
            known._name_, known._value_ = f"OWN_{name}", name
            known = cls._value2member_map_.setdefault(name, known)
        return known  # type: ignore[return-value]


class Unseen(StrEnum):
    """What is to be said of receivers that a dispatch has, and whose calls nobody saw.

    They are those of a Signal subclass whose own method ended without Signal's.
    """

    PUT_OFF = "put off"  # none was called: it is queued, sent on commit, elsewhere or not at all
    UNTOLD = "untold"  # the method called them itself: `calls` has those that it may have called


class Outcome(StrEnum):
    """How a receiver call, or a whole dispatch, ended."""

    RETURNED = "returned"
    RAISED = "raised"
    SKIPPED = "skipped"  # never ran: an earlier receiver raised
    CANCELLED = "cancelled"  # its task was cancelled
    RUNNING = "running"  # has not ended (Django 5.2 and 6.0 leave siblings of a failure running)


class Details(Flag):
    """What a listener wants gathered beyond names, outcomes, times and query counts.

    Each costs something on every dispatch, so nothing is gathered unless somebody asked.
    """

    NONE = 0
    CALLER = 1  # file, line and function of the send
    STACK = 2  # the whole call stack of the send
    PAYLOAD = 4  # a safe, redacted summary of the arguments
    RESPONSE = 8  # the same of what each receiver returned
    TRACEBACK = 16  # the text of tracebacks
    STATEMENTS = 32  # the SQL text of each receiver's queries
    TRANSACTION = 64  # whether a transaction was open, and whether it rolled back
    NOT_CALLED = 128  # connected receivers that were not called, and why
    TRACE = 256  # the trace of OpenTelemetry that it was sent in, sampled or not
    ALL = 511


class NotCalledReason(StrEnum):
    """Why a receiver that is, or was, connected to the signal was not called."""

    OTHER_SENDER = "other sender"
    DEAD = "dead reference"
    TAKEN_OUT = "taken out"  # of ``signal.receivers``, as factory_boy's mute_signals() does


class ReceiverName(NamedTuple):
    """Where a receiver lives: ``module.qualname``, source file and first line."""

    name: str
    path: str
    line: int


class Caller(NamedTuple):
    """A frame of the code that sent the signal."""

    path: str
    line: int
    function: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is kept of a value: enough to read, never the value itself."""

    kind: str  # "plain", "model", "collection", "object", "redacted" or "unreadable"
    type: str  # dotted name of the value's type
    text: str  # one line, capped: "shop.Order:42", "'web'", "list of 12", "redacted"
    #: For "plain" kinds that JSON can hold. Of a "model" the alias of its database, if that is
    #: not "default"; False of a dict if its keys are told only in words.
    value: bool | int | float | str | None = None
    items: tuple[tuple[str, Summary], ...] = ()  # of a collection: key or index, and value
    truncated: bool = False  # whether text or items were cut

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data: dict[str, Any] = {"kind": self.kind, "type": self.type, "text": self.text}
        if self.kind == "plain":
            data["value"] = self.value
        if self.items:
            data["items"] = [[key, item.as_dict()] for key, item in self.items]
        if self.truncated:
            data["truncated"] = True
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An exception that a receiver raised."""

    exception_class: str  # dotted name
    message: str  # str() of the exception, capped and cleaned
    traceback: str | None = None  # text, capped; None unless Details.TRACEBACK was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One SQL statement that a receiver sent."""

    alias: str  # database alias
    sql: str  # as sent to the driver: with placeholders, never the parameters
    duration_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCalled:
    """A receiver that this dispatch did not reach, and why."""

    receiver: str
    path: str
    line: int
    reason: NotCalledReason
    detail: str  # for a person: "listens to sender gifts.models.GiftOrder only"


@dataclass(slots=True, kw_only=True)
class ReceiverCall:
    """One receiver's part in a dispatch, in the order of Django's responses."""

    receiver: str  # module.qualname
    path: str  # source file, "" when it has none
    line: int  # first line of its definition, 0 when unknown
    is_async: bool
    outcome: Outcome
    offset_ns: int | None = None  # from the start of the dispatch; None: never started
    duration_ns: int = 0
    self_ns: int = 0  # without the dispatches it sent on
    response: Summary | None = None  # None unless Details.RESPONSE was asked for
    failure: Failure | None = None
    query_count: int = 0  # its own queries, without those of nested dispatches
    query_ns: int = 0
    queries_by_time: int = 0  # of them, those of other threads and tasks, which ran meanwhile
    queries: tuple[Query, ...] = ()  # at most LIMITS["STATEMENTS"]; see query_count
    timed: bool = True  # False: times are unknown (an overriding send() was watched from outside)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        data = {field.name: getattr(self, field.name) for field in fields(self)}
        data["outcome"] = self.outcome.value
        data["response"] = None if self.response is None else self.response.as_dict()
        data["failure"] = None if self.failure is None else plain(self.failure)
        data["queries"] = [plain(query) for query in self.queries]
        return data


def plain(record: Failure | Query | NotCalled) -> dict[str, Any]:
    """A frozen record as plain data for JSON."""
    data = {field.name: getattr(record, field.name) for field in fields(record)}
    if isinstance(record, NotCalled):
        data["reason"] = record.reason.value
    return data
