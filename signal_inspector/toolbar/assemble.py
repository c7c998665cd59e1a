"""From what the store holds of a request to what the panel shows of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, Final

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
)
from signal_inspector.display.parts import Segment
from signal_inspector.display.timeline import Scale, axis
from signal_inspector.toolbar.advice import Advice, Case
from signal_inspector.toolbar.advising import DROPPED_ROW, advise, lines, remarks
from signal_inspector.toolbar.figures import figures
from signal_inspector.toolbar.grouping import Tree
from signal_inspector.toolbar.parts import DroppedRow, Row
from signal_inspector.toolbar.requests import Links, other_requests, request_line
from signal_inspector.toolbar.store import StoredRequest, stored_request, unpack
from signal_inspector.toolbar.tables import (
    catalog_rows,
    connected,
    intro,
    others_words,
    receiver_rows,
)
from signal_inspector.toolbar.timeline import Timeline
from signal_inspector.toolbar.view import LegendItem, PanelView

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
    """A request and its dispatches, taken out of the store once."""

    request_id: str
    request: StoredRequest
    tree: Tree
    scale: Scale
    advice: list[Advice]
    case: Case

    def timeline(self) -> Timeline:
        """The rows of its timeline."""
        said = remarks(self.advice, alone=len(self.tree.dispatches) == 1)
        return Timeline(self.tree, self.scale, said, Links(self.request_id))


def story(stats: Mapping[str, Any], request_id: str, catalog: Sequence[SignalEntry] = ()) -> Story:
    """Read what ``SignalInspectorPanel.generate_stats`` recorded.

    Without a catalog, which takes a while to make, some advice is shorter.
    """
    request = stored_request(stats["request"])
    tree = Tree(unpack(stats["packed"]))
    # A dispatch may outlive the response that it was sent for.
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
        receivers=receiver_rows(tree.dispatches, told.scale, remarks(told.advice)),
        catalog=catalog_rows(catalog, tree.dispatches),
        catalog_others=others_words(catalog),
        catalog_intro=intro(catalog),
        legend=LEGEND,
        others=other_requests(store, request_id, time()),
        is_empty=is_empty,
        empty_text="This request sent no custom signal." if is_empty else "",
        others_title="Recent requests that did:" if is_empty else "Other recent requests:",
        trouble=trouble_text(),
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
            Segment(text=f"All other figures are of the {kept}.", style="quiet"),
        ),
    )


def trouble_text() -> str:
    """Failures of the inspector itself in this process, "" without any."""
    counts = internal_errors.counts()
    if not counts:
        return ""
    kinds = ", ".join(f"{kind} {integer(number)}" for kind, number in counts.items())
    return f"Inspector's own failures: {integer(sum(counts.values()))} ({kinds})"
