"""What the panel shows for one request: the view model that the template prints.

The template reads ``view`` (a ``PanelView``) and needs no other logic than "is it empty".
Rows of the timeline are one flat list in display order. Each knows its ``id``, its ``parent``
row and its ``level``; the script opens, closes and filters by these. A row with ``fetch`` has
children that are not in the page yet: opening it for the first time GETs that URL, which
answers ``{"html": "<tr>..."}`` (or ``{"error": "..."}`` with status 404), to be put after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signal_inspector.toolbar.parts import (
    Argument,
    Axis,
    Badge,
    BarKind,
    ErrorLine,
    Frame,
    Glyph,
    Lane,
    Name,
    OutcomeCell,
    Place,
    QueryTable,
    Segment,
    TextLine,
    Tone,
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
    payload_line: str = ""  # "order=shop.Order:42, user=auth.User:7"; "": not recorded
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """The request the dispatches were sent in."""

    method: str  # "POST"
    path: str  # "/checkout/"
    result: str  # "200 in 584.6 ms"
    started: str  # "10:14:07.318 UTC"
    trace_id: str = ""
    trace_href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A cell of the summary table."""

    label: str  # "Failed"
    value: str  # "2"
    note: str  # "1 raised, 1 swallowed"
    glyph: Glyph = ""
    tone: Tone = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceLine:
    """One piece of advice with its reason."""

    kind: str  # "Stopped others"
    segments: tuple[Segment, ...]
    target: str = ""  # id of a row of ``PanelView.rows``; "" has no Show button


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRow:
    """A row of "By receiver": all calls of one receiver in this request."""

    name: Name
    place: Place | None
    on: str  # "on order_placed, order_cancelled"
    calls: str  # "12"
    repeated: bool  # more than one call: shown as "12 ×"
    lane: Lane
    total: str
    self_time: str
    longest: str
    sql: str
    outcome: OutcomeCell
    ms: str  # raw: the longest call, for the threshold
    failed: bool
    keep: bool
    sort: tuple[str, ...]  # raw calls, total, self, longest, SQL ms, in the order of the columns


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueReceiver:
    """A receiver that is connected now."""

    order: str
    name: Name
    place: Place | None
    badges: tuple[Badge, ...] = ()  # only what is unusual: async, sender, uid, dead reference
    dead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueSignal:
    """A signal of this process, and who is connected to it."""

    name: Name
    sent: str  # in this request: "12"
    is_sent: bool  # False: quiet
    receivers: tuple[CatalogueReceiver, ...]
    remark: OutcomeCell | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherRequest:
    """A recent request that sent signals."""

    method: str
    path: str
    text: str  # "sent 3, 2 s ago"
    failed: bool
    request_id: str  # of the toolbar's store
    switch_url: str  # the toolbar's history_sidebar for it: JSON {panel_id: {button, content}}
    panel_url: str  # the toolbar's render_panel for it: JSON {content, scripts}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendItem:
    """A sample and its word."""

    text: str
    glyph: Glyph = ""
    bar: Literal["", "dispatch"] | BarKind = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelView:
    """Everything on the panel."""

    request_id: str  # of the toolbar's store
    request: RequestLine
    figures: tuple[Figure, ...]  # eight, in order
    mend: tuple[AdviceLine, ...]  # open
    know: tuple[AdviceLine, ...]  # folded under ``know_title``
    know_title: str  # "4 more to know", or "4 things to know" where nothing is to mend
    know_kinds: str  # "ran 12 times · repeated query"
    axis: Axis
    rows: tuple[Row, ...]
    receivers: tuple[ReceiverRow, ...]  # by self time, most first
    catalogue: tuple[CatalogueSignal, ...]
    catalogue_intro: str  # "Connected in this process now, in the order they would run. ..."
    legend: tuple[LegendItem, ...]
    others: tuple[OtherRequest, ...]  # newest first, at most 5, without this request
    is_empty: bool  # this request sent nothing: no figures, rows and filters
    empty_text: str  # "This request sent no custom signal."
    others_title: str  # "Recent requests that did:" or "Other recent requests:"
    trouble: str  # "Inspector's own failures: 2 (payload 2)", or ""
    json_url: str  # all dispatches of this request as JSON, a download
    slider_max: str  # raw milliseconds, the end of the threshold's slider
    dispatch_rows: int  # how many DispatchRow are in ``rows``, for "3 of 12 dispatch rows"
