"""Which dispatches have a row each and which share one: the tree behind the timeline.

Consecutive siblings with the same signal, sender, method and call site form a group, whatever
their outcomes: a failure does not split a group. The dispatches nested in a group are grouped in
the same way. Nodes are made on demand, so a closed group costs only one pass over it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import ReceiverCall
from signal_inspector.display.numbers import integer

#: If there would be more sibling rows than this, equal dispatches are grouped even if others were
#: sent between them: a loop that sends two signals makes two rows, not two rows per iteration.
CROWDED = 40

_FAILED = 20
_SLOWEST = 3
_WHOLE = 6  # a group of up to this many shows all its dispatches, in the order they were sent


@dataclass(frozen=True, slots=True)
class Node:
    """A dispatch, or a group of equal ones, at its place in the timeline."""

    id: str  # of its row: the path of the rows above it, and its own token
    parent: str  # id of the row above it in the tree
    level: int
    members: tuple[Dispatch, ...]  # in the order they were sent; only one unless it is a group
    is_member: bool = False  # one dispatch in an open group
    sent_by: str = ""  # the receiver that sent these dispatches, if they are under a group

    @property
    def first(self) -> Dispatch:
        return self.members[0]

    @property
    def is_group(self) -> bool:
        return len(self.members) > 1


class Tree:
    """The dispatches of a request, each under the dispatch whose receiver sent it."""

    def __init__(self, dispatches: Sequence[Dispatch]) -> None:
        self.dispatches = dispatches
        self._known = known = {dispatch.id_text: dispatch for dispatch in dispatches}
        self.tops: list[Dispatch] = []
        self._sent_by: dict[str, list[Dispatch]] = {}
        for dispatch in dispatches:
            parent_id = dispatch.parent_id_text
            if parent_id not in known or parent_id == dispatch.id_text:
                self.tops.append(dispatch)
            else:
                self._sent_by.setdefault(parent_id, []).append(dispatch)

    def nested(self, dispatch: Dispatch) -> list[Dispatch]:
        """The dispatches that the receivers of a dispatch sent, in order."""
        return self._sent_by.get(dispatch.id_text, [])

    def parent(self, dispatch: Dispatch) -> Dispatch | None:
        """The dispatch whose receiver sent this one, if it was kept."""
        return self._known.get(dispatch.parent_id_text or "")

    def roots(self) -> list[Node]:
        """The rows at the top."""
        return list(self._nodes(self.tops, parent="", level=1))

    def under_call(self, node: Node, index: int | None) -> list[Node]:
        """What one receiver of a single dispatch sent; for None, what no receiver of it sent."""
        if index is None:
            sent = [d for d in self.nested(node.first) if _sender(node.first, d) is None]
            return list(self._nodes(sent, parent=node.id, level=node.level + 1))
        sent = [inner for inner in self.nested(node.first) if inner.parent_call == index]
        return list(self._nodes(sent, parent=f"{node.id}-c{index}", level=node.level + 2))

    def under_group(self, node: Node) -> list[Node]:
        """What the receivers of all dispatches in a group sent, with equal ones together."""
        together: dict[Hashable, list[Dispatch]] = {}
        senders: dict[Hashable, str] = {}
        for member in node.members:
            for inner in self.nested(member):
                sender = _sender(member, inner)
                sent_by = "" if sender is None else sender.receiver
                key = (sent_by, likeness(inner))
                together.setdefault(key, []).append(inner)
                senders[key] = sent_by
        return [
            _node(alike, node.id, node.level + 2, sent_by=senders[key])
            for key, alike in together.items()
        ]

    def member(self, node: Node, dispatch: Dispatch) -> Node:
        """One dispatch in a group, as a row of its own."""
        return _node([dispatch], node.id, node.level + 1, is_member=True)

    def find(self, path: str) -> Node | None:
        """The node whose row has this id; None if there is none."""
        candidates: Iterable[Node] = self.roots()
        found: Node | None = None
        at = ""
        for token in path.split("-"):
            at = f"{at}-{token}" if at else token
            if found is not None and token[:1] == "c":
                indexes = {f"c{index}": index for index in range(len(found.first.calls))}
                if token not in indexes:
                    return None
                candidates = self.under_call(found, indexes[token])
                continue
            found = next((node for node in candidates if node.id == at), None)
            if found is None:
                return None
            candidates = self._inside(found)
        return found if found is not None and found.id == at else None

    def _inside(self, node: Node) -> Iterator[Node]:
        if not node.is_group:
            yield from self.under_call(node, None)
            return
        yield from self.under_group(node)
        for dispatch in node.members:
            yield self.member(node, dispatch)

    def _nodes(self, siblings: Sequence[Dispatch], parent: str, level: int) -> Iterator[Node]:
        runs = _neighbors(siblings)
        if len(runs) > CROWDED:
            runs = _wherever(siblings)
        for run in runs:
            yield _node(run, parent, level)


def likeness(dispatch: Dispatch) -> Hashable:
    """The key that all dispatches in a group have in common."""
    caller = dispatch.caller
    where = None if caller is None else (caller.path, caller.line)
    project = dispatch.project_caller
    led_by = None if project is None else (project.path, project.line)
    return (dispatch.signal, dispatch.sender, dispatch.method, where, led_by)


def _sender(dispatch: Dispatch, nested: Dispatch) -> ReceiverCall | None:
    """The receiver call that sent a nested dispatch; None if code between receivers sent it."""
    call = nested.parent_call
    return dispatch.calls[call] if call is not None and 0 <= call < len(dispatch.calls) else None


def _neighbors(siblings: Iterable[Dispatch]) -> list[list[Dispatch]]:
    runs: list[list[Dispatch]] = []
    before: Hashable = None
    for dispatch in siblings:
        key = likeness(dispatch)
        if not runs or key != before:
            runs.append([])
        runs[-1].append(dispatch)
        before = key
    return runs


def _wherever(siblings: Iterable[Dispatch]) -> list[list[Dispatch]]:
    alike: dict[Hashable, list[Dispatch]] = {}
    for dispatch in siblings:
        alike.setdefault(likeness(dispatch), []).append(dispatch)
    return list(alike.values())


def _node(
    members: Sequence[Dispatch],
    parent: str,
    level: int,
    *,
    is_member: bool = False,
    sent_by: str = "",
) -> Node:
    token = f"{'g' if len(members) > 1 else 'd'}{members[0].sequence}"
    return Node(
        id=f"{parent}-{token}" if parent else token,
        parent=parent,
        level=level,
        members=tuple(members),
        is_member=is_member,
        sent_by=sent_by,
    )


class Selection:
    """The dispatches in a group: those that failed, then the slowest others, then the rest."""

    def __init__(self, node: Node) -> None:
        members = node.members
        self.failed: Sequence[Dispatch] = ()
        self.slowest: Sequence[Dispatch] = members
        self.rest: Sequence[Dispatch] = ()
        self.failed_heading = ""
        self.slowest_heading = ""
        if len(members) > _WHOLE:
            self._choose(members)

    @property
    def extra_rows(self) -> int:
        """The number of rows besides those of the dispatches themselves."""
        return bool(self.failed_heading) + bool(self.slowest_heading) + bool(self.rest)

    def _choose(self, members: Sequence[Dispatch]) -> None:
        failed = [member for member in members if member.has_failed]
        others = [member for member in members if not member.has_failed]
        self.failed = failed[:_FAILED]
        self.slowest = sorted(others, key=lambda member: -member.duration_ns)[:_SLOWEST]
        shown = {member.sequence for member in (*self.failed, *self.slowest)}
        self.rest = [member for member in members if member.sequence not in shown]
        if failed:
            self.failed_heading = _failed_heading(len(failed))
        if self.slowest:
            slowest = "slowest" if len(self.slowest) == 1 else f"{len(self.slowest)} slowest"
            self.slowest_heading = f"The {slowest} of the others" if failed else f"The {slowest}"


def _failed_heading(failed: int) -> str:
    if failed == 1:
        return "The one that failed"
    if failed > _FAILED:
        return f"The first {_FAILED} of {integer(failed)} that failed"
    return f"All {failed} that failed"
