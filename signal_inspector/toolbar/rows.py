"""The rows of the timeline: one flat list in display order.

Each row knows its ``id``, its ``parent`` row and its ``level``; the script opens, closes and
filters by these. A row with ``fetch`` has children that are not in the page yet: opening it for
the first time GETs that URL, which answers ``{"html": "<tr>..."}`` (or ``{"error": "..."}`` with
status 404), to be put after it (after its facts row, if it has one already).

``signal_inspector/rows.html`` prints them: it is rendered with ``{"rows": ..., "uid": ...}`` alone
(``uid`` is ``PanelView.request_id``: the ids of the panel's symbols begin with it), included by
the panel and used by itself for what a ``fetch`` asked for. Row ids are paths: ``d12`` is
dispatch 12, ``d12-c1`` its first receiver, ``g12-d14`` a dispatch of the group that starts at 12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signal_inspector.toolbar.parts import (
    Argument,
    Badge,
    ErrorLine,
    Frame,
    Lane,
    Name,
    OutcomeCell,
    Place,
    QueryTable,
    Segment,
    TextLine,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBase:
    """What every row of the timeline has."""

    id: str  # unique in the panel, safe as an HTML id: "r3-2"
    parent: str  # id of the row it stands under; "" at the top
    level: int  # 1 at the top
    hidden: bool  # at first, because a row above it is closed
    ms: str = "0"  # raw milliseconds for the threshold
    failed: bool = False  # "Failures only" keeps it: raised, skipped or cancelled, here or below
    keep: bool = False  # the threshold never hides it: failed, or an orphan


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchRow(RowBase):
    """A dispatch, a group of equal ones (``count``), or one dispatch of a group (``member``)."""

    name: Name
    method: str  # "send_robust"
    sender: str  # "shop.models.Order"
    place: Place | None  # of the send; None when it was not recorded
    function: str  # "place_order"; "" when unknown
    project_place: Place | None  # the project's line that led to it, if that is another one
    project_function: str
    lane: Lane
    time: str  # "18.3 ms"
    sql: str  # "24 in 9.6 ms", or ""
    outcome: OutcomeCell
    toggle_label: str  # "Receivers of order_placed", "12 dispatches of stock_reserved"
    open: bool  # aria-expanded of the toggle at first
    count: str = ""  # "2,480" for a group, else ""
    note: str = ""  # before the sender: "nested, one in each recalculate"
    badges: tuple[Badge, ...] = ()  # "in transaction", "rolled back", advice
    time_note: str = ""  # "max 2.3" or "p50 2.1, max 41.7"
    member: bool = False  # one of an opened group: prints about, error and receivers instead
    about: str = ""  # what tells it from its siblings: "shop.OrderLine:118"
    error: ErrorLine | None = None  # of a member: the first failure
    receivers: str = ""  # of a member: "inventory.receivers.decrease_stock returned None"
    fetch: str = ""  # URL of its children, when they are not in the page
    search: str = ""  # words of the children that are not in the page, for the text filter
    kind: Literal["dispatch"] = "dispatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsRow(RowBase):
    """Right under an open dispatch: what it carried and where it came from."""

    dispatch_id: str
    short_id: str  # "01a202bf…9f86"
    json_url: str  # this dispatch as JSON
    id_href: str = ""  # its row in the audit log; "" without one
    trace_id: str = ""  # "" if it was not traced
    trace_href: str = ""  # where the trace is shown; "" without TRACE_URL
    trace_note: str = ""  # why it is not shown
    payload_line: str = ""  # "order=shop.Order:42, user=auth.User:7"; "": none, or not recorded
    payload: tuple[Argument, ...] = ()
    payload_note: str = ""  # "3 more arguments were not kept."
    stack: tuple[Frame, ...] = ()  # outermost first
    stack_title: str = ""  # "Call stack (3)"
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow(RowBase):
    """A receiver's part in a dispatch. Nested dispatches stand under it, shown with it."""

    order: str  # "1"
    name: Name
    place: Place | None
    lane: Lane
    outcome: OutcomeCell
    time: str = ""  # "" when it never ran
    time_note: str = ""  # "self 147.7 ms", only where it differs
    sql: str = ""
    badges: tuple[Badge, ...] = ()  # "async", "in a thread", advice
    error: ErrorLine | None = None
    dim: bool = False  # skipped: it never ran
    toggle: bool = True  # has a CallFactsRow
    toggle_label: str = ""  # "Details of check_velocity"
    open: bool = False
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFactsRow(RowBase):
    """Right under a receiver: its traceback, its queries, what it returned."""

    traceback: tuple[Frame | TextLine, ...] = ()
    queries: tuple[QueryTable, ...] = ()
    response: tuple[Argument, ...] = ()  # only when it is more than fits into the row
    quiet: str = ""  # "No query, no nested dispatch."
    kind: Literal["callfacts"] = "callfacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCalledRow(RowBase):
    """A connected receiver that the dispatch did not reach."""

    name: Name
    place: Place | None
    reason: str  # "listens to sender gifts.models.GiftOrder only": spans lane, time and SQL
    outcome: OutcomeCell
    kind: Literal["notcalled"] = "notcalled"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingRow(RowBase):
    """A heading inside an open group: "All 3 that failed"."""

    text: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreRow(RowBase):
    """The rest of a group. Its button GETs ``fetch``; the rows that come replace this row."""

    button: str  # "Show the next 100"
    note: str  # "of 2,474, in the order they were sent (p50 2.1 ms, p95 3.4 ms)"
    fetch: str
    kind: Literal["more"] = "more"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedRow(RowBase):
    """The last row, when the limit cut something."""

    segments: tuple[Segment, ...]
    kind: Literal["dropped"] = "dropped"


Row = (
    DispatchRow
    | FactsRow
    | CallRow
    | CallFactsRow
    | NotCalledRow
    | HeadingRow
    | MoreRow
    | DroppedRow
)
