"""Dispatches as a watcher sees them: read from plain data that cannot be trusted.

They are filtered, and put under the dispatches that caused them, although nested dispatches end
first, and so arrive first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from signal_inspector.core.record.dispatch import Dispatch, read_document
from signal_inspector.core.record.values import Outcome
from signal_inspector.names import name_matches, unmarked

#: Seconds that a nested dispatch waits for its parent.
PATIENCE: Final = 2.0

_MOST: Final = 5_000  # the most dispatches that wait at the same time
_SHOWN: Final = 20_000  # the most ids of shown dispatches that are remembered


@dataclass(frozen=True, slots=True)
class Seen:
    """A dispatch, the process that sent it as text, and the JSON it was read from."""

    dispatch: Dispatch
    process: str
    data: dict[str, Any]

    @property
    def has_failed(self) -> bool:
        """Whether a receiver failed, swallowed or not, or the send raised."""
        return self.dispatch.outcome is Outcome.RAISED or bool(self.dispatch.failures)


def read_seen(data: dict[str, Any], process: str = "") -> Seen:
    """Read a document that ``record.dispatch.document`` made; ValueError if it is not one.

    ``process`` is the process that sent it, if known more reliably than from the document.
    """
    dispatch, context = read_document(data)
    return Seen(dispatch, process or str(context.get("process", "")), data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Filters, all of which must match. Globs match whole dotted names, or their last part."""

    signals: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    failures: bool = False  # only if a receiver failed, or the send raised
    slower_than_ns: int = -1  # only if the dispatch took longer

    def take(self, seen: Seen) -> bool:
        """Whether to show this dispatch."""
        return (
            _matches(self.signals, seen.dispatch.signal)
            and _matches(self.senders, seen.dispatch.sender)
            and (
                not self.receivers
                or any(_matches(self.receivers, call.receiver) for call in seen.dispatch.calls)
            )
            and (not self.failures or seen.has_failed)
            and seen.dispatch.duration_ns > self.slower_than_ns
        )


def _matches(globs: tuple[str, ...], name: str) -> bool:
    if not globs:
        return True
    names = {name, unmarked(name)}
    names |= {each.rpartition(".")[2] for each in names}
    return any(name_matches(each, glob) for each in names for glob in globs)


@dataclass(slots=True)
class Family:
    """A dispatch and the dispatches that its receivers sent, in the order of time."""

    seen: Seen
    children: list[Family] = field(default_factory=list)
    is_alone: bool = False  # it has a parent that is not shown above it

    @property
    def sent_by(self) -> int | None:
        """The index of the parent's receiver call that sent this dispatch."""
        return self.seen.dispatch.parent_call


class Families:
    """``for family in families.add(seen, now): …``; call ``waited(now)`` at intervals."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._waiting: dict[str, list[tuple[float, Seen]]] = {}  # by the id of the parent
        self._ids: set[str] = set()  # of the dispatches that wait
        self._shown: dict[str, None] = {}

    def add(self, seen: Seen, now: float) -> Iterator[Family]:
        """Take a dispatch that has arrived; yield what can be shown now."""
        if not seen.dispatch.parent_id_text:
            yield self._family(seen)
        elif seen.dispatch.parent_id_text in self._shown:
            yield self._family(seen, is_alone=True)
        else:
            self._waiting.setdefault(seen.dispatch.parent_id_text, []).append((now, seen))
            self._ids.add(seen.dispatch.id_text)
            if len(self._ids) > _MOST:
                yield from self.rest()

    def waited(self, now: float) -> Iterator[Family]:
        """Yield dispatches whose parent did not arrive in time: it still runs, or is not seen."""
        for parent, found in list(self._waiting.items()):
            # A dispatch whose parent is waiting as well is shown with the parent.
            if parent in self._ids or parent not in self._waiting:
                continue
            if min(since for since, _ in found) + self._patience <= now:
                yield from self._without(parent)

    def rest(self) -> Iterator[Family]:
        """Yield everything that waits, last those that name each other as their parents."""
        yield from self.waited(float("inf"))
        for parent in list(self._waiting):
            yield from self._without(parent)

    def _without(self, parent: str) -> Iterator[Family]:
        """Yield the dispatches that wait for this parent, by themselves."""
        found = [seen for _, seen in self._waiting.pop(parent, ())]
        self._ids.difference_update(seen.dispatch.id_text for seen in found)
        for seen in sorted(found, key=lambda seen: seen.dispatch.started_at):
            yield self._family(seen, is_alone=True)

    def _family(self, seen: Seen, *, is_alone: bool = False) -> Family:
        """The dispatch with all that wait for it. A loop, because they may be nested deeply."""
        top = Family(seen, is_alone=is_alone)
        todo = [top]
        while todo:
            family = todo.pop()
            self._note_shown(family.seen.dispatch.id_text)
            children = [child for _, child in self._waiting.pop(family.seen.dispatch.id_text, ())]
            self._ids.difference_update(child.dispatch.id_text for child in children)
            children.sort(key=lambda child: child.dispatch.started_at)
            family.children = [Family(child) for child in children]
            todo += family.children
        return top

    def _note_shown(self, id_: str) -> None:
        self._shown[id_] = None
        while len(self._shown) > _SHOWN:
            del self._shown[next(iter(self._shown))]
