"""The rows of a dispatch, of a group of equal dispatches, and of one dispatch in a group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome
from signal_inspector.display.numbers import duration, integer, percentile, queries, took
from signal_inspector.display.outcomes import OutcomeWords
from signal_inspector.display.parts import Badge, ErrorLine, Place, error_line
from signal_inspector.display.text import (
    DottedName,
    dotted,
    exception_name,
    last_part,
    listing,
    short_id,
    unique,
)
from signal_inspector.display.timeline import Lane, Scale, dispatch_lane, group_lane
from signal_inspector.toolbar.cells import about, dispatch_outcome, group_outcome, place, raw_ms
from signal_inspector.toolbar.grouping import Node, Tree

_MANY = 40  # a larger group shows the median with its maximum
_SEARCH = 2_000  # the most characters of search words for rows that are not in the page


@dataclass(frozen=True, slots=True)
class Remarks:
    """What the advice says about single rows, by (dispatch, receiver call or None)."""

    badges: dict[tuple[int, int | None], list[Badge]] = field(default_factory=dict)
    mend: frozenset[int] = frozenset()  # dispatches with something that should be fixed
    alone: bool = False  # the request sent only one dispatch, so there is space to show it open

    def of(self, dispatch: Dispatch, call: int | None = None) -> list[Badge]:
        return self.badges.get((dispatch.sequence, call), [])


def is_open(node: Node, remarks: Remarks) -> bool:
    """Whether a row starts open: if it is alone, or if something in it failed or needs fixing."""
    if node.is_member:
        return False
    return remarks.alone or any(d.has_failed or d.sequence in remarks.mend for d in node.members)


def dispatch_row(
    node: Node, tree: Tree, scale: Scale, remarks: Remarks, *, hidden: bool, fetch: str = ""
) -> DispatchRow:
    """The row of a node. With ``fetch`` it is closed, and has search words for what is inside."""
    first = node.first
    inside = list(_descendants(node, tree)) if fetch else list(node.members)
    failed = any(dispatch.has_failed for dispatch in inside)
    times = [member.duration_ns for member in node.members]
    caller = first.caller
    project = None if first.project_caller == caller else first.project_caller
    return DispatchRow(
        id=node.id,
        parent=node.parent,
        level=node.level,
        hidden=hidden,
        ms=raw_ms(sum(times)),
        failed=failed,
        keep=failed or any(dispatch.is_orphan for dispatch in inside),
        name=dotted(first.signal),
        method=first.method.value,
        sender=first.sender,
        place=None if caller is None else place(caller.path, caller.line),
        function="" if caller is None else caller.function,
        project_place=None if project is None else place(project.path, project.line),
        project_function="" if project is None else project.function,
        lane=group_lane(node.members, scale) if node.is_group else dispatch_lane(first, scale),
        time=took(sum(times)),
        time_note=_spread(times),
        sql=_sql(node.members),
        outcome=group_outcome(node.members) if node.is_group else dispatch_outcome(first),
        toggle_label=_toggle_label(node),
        open=not fetch and is_open(node, remarks),
        count=integer(len(node.members)) if node.is_group else "",
        note=_note(node),
        badges=(
            *_transaction(node.members),
            *_by_time(node.members),
            *_unique_badges(node, remarks),
        ),
        member=node.is_member,
        about=_about(first) if node.is_member else "",
        error=_error(first) if node.is_member else None,
        receivers=_receivers(first) if node.is_member else "",
        fetch=fetch,
        search=_words(inside) if fetch else "",
    )


def _descendants(node: Node, tree: Tree) -> Iterable[Dispatch]:
    waiting = list(reversed(node.members))
    while waiting:
        dispatch = waiting.pop()
        yield dispatch
        waiting.extend(reversed(tree.nested(dispatch)))


def _sql(members: Sequence[Dispatch]) -> str:
    calls = [call for member in members for call in member.calls]
    return queries(sum(call.query_count for call in calls), sum(call.query_ns for call in calls))


def _spread(times: Sequence[int]) -> str:
    if len(times) == 1:
        return ""
    longest = f"max {took(max(times))}"
    if len(times) <= _MANY:
        return longest
    return f"p50 {duration(percentile(Counter(times), 0.5))}, {longest}"


def _toggle_label(node: Node) -> str:
    signal = last_part(node.first.signal)
    if node.is_group:
        return f"{integer(len(node.members))} dispatches of {signal}"
    return f"Receivers of {signal}"


def _note(node: Node) -> str:
    if not node.sent_by:
        return ""
    return f"nested, sent by {last_part(node.sent_by)}"


def _transaction(members: Sequence[Dispatch]) -> list[Badge]:
    inside = sum(member.in_transaction is True for member in members)
    undone = sum(member.rolled_back is True for member in members)
    if not inside:
        return []
    text = "in transaction" if inside == len(members) else f"{integer(inside)} in transaction"
    unknown = sum(
        member.in_transaction is True for member in members if member.rolled_back is None
    )
    if unknown and not undone:
        some = f"{integer(unknown)} with an unknown end"
        end = "its end is unknown" if unknown == len(members) == 1 else some
        return [Badge(text=f"{text}, {end}", tone="warn")]
    if not undone:
        return [Badge(text=text)]
    count = "" if undone == len(members) else f"{integer(undone)} "
    return [Badge(text=f"{text}, {count}rolled back", tone="warn", glyph="rollback")]


def _by_time(members: Sequence[Dispatch]) -> list[Badge]:
    """A badge for dispatches that another thread or task sent while the receiver above ran."""
    count = sum(member.by_time for member in members)
    if not count:
        return []
    some = "" if count == len(members) else f"{integer(count)} "
    return [Badge(text=f"{some}of another thread or task, matched by time")]


def _unique_badges(node: Node, remarks: Remarks) -> list[Badge]:
    """The badges of the dispatches; in a group, also of its receivers, which have no rows."""
    found = [badge for member in node.members for badge in remarks.of(member)]
    if node.is_group or node.is_member:
        for member in node.members:
            for index in range(len(member.calls)):
                found += remarks.of(member, index)
    return list(dict.fromkeys(found))


def _about(dispatch: Dispatch) -> str:
    return about(dispatch.payload) or short_id(dispatch.id_text)


def _error(dispatch: Dispatch) -> ErrorLine | None:
    return next((error_line(call) for call in dispatch.calls if call.failure is not None), None)


def _receivers(dispatch: Dispatch) -> str:
    calls = [call for call in dispatch.calls if call.failure is not None] or dispatch.calls
    names = unique(call.receiver for call in calls)
    words = listing(names, 3)
    only = calls[0] if len(calls) == 1 else None
    if only is None or only.outcome is not Outcome.RETURNED or only.response is None:
        return words
    return f"{words} returned {only.response.text}"


def _words(dispatches: Iterable[Dispatch]) -> str:
    words: dict[str, None] = {}
    for dispatch in dispatches:
        words[dispatch.signal] = words[dispatch.sender] = None
        for call in dispatch.calls:
            words[call.receiver] = words[call.path] = None
            if call.failure is not None:
                words[exception_name(call.failure.exception_class)] = None
                words[call.failure.message] = None
    return " ".join(words).lower()[:_SEARCH]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBase:
    """What every row of the timeline has."""

    id: str  # unique in the panel, safe as an HTML id: "r3-2"
    parent: str  # id of the row above it in the tree; "" at the top
    level: int  # 1 at the top
    hidden: bool  # hidden at first, because a row above it is closed
    ms: str = "0"  # raw milliseconds for the threshold
    failed: bool = False  # "Failures only" shows it: raised, skipped or cancelled, here or below
    keep: bool = False  # the threshold never hides it: failed, or an orphan


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchRow(RowBase):
    """A dispatch, a group of equal ones (``count``), or one dispatch in a group (``member``)."""

    name: DottedName
    method: str  # "send_robust"
    sender: str  # "shop.models.Order"
    place: Place | None  # of the send; None when it was not recorded
    function: str  # "place_order"; "" when unknown
    project_place: Place | None  # the project's line that led to the send, if different
    project_function: str
    lane: Lane
    time: str  # "18.3 ms"
    sql: str  # "24 in 9.6 ms", or ""
    outcome: OutcomeWords
    toggle_label: str  # "Receivers of order_placed", "12 dispatches of stock_reserved"
    open: bool  # initial aria-expanded of the toggle
    count: str = ""  # "2,480" for a group, else ""
    note: str = ""  # before the sender: "nested, sent by recalculate"
    badges: tuple[Badge, ...] = ()  # "in transaction", "rolled back", advice
    time_note: str = ""  # "max 2.3 ms" or "p50 2.1 ms, max 41.7 ms"
    member: bool = False  # in an opened group: shows about, error and receivers instead
    about: str = ""  # what distinguishes it from its siblings: "shop.OrderLine:118"
    error: ErrorLine | None = None  # for a member: the first failure
    receivers: str = ""  # for a member: "inventory.receivers.decrease_stock returned None"
    fetch: str = ""  # URL of its children, if they are not in the page
    search: str = ""  # words of children that are not in the page, for the text filter
    kind: Literal["dispatch"] = "dispatch"
