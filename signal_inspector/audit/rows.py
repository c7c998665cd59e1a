"""What was dispatched, as rows: plain tuples of text, numbers and None, names still as text.

Rows are clean (no database refuses them for what they hold) and plain enough for JSON, so that a
delivery may keep them in a file or send them elsewhere, and write them later or in another
process. Times are microseconds since 1970 until they are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

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
from signal_inspector.audit.policies import Policy
from signal_inspector.audit.sanitize import (
    INTEGER,
    SMALL,
    bounded,
    clean,
    name_text,
    place,
    storable,
)
from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Caller, Outcome, ReceiverCall, Summary

Row = tuple[Any, ...]

DISPATCH_COLUMNS: Final = (
    "id",
    "started_at",
    "duration_ns",
    "signal_id",
    "sender_id",
    "caller_id",
    "project_caller_id",
    "process_id",
    "delivery_id",
    "method",
    "own_method",
    "outcome",
    "unseen",
    "is_failed",
    "receiver_count",
    "failed_count",
    "skipped_count",
    "parent_id",
    "parent_call",
    "by_time",
    "transaction_outcome",
    "transaction_id",
    "query_count",
    "query_ns",
    "actor",
    "actor_label",
    "request_id",
    "origin",
    "origin_name",
    "client",
    "trace_id",
    "span_id",
    "trace_sampled",
    "payload",
    "payload_dropped",
    "written_at",
)
CALL_COLUMNS: Final = (
    "dispatch_id",
    "index",
    "receiver_id",
    "location_id",
    "exception_id",
    "outcome",
    "is_async",
    "offset_ns",
    "duration_ns",
    "self_ns",
    "query_count",
    "query_ns",
    "message",
    "traceback",
    "response",
    "queries_by_time",
)
OBJECT_COLUMNS: Final = ("model_id", "object_pk", "dispatch_id")

#: Which columns of a row hold a name, and of which kind.
DISPATCH_NAMES: Final = (
    (3, NameKind.SIGNAL),
    (4, NameKind.SENDER),
    (5, NameKind.CALLER),
    (6, NameKind.CALLER),
    (7, NameKind.PROCESS),
    (8, NameKind.DELIVERY),
)
CALL_NAMES: Final = ((2, NameKind.RECEIVER), (3, NameKind.LOCATION), (4, NameKind.EXCEPTION))
OBJECT_NAMES: Final = ((0, NameKind.MODEL),)
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Item(NamedTuple):
    """What a sink hands to a delivery: cheap to make, and put into rows where it is written."""

    dispatch: Dispatch
    circumstances: Circumstances
    policy: Policy


class Rows(NamedTuple):
    """All rows of one dispatch. ``Rows(*json.loads(json.dumps(rows)))`` is as good as it."""

    dispatch: Row  # as DISPATCH_COLUMNS
    calls: list[Row]  # as CALL_COLUMNS
    objects: list[Row]  # as OBJECT_COLUMNS

    @property
    def id(self) -> str:
        """The id of the dispatch, as text."""
        return str(self.dispatch[0])


def render(item: Item, *, process: str, delivery: str) -> Rows:
    """The rows of a dispatch that has ended.

    The end of its transaction is for ``with_outcome`` to fill in, the time of writing
    (0 here) for the writer. ``process`` and ``delivery`` are names: "web-2, pid 4127, uvicorn"
    and "buffered".
    """
    dispatch, around, policy = item
    id_ = dispatch.id_text
    calls = dispatch.calls
    failed = sum([call.outcome is Outcome.RAISED for call in calls])
    skipped = sum([call.outcome is Outcome.SKIPPED for call in calls])
    payload = dispatch.payload
    row = (
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
        int(TransactionOutcome.UNKNOWN),
        None,
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
    """The same with escapes for all but ASCII, for a database whose character set is narrower.

    The escapes are JSON's, so payloads stay what they are.
    """
    return Rows(
        _row_in_ascii(rows.dispatch),
        [_row_in_ascii(row) for row in rows.calls],
        [_row_in_ascii(row) for row in rows.objects],
    )


def _row_in_ascii(row: Row) -> Row:
    return tuple([_NOT_ASCII.sub(_escape, each) if type(each) is str else each for each in row])


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1]


def _call(dispatch_id: str, index: int, call: ReceiverCall, policy: Policy) -> Row:
    failure = call.failure
    return (
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


def _objects(dispatch_id: str, payload: Mapping[str, Summary]) -> list[Row]:
    keys = {
        (name_text(label), clean(key, OBJECT_KEY_LENGTH))
        for label, key in carried_objects(payload)
    }
    return [(label, key, dispatch_id) for label, key in sorted(keys)]


def _caller(caller: Caller | None) -> str | None:
    if caller is None:
        return None
    return name_text(f"{place(caller.path, caller.line)} {caller.function}")
