"""The rows under a dispatch: its facts, its receivers, and those that were not called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from signal_inspector.conf import get_config
from signal_inspector.core.record.dispatch import FAILED, Dispatch
from signal_inspector.core.record.values import Outcome, Query, ReceiverCall, SendMethod
from signal_inspector.display import numbers
from signal_inspector.display.numbers import (
    duration,
    integer,
    more_arguments,
    plural,
    queries_in,
    took,
)
from signal_inspector.display.outcomes import NOT_CALLED, OutcomeWords
from signal_inspector.display.parts import (
    Argument,
    Badge,
    ErrorLine,
    Frame,
    Place,
    TextLine,
    TraceLink,
    arguments,
    error_line,
    trace_link,
    traceback_lines,
)
from signal_inspector.display.text import DottedName, dotted, last_part, short_id
from signal_inspector.display.timeline import Lane, Scale, call_lane
from signal_inspector.toolbar.cells import (
    call_outcome,
    editor_href,
    payload_line,
    place,
    raw_ms,
    stack_frames,
)
from signal_inspector.toolbar.dispatch_rows import RowBase
from signal_inspector.toolbar.grouping import Node
from signal_inspector.toolbar.requests import audit_href

_NOT_CALLED = OutcomeWords("none", "notcalled", NOT_CALLED)


def facts_row(node: Node, json_url: str, *, hidden: bool) -> FactsRow:
    """The row with a dispatch's arguments and where it was sent."""
    dispatch = node.first
    payload = dispatch.payload
    dropped = dispatch.payload_dropped
    stack = stack_frames(dispatch.stack)
    return FactsRow(
        id=f"{node.id}-f",
        parent=node.id,
        level=node.level,
        hidden=hidden,
        dispatch_id=dispatch.id_text,
        short_id=short_id(dispatch.id_text),
        id_href=audit_href(dispatch.signal, dispatch.id_text),
        json_url=json_url,
        trace=trace_link(
            get_config().trace_url,
            dispatch.trace_id,
            is_sampled=dispatch.trace_sampled is not False,
        ),
        payload_line=payload_line(payload) if payload else "",
        payload=tuple(arguments(payload.items())) if payload else (),
        payload_note=f"{more_arguments(dropped)}." if dropped else "",
        stack=stack,
        stack_title=f"Call stack ({len(stack)})" if stack else "",
    )


def call_row(
    node: Node,
    index: int,
    nested: Sequence[Dispatch],
    badges: Iterable[Badge],
    scale: Scale,
    *,
    hidden: bool,
) -> CallRow:
    """The row of a receiver call."""
    dispatch = node.first
    call = dispatch.calls[index]
    ran = call.outcome is not Outcome.SKIPPED
    failed = call.outcome in FAILED
    has_time = ran and call.timed
    own_time = numbers.self_time(call.duration_ns, call.self_ns) if has_time else ""
    return CallRow(
        id=f"{node.id}-c{index}",
        parent=node.id,
        level=node.level + 1,
        hidden=hidden,
        ms=raw_ms(call.duration_ns),
        failed=failed,
        keep=failed,
        order=str(index + 1),
        name=dotted(call.receiver),
        place=place(call.path, call.line),
        lane=call_lane(dispatch, call, nested, scale),
        outcome=call_outcome(dispatch, call),
        time=took(call.duration_ns) if has_time else "",
        time_note=f"self {own_time}" if own_time else "",
        sql=numbers.queries(call.query_count, call.query_ns),
        badges=(*_kind_badges(dispatch.method, call), *badges),
        error=error_line(call),
        dim=not ran,
        toggle=ran,
        toggle_label=f"Details of {last_part(call.receiver)}",
    )


def _kind_badges(method: SendMethod, call: ReceiverCall) -> list[Badge]:
    badges = []
    if call.is_async:
        badges.append(Badge(text="async"))
    elif method.is_async:
        badges.append(Badge(text="in a thread"))
    if not call.timed:
        badges.append(Badge(text="time unknown"))
    if call.queries_by_time:
        badges.append(Badge(text=f"{_some(call)} of another thread, matched by time"))
    return badges


def _some(call: ReceiverCall) -> str:
    count = plural(call.queries_by_time, "query", "queries")
    return count if call.queries_by_time < call.query_count else f"its {count}"


def call_facts_row(node: Node, index: int, *, sent: bool) -> CallFactsRow:
    """Traceback, queries and response of a receiver; ``sent``: whether it sent signals itself."""
    call = node.first.calls[index]
    traceback = call.failure.traceback if call.failure is not None else None
    queries = tuple(query_tables(call))
    response = call.response
    worth_a_table = response is not None and (response.items or response.truncated)
    quiet = ""
    if not (traceback or queries or worth_a_table):
        quiet = "No queries." if sent else "No queries, no nested dispatches."
    return CallFactsRow(
        id=f"{node.id}-c{index}-f",
        parent=f"{node.id}-c{index}",
        level=node.level + 1,
        hidden=True,
        traceback=traceback_lines(traceback, editor_href) if traceback else (),
        queries=queries,
        response=tuple(arguments([("returned", response)]))
        if response is not None and worth_a_table
        else (),
        quiet=quiet,
    )


def query_tables(call: ReceiverCall) -> Iterator[QueryTable]:
    """The queries of a receiver call, by database, with equal statements grouped."""
    if not call.query_count:
        return
    by_alias: dict[str, list[Query]] = {}
    for query in call.queries:
        by_alias.setdefault(query.alias, []).append(query)
    missing = call.query_count - len(call.queries)
    note = f"{plural(missing, 'more statement')} not kept." if missing else ""
    if len(by_alias) < 2:
        on = "".join(f" on {alias}" for alias in by_alias)
        title = f"{queries_in(call.query_count, call.query_ns)}{on}"
        yield QueryTable(title=title, statements=tuple(_statements(call.queries)), note=note)
        return
    for index, (alias, queries) in enumerate(by_alias.items(), 1):
        yield QueryTable(
            title=f"{queries_in(len(queries), sum(q.duration_ns for q in queries))} on {alias}",
            statements=tuple(_statements(queries)),
            note=note if index == len(by_alias) else "",
        )


def _statements(queries: Iterable[Query]) -> Iterator[StatementGroup]:
    equal: dict[str, list[int]] = {}
    for query in queries:
        equal.setdefault(query.sql, []).append(query.duration_ns)
    for statement, times in sorted(equal.items(), key=lambda pair: -sum(pair[1])):
        count = f"{integer(len(times))} \N{MULTIPLICATION SIGN}" if len(times) > 1 else "1"
        yield StatementGroup(times=count, sql=statement, time=duration(sum(times)))


def not_called_rows(node: Node, *, hidden: bool) -> Iterator[NotCalledRow]:
    """The rows of receivers that are or were connected, but were not called."""
    for index, receiver in enumerate(node.first.not_called):
        yield NotCalledRow(
            id=f"{node.id}-n{index}",
            parent=node.id,
            level=node.level + 1,
            hidden=hidden,
            name=dotted(receiver.receiver),
            place=place(receiver.path, receiver.line),
            reason=receiver.detail,
            outcome=_NOT_CALLED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementGroup:
    """Equal statements of one receiver call."""

    times: str  # "28" and a multiplication sign, or "1"
    sql: str
    time: str  # "7.6 ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTable:
    """The queries of a receiver call on one database."""

    title: str  # "31 queries in 8.7 ms on default"
    statements: tuple[StatementGroup, ...]
    note: str = ""  # "12 more statements not kept."


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsRow(RowBase):
    """The row right under an open dispatch: its arguments and where it was sent."""

    dispatch_id: str
    short_id: str  # "01a202bf…9f86"
    json_url: str  # this dispatch as JSON
    id_href: str = ""  # its row in the audit log; "" without one
    trace: TraceLink | None = None  # None if it was not traced
    payload_line: str = ""  # "order=shop.Order:42, user=auth.User:7"; "": none or not recorded
    payload: tuple[Argument, ...] = ()
    payload_note: str = ""  # "3 more arguments were not kept."
    stack: tuple[Frame, ...] = ()  # outermost first
    stack_title: str = ""  # "Call stack (3)"
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow(RowBase):
    """The row of a receiver call. The dispatches that the receiver sent are shown under it."""

    order: str  # "1"
    name: DottedName
    place: Place | None
    lane: Lane
    outcome: OutcomeWords
    time: str = ""  # "" if the receiver was not called
    time_note: str = ""  # "self 147.7 ms", only if different
    sql: str = ""
    badges: tuple[Badge, ...] = ()  # "async", "in a thread", advice
    error: ErrorLine | None = None
    dim: bool = False  # whether the receiver was skipped
    toggle: bool = True  # whether there is a CallFactsRow
    toggle_label: str = ""  # "Details of check_velocity"
    open: bool = False
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFactsRow(RowBase):
    """The row right under a receiver: its traceback, its queries and its response."""

    traceback: tuple[Frame | TextLine, ...] = ()
    queries: tuple[QueryTable, ...] = ()
    response: tuple[Argument, ...] = ()  # only if it does not fit into the receiver's own row
    quiet: str = ""  # "No query, no nested dispatch."
    kind: Literal["callfacts"] = "callfacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCalledRow(RowBase):
    """The row of a connected receiver that was not called."""

    name: DottedName
    place: Place | None
    reason: str  # "listens to sender gifts.models.GiftOrder only"; spans lane, time and SQL
    outcome: OutcomeWords
    kind: Literal["notcalled"] = "notcalled"
