"""What the panel shows for one request: the view model that the template prints.

``signal_inspector/panel.html`` is rendered with ``{"view": PanelView}`` and needs no other logic
than "is it empty"; ``signal_inspector/trouble.html`` with ``{"trouble": str}`` stands in where the
view could not be made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from signal_inspector.display.outcomes import Glyph, OutcomeWords
from signal_inspector.display.parts import Badge, Place, Segment, Tone
from signal_inspector.display.text import DottedName
from signal_inspector.display.timeline import Axis, BarKind, Lane
from signal_inspector.toolbar.parts import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """The request the dispatches were sent in."""

    method: str  # "POST"
    path: str  # "/checkout/"
    result: str  # "200 in 584.6 ms"
    started: str  # "10:14:07.318 UTC"
    trace_id: str = ""
    trace_href: str = ""
    trace_note: str = ""


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

    name: DottedName
    place: Place | None
    on: str  # "on order_placed, order_cancelled"
    calls: str  # "12"
    repeated: bool  # more than one call: shown as "12 times" in short
    lane: Lane
    total: str
    self_time: str
    longest: str
    sql: str
    outcome: OutcomeWords
    ms: str  # raw: the longest call, for the threshold
    failed: bool
    keep: bool
    sort: tuple[str, ...]  # raw calls, total, self, longest, SQL ms, in the order of the columns


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogReceiver:
    """A receiver that is connected now."""

    order: str  # "" where it does not run
    name: DottedName
    place: Place | None
    badges: tuple[Badge, ...] = ()  # only what is unusual: async, sender, uid, dead reference
    connected_at: Place | None = None  # where that is not where it is defined
    calls: str = ""  # for this signal in this request; "" for none
    dead: bool = False  # it does not run


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogSignal:
    """A signal of this process, and who is connected to it."""

    name: DottedName
    sent: str  # in this request: "12"
    is_sent: bool  # False: quiet
    receivers: tuple[CatalogReceiver, ...]
    remark: OutcomeWords | None = None
    is_inspected: bool = True  # False: shown on request


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
    catalog: tuple[CatalogSignal, ...]
    catalog_others: str  # "Show 9 more signals, …"; "" for none
    catalog_intro: str  # "Connected in this process now, in the order they would run. ..."
    legend: tuple[LegendItem, ...]
    others: tuple[OtherRequest, ...]  # newest first, at most 5, without this request
    is_empty: bool  # this request sent nothing: no figures, rows and filters
    empty_text: str  # "This request sent no custom signal."
    others_title: str  # "Recent requests that did:" or "Other recent requests:"
    trouble: str  # "Inspector's own failures: 2 (payload 2)", or ""
    json_url: str  # all dispatches of this request as JSON, a download
    slider_max: str  # raw milliseconds, the end of the threshold's slider
