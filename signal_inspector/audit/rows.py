"""Dispatches as rows: named tuples of text, numbers and None, with names as text.

Rows are clean (no database refuses their values) and can be encoded as JSON. So a delivery may
keep them in a file or send them elsewhere, and write them later or in another process. Times are
microseconds since 1970 until they are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from signal_inspector.audit.attribution.circumstances import Circumstances
from signal_inspector.audit.models import (
    ENDINGS,
    METHODS,
    OBJECT_KEY_LENGTH,
    ORIGIN_NAME_LENGTH,
    OWN_METHOD_LENGTH,
    REQUEST_ID_LENGTH,
    UNSEEN,
    Method,
    NameKind,
    TransactionOutcome,
)
from signal_inspector.audit.payloads import carried_objects, payload_text, response_text
from signal_inspector.audit.sanitize import (
    INTEGER,
    SMALL,
    bounded,
    clean,
    name_text,
    storable,
)
from signal_inspector.audit.settings import Policy
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Caller, Outcome, ReceiverCall, Summary
from signal_inspector.display.text import place


class DispatchRow(NamedTuple):
    """A dispatch.

    In a bound row, ids and times have the format of the database, and names are numbers.
    """

    id: Any
    started_at: Any
    duration_ns: int
    signal_id: Any
    sender_id: Any
    caller_id: Any
    project_caller_id: Any
    process_id: Any
    delivery_id: Any
    method: int
    own_method: str
    outcome: int
    unseen: int | None
    is_failed: int | None
    receiver_count: int
    failed_count: int
    skipped_count: int
    parent_id: Any
    parent_call: int | None
    by_time: int | None
    transaction_outcome: int
    transaction_id: Any
    query_count: int
    query_ns: int
    actor: str | None
    actor_label: str
    request_id: str | None
    origin: int
    origin_name: str
    client: str | None
    trace_id: str | None
    span_id: str
    trace_sampled: int | None
    payload: str
    payload_dropped: int
    written_at: Any


class CallRow(NamedTuple):
    """A receiver call of a dispatch; bound in the same way."""

    dispatch_id: Any
    index: int  # type: ignore[assignment]
    receiver_id: Any
    location_id: Any
    exception_id: Any
    outcome: int
    is_async: bool
    offset_ns: int | None
    duration_ns: int
    self_ns: int
    query_count: int
    query_ns: int
    message: str
    traceback: str
    response: str
    queries_by_time: int


class ObjectRow(NamedTuple):
    """An object that a dispatch carries; bound in the same way."""

    model_id: Any
    object_pk: str
    dispatch_id: Any


Row = TypeVar("Row", DispatchRow, CallRow, ObjectRow)

DISPATCH_COLUMNS: Final = DispatchRow._fields
CALL_COLUMNS: Final = CallRow._fields
OBJECT_COLUMNS: Final = ObjectRow._fields

#: The columns of a row that hold a name, with the kind of the name.
DISPATCH_NAMES: Final = {
    "signal_id": NameKind.SIGNAL,
    "sender_id": NameKind.SENDER,
    "caller_id": NameKind.CALLER,
    "project_caller_id": NameKind.CALLER,
    "process_id": NameKind.PROCESS,
    "delivery_id": NameKind.DELIVERY,
}
CALL_NAMES: Final = {
    "receiver_id": NameKind.RECEIVER,
    "location_id": NameKind.LOCATION,
    "exception_id": NameKind.EXCEPTION,
}
OBJECT_NAMES: Final = {"model_id": NameKind.MODEL}
_LINE_LENGTH: Final = 10  # no line number has so many digits
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Item(NamedTuple):
    """What the sink hands to a delivery: cheap to make, and turned into rows when written."""

    dispatch: Dispatch
    circumstances: Circumstances
    policy: Policy


class Rows(NamedTuple):
    """All rows of one dispatch. ``Rows.read(json.loads(json.dumps(rows)))`` is equivalent."""

    dispatch: DispatchRow
    calls: list[CallRow]
    objects: list[ObjectRow]

    @classmethod
    def read(cls, content: Iterable[Any]) -> Rows:
        """Make rows of what was read from JSON.

        The number of columns is not checked: the database refuses rows of another version.
        """
        dispatch, calls, objects = content
        return cls(
            tuple.__new__(DispatchRow, dispatch),
            [tuple.__new__(CallRow, call) for call in calls],
            [tuple.__new__(ObjectRow, key) for key in objects],
        )

    @property
    def id(self) -> str:
        """The id of the dispatch, as text."""
        return str(self.dispatch.id)


def render(
    item: Item,
    *,
    process: str,
    delivery: str,
    outcome: TransactionOutcome = TransactionOutcome.UNKNOWN,
    transaction: UUID | None = None,
) -> Rows:
    """The rows of a dispatch that has ended, with the outcome of its transaction.

    The time of writing is 0 here; the writer sets it. ``process`` and ``delivery`` are names, such
    as "web-2, pid 4127, uvicorn" and "buffered".
    """
    dispatch, around, policy = item
    id_ = dispatch.id_text
    calls = dispatch.calls
    failed = sum([call.outcome is Outcome.RAISED for call in calls])
    skipped = sum([call.outcome is Outcome.SKIPPED for call in calls])
    payload = dispatch.payload
    row = DispatchRow(  # by position: names would take three times as long
        id_,
        dispatch.started_ns // 1_000,
        bounded(dispatch.duration_ns),
        name_text(dispatch.signal),
        name_text(dispatch.sender),
        _caller(dispatch.caller),
        _caller(dispatch.project_caller),
        name_text(process),
        name_text(delivery),
        METHODS.get(dispatch.method, int(Method.OWN)),
        clean(dispatch.method.value, OWN_METHOD_LENGTH) if dispatch.method.is_own else "",
        ENDINGS[dispatch.outcome],
        None if dispatch.unseen is None else UNSEEN[dispatch.unseen],
        1 if failed or dispatch.outcome in (Outcome.RAISED, Outcome.CANCELLED) else None,
        bounded(len(calls), SMALL),
        bounded(failed, SMALL),
        bounded(skipped, SMALL),
        None if dispatch.parent_id is None else str(dispatch.parent_id),
        None if dispatch.parent_call is None else bounded(dispatch.parent_call, SMALL),
        1 if dispatch.by_time else None,
        int(outcome),
        None if transaction is None else str(transaction),
        bounded(dispatch.query_count, INTEGER),
        bounded(dispatch.query_ns),
        around.actor or None,
        around.actor_label,
        clean(around.request_id, REQUEST_ID_LENGTH) or None,
        int(around.origin),
        clean(around.origin_name, ORIGIN_NAME_LENGTH),
        around.client,
        dispatch.trace_id or None,
        dispatch.span_id,
        None if dispatch.trace_sampled is None else int(dispatch.trace_sampled),
        "" if payload is None else payload_text(payload, policy.payload),
        bounded(dispatch.payload_dropped, INTEGER),
        0,
    )
    return Rows(
        row,
        [_call(id_, index, call, policy) for index, call in enumerate(calls[: SMALL + 1])],
        _objects(id_, payload or {}) if policy.payload != "none" else [],
    )


def in_ascii(rows: Rows) -> Rows:
    """The rows with all non-ASCII characters escaped, for databases with a smaller character set.

    The escapes are those of JSON, so payloads keep their meaning.
    """
    return Rows(
        _row_in_ascii(rows.dispatch),
        [_row_in_ascii(row) for row in rows.calls],
        [_row_in_ascii(row) for row in rows.objects],
    )


def _row_in_ascii(row: Row) -> Row:
    values = [_NOT_ASCII.sub(_escape, each) if type(each) is str else each for each in row]
    return tuple.__new__(type(row), values)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]


def _call(dispatch_id: str, index: int, call: ReceiverCall, policy: Policy) -> CallRow:
    failure = call.failure
    return CallRow(
        dispatch_id,
        index,
        name_text(call.receiver),
        name_text(place(call.path, call.line)) or None,
        None if failure is None else name_text(failure.exception_class),
        ENDINGS[call.outcome],
        bool(call.is_async),
        call.offset_ns if call.timed else None,
        bounded(call.duration_ns),
        bounded(call.self_ns),
        bounded(call.query_count, INTEGER),
        bounded(call.query_ns),
        "" if failure is None else storable(failure.message),
        storable(failure.traceback or "") if failure is not None and policy.tracebacks else "",
        response_text(call.response) if policy.responses else "",
        bounded(call.queries_by_time, INTEGER),
    )


def _objects(dispatch_id: str, payload: Mapping[str, Summary]) -> list[ObjectRow]:
    keys = {
        (name_text(label), clean(key, OBJECT_KEY_LENGTH))
        for label, key in carried_objects(payload)
    }
    return [ObjectRow(label, key, dispatch_id) for label, key in sorted(keys)]


def _caller(caller: Caller | None) -> str | None:
    if caller is None:
        return None
    return name_text(f"{place(caller.path, caller.line)} {caller.function}")


def read_caller(text: str) -> Caller:
    """The caller in the text of a row, such as "shop/services.py:131 place_order"."""
    at, space, function = text.rpartition(" ")
    return Caller(*read_place(at), function) if space else Caller(*read_place(text), "")


def read_place(text: str) -> tuple[str, int]:
    """Path and line in the text of a row, such as "shop/receivers.py:18"; 0 without a line."""
    path, _, line = text.rpartition(":")
    is_line = bool(path) and line.isdecimal() and len(line) < _LINE_LENGTH
    return (path, int(line)) if is_line else (text, 0)
