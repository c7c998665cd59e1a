"""The rows of the timeline: which ones are in the page, and which are fetched on demand.

A page holds at most ``ROWS`` rows at first: the rows at the top, then what is inside the rows that
start open, then what is inside closed rows, as long as there is space. The rest is fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Literal

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome
from signal_inspector.display.numbers import duration, integer, percentile
from signal_inspector.display.parts import Segment
from signal_inspector.display.timeline import Scale
from signal_inspector.toolbar.advice import Target
from signal_inspector.toolbar.call_rows import (
    CallFactsRow,
    CallRow,
    FactsRow,
    NotCalledRow,
    call_facts_row,
    call_row,
    facts_row,
    not_called_rows,
)
from signal_inspector.toolbar.dispatch_rows import (
    DispatchRow,
    Remarks,
    RowBase,
    dispatch_row,
    is_open,
)
from signal_inspector.toolbar.grouping import Node, Selection, Tree
from signal_inspector.toolbar.requests import Links

ROWS = 300  # at first
TOPS = 150  # side by side, at first
PAGE = 100  # rows that "Show the next" brings


class Timeline:
    """The rows of one request."""

    def __init__(self, tree: Tree, scale: Scale, remarks: Remarks, links: Links) -> None:
        self._tree = tree
        self._scale = scale
        self.remarks = remarks
        self._links = links
        self._expanded: set[str] = set()
        self._row_of: dict[Target, str] = {}
        self._group_of: dict[int, str] = {}

    def first_rows(self) -> list[Row]:
        """The rows that the page holds at first."""
        return self.top_rows(0, TOPS)

    def top_rows(self, offset: int, size: int = PAGE) -> list[Row]:
        """Some of the rows at the top, and what is inside them."""
        roots = self._tree.roots()
        shown = roots[offset : offset + size]
        rows = self._expand_and_emit(shown)
        left = len(roots) - offset - len(shown)
        if left > 0:
            more = offset + size
            rows.append(self._more("", "", 1, left, more, "", hidden=False))
        return rows

    def rows_under(self, node: Node) -> list[Row]:
        """The rows under a row that is opened later."""
        room = max(ROWS - self._cost(node), 0)
        self._plan(self._children(node), room)
        return list(self._emit_inside(node, hidden=False))

    def more_rows(self, node: Node, offset: int) -> list[Row]:
        """The next dispatches of an open group."""
        rest = Selection(node).rest
        shown = [self._tree.member(node, d) for d in rest[offset : offset + PAGE]]
        rows = self._expand_and_emit(shown)
        if offset == 0:
            text = "The others, in the order in which they were sent"
            rows.insert(0, self._heading(node, "rest", text, hidden=False))
        if len(rest) > offset + PAGE:
            rows.append(self._rest_row(node, rest, offset + PAGE, hidden=False))
        return rows

    def row_of(self, target: Target) -> str:
        """The id of the emitted row that best shows a receiver call or a dispatch; "" if none."""
        dispatch = (
            self._tree.dispatches[target[0]] if target[0] < len(self._tree.dispatches) else None
        )
        call = target[1]
        while dispatch is not None:
            found = self._row_of.get((dispatch.sequence, call)) or self._row_of.get(
                (dispatch.sequence, None)
            )
            if found or dispatch.sequence in self._group_of:
                return found or self._group_of[dispatch.sequence]
            call = dispatch.parent_call
            dispatch = self._tree.parent(dispatch)
        return ""

    # Which rows are in the page

    def _expand_and_emit(self, nodes: Sequence[Node]) -> list[Row]:
        self._plan(nodes, ROWS - len(nodes) - 2)
        return [row for node in nodes for row in self._emit(node, hidden=False)]

    def _plan(self, nodes: Iterable[Node], room: int) -> None:
        """Choose the nodes whose children are in the page: open nodes first, then in order."""
        order = count()
        waiting: list[tuple[bool, int, Node]] = []

        def wait(found: Iterable[Node]) -> None:
            for node in found:
                heappush(waiting, (not is_open(node, self.remarks), next(order), node))

        wait(nodes)
        while waiting and room > 0:
            node = heappop(waiting)[2]
            cost = self._cost(node)
            if cost <= room:
                room -= cost
                self._expanded.add(node.id)
                wait(self._children(node))

    def _children(self, node: Node) -> list[Node]:
        if node.is_group:
            chosen = Selection(node)
            members = [self._tree.member(node, d) for d in (*chosen.failed, *chosen.slowest)]
            return members + self._tree.under_group(node)[:TOPS]
        places = (*range(len(node.first.calls)), None)
        return [n for index in places for n in self._tree.under_call(node, index)[:TOPS]]

    def _cost(self, node: Node) -> int:
        """The number of rows directly under a node."""
        inside = len(self._children(node))
        if node.is_group:
            return inside + Selection(node).extra_rows
        dispatch = node.first
        ran = sum(call.outcome is not Outcome.SKIPPED for call in dispatch.calls)
        return inside + 1 + len(dispatch.calls) + ran + len(dispatch.not_called)

    # The rows themselves

    def _emit(self, node: Node, *, hidden: bool) -> Iterator[Row]:
        expanded = node.id in self._expanded
        row = dispatch_row(
            node,
            self._tree,
            self._scale,
            self.remarks,
            hidden=hidden,
            fetch="" if expanded else self._links.rows(node.id),
        )
        yield row
        self._note(node)
        if expanded:
            yield from self._emit_inside(node, hidden=hidden or not row.open)

    def _note(self, node: Node) -> None:
        if not node.is_group:
            self._row_of.setdefault((node.first.sequence, None), node.id)
            return
        for member in node.members:
            self._group_of.setdefault(member.sequence, node.id)

    def _emit_inside(self, node: Node, *, hidden: bool) -> Iterator[Row]:
        emit = self._emit_group if node.is_group else self._emit_dispatch
        yield from emit(node, hidden)

    def _emit_dispatch(self, node: Node, hidden: bool) -> Iterator[Row]:
        dispatch = node.first
        yield facts_row(node, self._links.json(dispatch.id_text), hidden=hidden)
        for index, call in enumerate(dispatch.calls):
            sent = [d for d in self._tree.nested(dispatch) if d.parent_call == index]
            badges = self.remarks.of(dispatch, index)
            yield call_row(node, index, sent, badges, self._scale, hidden=hidden)
            self._row_of.setdefault((dispatch.sequence, index), f"{node.id}-c{index}")
            if call.outcome is not Outcome.SKIPPED:
                yield call_facts_row(node, index, sent=bool(sent))
            yield from self._emit_nested(self._tree.under_call(node, index), hidden)
        yield from not_called_rows(node, hidden=hidden)
        yield from self._emit_nested(self._tree.under_call(node, None), hidden)

    def _emit_group(self, node: Node, hidden: bool) -> Iterator[Row]:
        chosen = Selection(node)
        if chosen.failed_heading:
            yield self._heading(node, "hf", chosen.failed_heading, hidden)
        yield from self._emit_members(node, chosen.failed, hidden)
        if chosen.slowest_heading:
            yield self._heading(node, "hs", chosen.slowest_heading, hidden)
        yield from self._emit_members(node, chosen.slowest, hidden)
        if chosen.rest:
            yield self._rest_row(node, chosen.rest, 0, hidden=hidden)
        yield from self._emit_nested(self._tree.under_group(node), hidden)

    def _emit_nested(self, nodes: Sequence[Node], hidden: bool) -> Iterator[Row]:
        for node in nodes[:TOPS]:
            yield from self._emit(node, hidden=hidden)
        if len(nodes) > TOPS:
            left = integer(len(nodes) - TOPS)
            yield HeadingRow(
                id=f"{nodes[0].parent}-left",
                parent=nodes[0].parent,
                level=nodes[0].level,
                hidden=hidden,
                text=f"{left} more rows are not shown. The JSON contains all dispatches.",
            )

    def _emit_members(
        self, node: Node, dispatches: Sequence[Dispatch], hidden: bool
    ) -> Iterator[Row]:
        for dispatch in dispatches:
            yield from self._emit(self._tree.member(node, dispatch), hidden=hidden)

    def _heading(self, node: Node, token: str, text: str, hidden: bool) -> HeadingRow:
        return HeadingRow(
            id=f"{node.id}-{token}",
            parent=node.id,
            level=node.level + 1,
            hidden=hidden,
            text=text,
        )

    def _rest_row(
        self, node: Node, rest: Sequence[Dispatch], offset: int, *, hidden: bool
    ) -> MoreRow:
        took = [dispatch.duration_ns for dispatch in rest]
        spread = f" ({duration(took[0])})"
        if len(took) > 1:
            counts = Counter(took)
            p50, p95 = percentile(counts, 0.5), percentile(counts, 0.95)
            spread = f" (p50 {duration(p50)}, p95 {duration(p95)})"
        left = len(rest) - offset
        return self._more(node.id, node.id, node.level + 1, left, offset, spread, hidden=hidden)

    def _more(
        self,
        path: str,
        parent: str,
        level: int,
        left: int,
        offset: int,
        note: str,
        *,
        hidden: bool,
    ) -> MoreRow:
        button = f"Show the next {PAGE}" if left > PAGE else f"Show the other {left}"
        words = f"of {integer(left)}, in the order in which they were sent" if left > PAGE else ""
        return MoreRow(
            id=f"{path}-m{offset}" if path else f"m{offset}",
            parent=parent,
            level=level,
            hidden=hidden,
            button=button,
            note=f"{words}{note}".strip(),
            fetch=self._links.rows(path, offset),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingRow(RowBase):
    """A heading inside an open group: "All 3 that failed"."""

    text: str
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True, kw_only=True)
class MoreRow(RowBase):
    """The rest of a group. Its button GETs ``fetch``; the received rows replace this row."""

    button: str  # "Show the next 100"
    note: str  # "of 2,474, in the order they were sent (p50 2.1 ms, p95 3.4 ms)"
    fetch: str
    kind: Literal["more"] = "more"


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedRow(RowBase):
    """The last row, if dispatches were dropped because of the limit."""

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
