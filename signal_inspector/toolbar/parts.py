"""What the panel shows, ready to print: small pieces, and the rows of the timeline.

Texts are plain: the template escapes them. Numbers come formatted, and where the script sorts by
one it comes plain beside it. The rows are one flat list in display order: each knows its ``id``,
its ``parent`` row and its ``level``, by which the script opens, closes and filters them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signal_inspector.display.outcomes import OutcomeWords
from signal_inspector.display.parts import (
    Argument,
    Badge,
    ErrorLine,
    Frame,
    Place,
    Segment,
    TextLine,
)
from signal_inspector.display.text import DottedName
from signal_inspector.display.timeline import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementGroup:
    """Equal statements of one receiver call."""

    times: str  # "28" and the sign of multiplication, or "1"
    sql: str
    time: str  # "7.6 ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryTable:
    """The queries of a receiver call on one database."""

    title: str  # "31 queries in 8.7 ms on default"
    statements: tuple[StatementGroup, ...]
    note: str = ""  # "12 more statements were not kept."


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

    name: DottedName
    method: str  # "send_robust"
    sender: str  # "shop.models.Order"
    place: Place | None  # of the send; None when it was not recorded
    function: str  # "place_order"; "" when unknown
    project_place: Place | None  # the project's line that led to it, if that is another one
    project_function: str
    lane: Lane
    time: str  # "18.3 ms"
    sql: str  # "24 in 9.6 ms", or ""
    outcome: OutcomeWords
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
    name: DottedName
    place: Place | None
    lane: Lane
    outcome: OutcomeWords
    time: str = ""  # "" when it was not called
    time_note: str = ""  # "self 147.7 ms", only where it differs
    sql: str = ""
    badges: tuple[Badge, ...] = ()  # "async", "in a thread", advice
    error: ErrorLine | None = None
    dim: bool = False  # skipped: it was not called
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

    name: DottedName
    place: Place | None
    reason: str  # "listens to sender gifts.models.GiftOrder only": spans lane, time and SQL
    outcome: OutcomeWords
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
