"""Which dispatches of a group its open row shows at once, and what is left for later."""

from __future__ import annotations

from collections.abc import Sequence

from signal_inspector.toolbar.grouping import Node
from signal_inspector.toolbar.stored import StoredDispatch
from signal_inspector.toolbar.wording import integer

_FAILED = 20
_SLOWEST = 3
_WHOLE = 6  # a group of up to this many shows all of them, in the order they were sent


class Selection:
    """What failed, then the slowest of the others, then the rest."""

    def __init__(self, node: Node) -> None:
        members = node.members
        self.failed: Sequence[StoredDispatch] = ()
        self.slowest: Sequence[StoredDispatch] = members
        self.rest: Sequence[StoredDispatch] = ()
        self.failed_heading = ""
        self.slowest_heading = ""
        if len(members) > _WHOLE:
            self._choose(members)

    @property
    def extra_rows(self) -> int:
        """Rows beside those of the dispatches themselves."""
        return bool(self.failed_heading) + bool(self.slowest_heading) + bool(self.rest)

    def _choose(self, members: Sequence[StoredDispatch]) -> None:
        failed = [member for member in members if member.has_failed]
        others = [member for member in members if not member.has_failed]
        self.failed = failed[:_FAILED]
        self.slowest = sorted(others, key=lambda member: -member.duration_ns)[:_SLOWEST]
        shown = {member.index for member in (*self.failed, *self.slowest)}
        self.rest = [member for member in members if member.index not in shown]
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
