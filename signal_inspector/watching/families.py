"""Dispatches put under those that caused them, though they end, and so come, earlier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from signal_inspector.watching.seen import Seen

#: Seconds that a dispatch waits for the one it was sent in.
PATIENCE: Final = 2.0

_MOST: Final = 5_000  # that wait together
_SHOWN: Final = 20_000  # ids of those shown that are remembered


@dataclass(slots=True)
class Family:
    """A dispatch, and what its receivers sent, in the order of time."""

    seen: Seen
    children: list[Family] = field(default_factory=list)
    is_alone: bool = False  # it has a parent, which is not shown above it


class Families:
    """``for family in families.add(seen, now): …``, and ``waited(now)`` now and then."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._waiting: dict[str, list[tuple[float, Seen]]] = {}  # by the id of the parent
        self._ids: set[str] = set()  # of those that wait
        self._shown: dict[str, None] = {}

    def add(self, seen: Seen, now: float) -> Iterator[Family]:
        """Take a dispatch that came; yields what can be shown now."""
        if not seen.parent_id:
            yield self._family(seen)
        elif seen.parent_id in self._shown:
            yield self._family(seen, is_alone=True)
        else:
            self._waiting.setdefault(seen.parent_id, []).append((now, seen))
            self._ids.add(seen.id)
            if len(self._ids) > _MOST:
                yield from self.waited(now + self._patience + 1)

    def waited(self, now: float) -> Iterator[Family]:
        """Those whose parent has not come in time: its receivers run still, or it is not seen."""
        for parent, found in list(self._waiting.items()):
            # One whose parent waits itself goes with it.
            if parent in self._ids or parent not in self._waiting:
                continue
            if min(since for since, _ in found) + self._patience <= now:
                del self._waiting[parent]
                for _, seen in found:
                    self._ids.discard(seen.id)
                for _, seen in sorted(found, key=lambda each: each[1].started_at):
                    yield self._family(seen, is_alone=True)

    def rest(self) -> Iterator[Family]:
        """All that waits."""
        yield from self.waited(float("inf"))

    def _family(self, seen: Seen, *, is_alone: bool = False) -> Family:
        """The dispatch with all that waits for it; without recursion, however deep they nest."""
        top = Family(seen, is_alone=is_alone)
        todo = [top]
        while todo:
            family = todo.pop()
            self._note_shown(family.seen.id)
            children = [child for _, child in self._waiting.pop(family.seen.id, ())]
            self._ids.difference_update(child.id for child in children)
            children.sort(key=lambda child: child.started_at)
            family.children = [Family(child) for child in children]
            todo += family.children
        return top

    def _note_shown(self, id_: str) -> None:
        self._shown[id_] = None
        while len(self._shown) > _SHOWN:
            del self._shown[next(iter(self._shown))]
