"""Turn what the store holds of a request into what the panel shows of it.

``signal_inspector/panel.html`` is rendered with ``{"view": PanelView}`` and needs no logic except
"is it empty"; if the view could not be made, ``signal_inspector/internal_error.html`` is rendered
with ``{"internal_error": str}`` instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Final, Literal

from signal_inspector.catalog import SignalEntry
from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.display.numbers import duration, integer, plural
from signal_inspector.display.outcomes import (
    CANCELLED,
    NOT_CALLED,
    ORPHAN,
    RAISED,
    RETURNED,
    RUNNING,
    SKIPPED,
    SWALLOWED,
    Glyph,
)
from signal_inspector.display.parts import Segment
from signal_inspector.display.timeline import Axis, BarKind, Scale, axis
from signal_inspector.toolbar import connection_rules, dispatch_rules
from signal_inspector.toolbar.advice import DROPPED_ROW, Advice, AdviceLine, Case, lines, remarks
from signal_inspector.toolbar.cells import Figure, figures
from signal_inspector.toolbar.grouping import Tree
from signal_inspector.toolbar.requests import (
    Links,
    OtherRequest,
    RequestLine,
    StoredRequest,
    other_requests,
    request_line,
    stored_request,
    unpack,
)
from signal_inspector.toolbar.tables import (
    CatalogSignal,
    ReceiverRow,
    catalog_rows,
    connected,
    intro,
    others_words,
    receiver_rows,
)
from signal_inspector.toolbar.timeline import DroppedRow, Row, Timeline

Rule = Callable[[Case], Iterator[Advice]]

#: In the order in which their advice is shown.
RULES: Final[tuple[Rule, ...]] = (
    connection_rules.dropped,
    dispatch_rules.stopped_others,
    connection_rules.connected_twice,
    dispatch_rules.slow_in_transaction,
    dispatch_rules.ran_often,
    dispatch_rules.repeated_query,
    dispatch_rules.thread_for_asend,
    connection_rules.nobody_received,
    dispatch_rules.swallowed_failures,
    dispatch_rules.rolled_back,
    dispatch_rules.recursion,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendItem:
    """A symbol of the legend, with its meaning."""

    text: str
    glyph: Glyph = ""
    bar: Literal["", "dispatch"] | BarKind = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelView:
    """Everything on the panel."""

    request_id: str  # in the toolbar's store
    request: RequestLine
    figures: tuple[Figure, ...]  # eight, in order
    mend: tuple[AdviceLine, ...]  # shown open
    know: tuple[AdviceLine, ...]  # folded under ``know_title``
    know_title: str  # "4 more to know", or "4 things to know" if ``mend`` is empty
    know_kinds: str  # "ran 12 times · repeated query"
    axis: Axis
    rows: tuple[Row, ...]
    receivers: tuple[ReceiverRow, ...]  # by self time, most first
    catalog: tuple[CatalogSignal, ...]
    catalog_others: str  # "Show 9 more signals, …"; "" for none
    catalog_intro: str  # "Receivers that are connected in this process now, ..."
    legend: tuple[LegendItem, ...]
    others: tuple[OtherRequest, ...]  # newest first, at most 5, without this request
    is_empty: bool  # this request sent nothing: no figures, rows or filters
    empty_text: str  # "This request sent no custom signals."
    others_title: str  # "Recent requests that sent some:" or "Other recent requests:"
    internal_errors: str  # "Inspector's own failures: 2 (payload 2)", or ""
    json_url: str  # all dispatches of this request as JSON, a download
    slider_max: str  # raw milliseconds, the end of the threshold's slider


LEGEND: Final = (
    LegendItem(text="dispatch", bar="dispatch"),
    LegendItem(text=RETURNED, bar="ok", glyph="ok"),
    LegendItem(text="time of a nested dispatch", bar="nested"),
    LegendItem(text=RAISED, bar="raised", glyph="raised"),
    LegendItem(text=SWALLOWED, bar="swallowed", glyph="swallowed"),
    LegendItem(text=SKIPPED, glyph="skipped"),
    LegendItem(text=CANCELLED, bar="cancelled", glyph="cancelled"),
    LegendItem(text=RUNNING, bar="running", glyph="running"),
    LegendItem(text=ORPHAN, glyph="orphan"),
    LegendItem(text=NOT_CALLED, glyph="notcalled"),
)


@dataclass(frozen=True, slots=True)
class Story:
    """A request and its dispatches, read from the store once."""

    request_id: str
    request: StoredRequest
    tree: Tree
    scale: Scale
    advice: list[Advice]
    case: Case

    def timeline(self) -> Timeline:
        """The timeline of the request."""
        said = remarks(self.advice, alone=len(self.tree.dispatches) == 1)
        return Timeline(self.tree, self.scale, said, Links(self.request_id))


def story(stats: Mapping[str, Any], request_id: str, catalog: Sequence[SignalEntry] = ()) -> Story:
    """Read what ``SignalInspectorPanel.generate_stats`` recorded.

    Without a catalog, which takes a while to make, some advice says less.
    """
    request = stored_request(stats["request"])
    tree = Tree(unpack(stats["packed"]))
    # A dispatch may end later than the response of the request it was sent in.
    end_ns = max((dispatch.end_ns for dispatch in tree.dispatches), default=0)
    length_ns = max(request.duration_ns, end_ns - request.start_ns)
    case = Case(tree=tree, config=get_config(), catalog=catalog, dropped=request.dropped)
    return Story(
        request_id=request_id,
        request=request,
        tree=tree,
        scale=Scale(request.start_ns, length_ns),
        advice=advise(case),
        case=case,
    )


def panel_view(stats: Mapping[str, Any], request_id: str, store: Any) -> PanelView:
    """Everything the panel shows of a stored request."""
    catalog = connected()
    told = story(stats, request_id, [entry for entry in catalog if entry.is_inspected])
    request, tree = told.request, told.tree
    timeline = told.timeline()
    rows = timeline.first_rows()
    if request.dropped:
        rows.append(_dropped_row(request, tree))
    advice = lines(told.advice, timeline.row_of)
    signals = catalog_rows(catalog, tree.dispatches)
    is_empty = not request.dispatches
    longest = max((dispatch.duration_ns for dispatch in tree.dispatches), default=0)
    return PanelView(
        request_id=request_id,
        request=request_line(request, told.case.config.trace_url),
        figures=()
        if is_empty
        else figures(tree, request.dropped, request.limit, request.duration_ns),
        mend=advice.mend,
        know=advice.know,
        know_title=advice.know_title,
        know_kinds=advice.know_kinds,
        axis=axis(told.scale, "of the request"),
        rows=tuple(rows),
        receivers=receiver_rows(tree.dispatches, told.scale, timeline.remarks),
        catalog=signals,
        catalog_others=others_words(signals),
        catalog_intro=intro(catalog),
        legend=LEGEND,
        others=other_requests(store, request_id, time()),
        is_empty=is_empty,
        empty_text="This request sent no custom signals." if is_empty else "",
        others_title="Recent requests that sent some:" if is_empty else "Other recent requests:",
        internal_errors=internal_error_text(),
        json_url=Links(request_id).json(),
        slider_max=str(max(math.ceil(longest / 1e6), 1)),
    )


def _dropped_row(request: StoredRequest, tree: Tree) -> Row:
    dropped = plural(request.dropped, "more dispatch", "more dispatches")
    was = "was" if request.dropped == 1 else "were"
    kept = integer(len(tree.dispatches))
    last_ns = max((dispatch.start_ns for dispatch in tree.dispatches), default=request.start_ns)
    at = duration(max(last_ns - request.start_ns, 0))
    return DroppedRow(
        id=DROPPED_ROW,
        parent="",
        level=1,
        hidden=False,
        keep=True,
        segments=(
            Segment(text=f"{dropped} {was} counted, not kept:", style="strong"),
            Segment(text=f" this request reached the limit of {kept} at {at}. "),
            Segment(text=f"All other figures cover these {kept}.", style="quiet"),
        ),
    )


def internal_error_text() -> str:
    """The inspector's own failures in this process, as text; "" without any."""
    counts = internal_errors.counts()
    if not counts:
        return ""
    kinds = ", ".join(f"{kind} {integer(number)}" for kind, number in counts.items())
    return f"Inspector's own failures: {integer(sum(counts.values()))} ({kinds})"


def advise(case: Case) -> list[Advice]:
    """The advice of all rules. A rule that fails gives no advice, and is reported."""
    advice: list[Advice] = []
    for rule in RULES:
        try:
            advice += list(rule(case))
        except Exception as error:
            internal_errors.report(f"advice ({rule.__name__})", error)
    return advice
