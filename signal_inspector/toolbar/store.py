"""``StoredDispatch``: a dispatch as the toolbar's store gives it back."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from signal_inspector.dispatches import Dispatch
from signal_inspector.records import (
    Caller,
    Failure,
    NotCalled,
    NotCalledReason,
    Outcome,
    Query,
    ReceiverCall,
    SendMethod,
    Summary,
    Unseen,
    plain,
)

FAILED = frozenset({Outcome.RAISED, Outcome.SKIPPED, Outcome.CANCELLED})

_TABLES = (
    "heads",
    "receivers",
    "frames",
    "stacks",
    "summaries",
    "failures",
    "sql",
    "not_called",
    "traces",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDispatch:
    """A dispatch as it comes back from the store. The fields mean what ``Dispatch`` says."""

    index: int  # place in the request, from 0
    id: str
    parent_id: str | None
    parent_call: int | None
    by_time: bool = False
    trace_id: str = ""
    span_id: str = ""
    trace_sampled: bool | None = None
    signal: str
    sender: str
    method: SendMethod
    started_at: str  # ISO 8601, UTC
    start_ns: int
    duration_ns: int
    outcome: Outcome
    unseen: Unseen | None = None
    caller: Caller | None
    project_caller: Caller | None = None
    stack: tuple[Caller, ...]
    payload: dict[str, Summary] | None
    payload_dropped: int
    in_transaction: bool | None
    rolled_back: bool | None
    calls: tuple[ReceiverCall, ...]
    not_called: tuple[NotCalled, ...]

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns

    @property
    def is_orphan(self) -> bool:
        """Whether nobody received it, and nobody will."""
        return self.outcome is Outcome.RETURNED and not self.calls and self.unseen is None

    @property
    def has_failed(self) -> bool:
        """Whether it, or a receiver of it, raised, was skipped or was cancelled."""
        return self.outcome in FAILED or any(call.outcome in FAILED for call in self.calls)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON: what ``Dispatch.as_dict`` gave before it was stored."""
        payload = self.payload
        return {
            "id": self.id,
            "parent_id": self.parent_id,
            "parent_call": self.parent_call,
            "by_time": self.by_time,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "trace_sampled": self.trace_sampled,
            "signal": self.signal,
            "sender": self.sender,
            "method": self.method.value,
            "started_at": self.started_at,
            "start_ns": self.start_ns,
            "duration_ns": self.duration_ns,
            "outcome": self.outcome.value,
            "unseen": None if self.unseen is None else self.unseen.value,
            "caller": None if self.caller is None else self.caller._asdict(),
            "project_caller": (
                None if self.project_caller is None else self.project_caller._asdict()
            ),
            "stack": [list(frame) for frame in self.stack],
            "payload": None if payload is None else {k: v.as_dict() for k, v in payload.items()},
            "payload_dropped": self.payload_dropped,
            "in_transaction": self.in_transaction,
            "rolled_back": self.rolled_back,
            "calls": [call.as_dict() for call in self.calls],
            "not_called": [plain(receiver) for receiver in self.not_called],
        }


class _Table:
    """Values stored once, by the number of their first appearance."""

    __slots__ = ("_numbers", "rows")

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self.rows: list[Any] = []

    def number(self, key: Hashable) -> int | None:
        return self._numbers.get(key)

    def add(self, key: Hashable, row: Any) -> int:
        number = self._numbers[key] = len(self.rows)
        self.rows.append(row)
        return number

    def put(self, key: Hashable) -> int:
        """The number of a value that is stored as it is."""
        number = self._numbers.get(key)
        return self.add(key, key) if number is None else number


def pack(dispatches: Iterable[Dispatch]) -> dict[str, Any]:
    """Plain data for the store."""
    tables = {name: _Table() for name in _TABLES}
    rows = [_pack_dispatch(dispatch, tables) for dispatch in dispatches]
    return {**{name: table.rows for name, table in tables.items()}, "dispatches": rows}


def _pack_dispatch(dispatch: Dispatch, tables: Mapping[str, _Table]) -> list[Any]:
    payload = dispatch.payload
    caller, project = dispatch.caller, dispatch.project_caller
    stack = dispatch.stack
    parent = dispatch.parent_id
    return [
        str(dispatch.id),
        None if parent is None else str(parent),
        [dispatch.parent_call, dispatch.by_time] if dispatch.by_time else dispatch.parent_call,
        _pack_trace(dispatch, tables) if dispatch.trace else None,
        tables["heads"].put((dispatch.signal, dispatch.sender, dispatch.method.value)),
        dispatch.started_at.isoformat(),
        dispatch.start_ns,
        dispatch.duration_ns,
        dispatch.outcome.value,
        None if dispatch.unseen is None else dispatch.unseen.value,
        None if caller is None else tables["frames"].put(caller),
        None if project is None else tables["frames"].put(project),
        _pack_stack(stack, tables) if stack else None,
        None
        if payload is None
        else [[key, _pack_summary(value, tables)] for key, value in payload.items()],
        dispatch.payload_dropped,
        dispatch.in_transaction,
        dispatch.rolled_back,
        [_pack_call(call, tables) for call in dispatch.calls],
        _pack_not_called(dispatch.not_called, tables) if dispatch.not_called else None,
    ]


def _pack_trace(dispatch: Dispatch, tables: Mapping[str, _Table]) -> list[Any]:
    trace = tables["traces"].put(dispatch.trace_id)
    return [trace, dispatch.span_id, dispatch.trace_sampled]


def _pack_stack(stack: tuple[Caller, ...], tables: Mapping[str, _Table]) -> int:
    number = tables["stacks"].number(stack)
    if number is None:
        frames = [tables["frames"].put(frame) for frame in stack]
        number = tables["stacks"].add(stack, frames)
    return number


def _pack_summary(summary: Summary, tables: Mapping[str, _Table]) -> int:
    # `type` tells True from 1 and 1.0, which are one key otherwise.
    table = tables["summaries"]
    number = table.number(summary)
    if number is None:
        items = [[key, _pack_summary(item, tables)] for key, item in summary.items]
        row = [summary.kind, summary.type, summary.text, summary.value, items, summary.truncated]
        number = table.add(summary, row)
    return number


def _pack_not_called(receivers: tuple[NotCalled, ...], tables: Mapping[str, _Table]) -> int:
    number = tables["not_called"].number(receivers)
    if number is None:
        number = tables["not_called"].add(receivers, [plain(item) for item in receivers])
    return number


def _pack_call(call: ReceiverCall, tables: Mapping[str, _Table]) -> list[Any]:
    failure = call.failure
    key = None
    if failure is not None:
        key = (failure.exception_class, failure.message, failure.traceback)
    return [
        tables["receivers"].put((call.receiver, call.path, call.line, call.is_async)),
        call.outcome.value,
        call.offset_ns,
        call.duration_ns,
        call.self_ns,
        None if call.response is None else _pack_summary(call.response, tables),
        None if key is None else tables["failures"].put(key),
        call.query_count,
        call.query_ns,
        [
            [tables["sql"].put((query.alias, query.sql)), query.duration_ns]
            for query in call.queries
        ],
        call.timed,
        call.queries_by_time,
    ]


def unpack(data: Mapping[str, Any]) -> list[StoredDispatch]:
    """The dispatches that ``pack`` stored, in their order."""
    tables = _Unpacked(data)
    return [_unpack_dispatch(i, row, tables) for i, row in enumerate(data["dispatches"])]


class _Unpacked:
    """The tables as records again, each made once and shared."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.heads = data["heads"]
        self.receivers = data["receivers"]
        self.sql = data["sql"]
        self.traces = data["traces"]
        self.frames = [Caller(*frame) for frame in data["frames"]]
        self.stacks = [tuple(self.frames[i] for i in stack) for stack in data["stacks"]]
        self.failures = [
            Failure(exception_class=name, message=message, traceback=traceback)
            for name, message, traceback in data["failures"]
        ]
        self.not_called = [
            tuple(
                NotCalled(**{**item, "reason": NotCalledReason(item["reason"])}) for item in items
            )
            for items in data["not_called"]
        ]
        self.summaries: list[Summary] = []
        for kind, type_, text, value, items, truncated in data["summaries"]:
            # Items were stored before the collection that holds them.
            inside = tuple((key, self.summaries[number]) for key, number in items)
            self.summaries.append(
                Summary(
                    kind=kind,
                    type=type_,
                    text=text,
                    value=value,
                    items=inside,
                    truncated=truncated,
                )
            )


def _unpack_dispatch(index: int, row: list[Any], tables: _Unpacked) -> StoredDispatch:
    # In the order of `_pack_dispatch`.
    cell = iter(row).__next__
    id_, parent_id, parent_call, trace = cell(), cell(), cell(), cell()
    signal, sender, method = tables.heads[cell()]
    started_at, start_ns, duration_ns, outcome, unseen = cell(), cell(), cell(), cell(), cell()
    caller, project = cell(), cell()
    stack, payload, payload_dropped = cell(), cell(), cell()
    in_transaction, rolled_back, calls, not_called = cell(), cell(), cell(), cell()
    return StoredDispatch(
        index=index,
        id=id_,
        parent_id=parent_id,
        parent_call=parent_call[0] if isinstance(parent_call, list) else parent_call,
        by_time=isinstance(parent_call, list),
        trace_id="" if trace is None else tables.traces[trace[0]],
        span_id="" if trace is None else trace[1],
        trace_sampled=None if trace is None else trace[2],
        signal=signal,
        sender=sender,
        method=SendMethod.named(method),
        started_at=started_at,
        start_ns=start_ns,
        duration_ns=duration_ns,
        outcome=Outcome(outcome),
        unseen=None if unseen is None else Unseen(unseen),
        caller=None if caller is None else tables.frames[caller],
        project_caller=None if project is None else tables.frames[project],
        stack=() if stack is None else tables.stacks[stack],
        payload=None if payload is None else {key: tables.summaries[n] for key, n in payload},
        payload_dropped=payload_dropped,
        in_transaction=in_transaction,
        rolled_back=rolled_back,
        calls=tuple(_unpack_call(call, tables) for call in calls),
        not_called=() if not_called is None else tables.not_called[not_called],
    )


def _unpack_call(row: list[Any], tables: _Unpacked) -> ReceiverCall:
    head, outcome, offset, duration, self_ns, response, failure, count, ns, queries = row[:10]
    timed, by_time = row[10:]
    receiver, path, line, is_async = tables.receivers[head]
    return ReceiverCall(
        receiver=receiver,
        path=path,
        line=line,
        is_async=is_async,
        outcome=Outcome(outcome),
        offset_ns=offset,
        duration_ns=duration,
        self_ns=self_ns,
        response=None if response is None else tables.summaries[response],
        failure=None if failure is None else tables.failures[failure],
        query_count=count,
        query_ns=ns,
        queries=tuple(
            Query(alias=tables.sql[n][0], sql=tables.sql[n][1], duration_ns=took)
            for n, took in queries
        ),
        timed=timed,
        queries_by_time=by_time,
    )
