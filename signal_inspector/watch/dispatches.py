"""Dispatches as a watcher sees them: read from plain data that anybody may have sent.

They are filtered, and put under those that caused them, though they end, and so come, earlier.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from signal_inspector.names import name_matches, unmarked

#: What is read of a text, in characters.
_LONGEST: Final = 2_000

#: Seconds that a dispatch waits for the one it was sent in.
PATIENCE: Final = 2.0

_MOST: Final = 5_000  # that wait together
_SHOWN: Final = 20_000  # ids of those shown that are remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCall:
    """A receiver's part in it."""

    receiver: str
    outcome: str  # a value of records.Outcome
    duration_ns: int
    is_timed: bool
    is_async: bool
    query_count: int
    exception: str  # dotted name of the class, "" where none
    message: str

    @property
    def has_failed(self) -> bool:
        return self.outcome == "raised"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A dispatch, and the plain data that it was read from."""

    id: str
    parent_id: str
    parent_call: int  # -1 where it is not known
    signal: str
    sender: str
    method: str
    started_at: datetime
    duration_ns: int
    outcome: str  # a value of records.Outcome
    unseen: str  # a value of records.Unseen, "" where all was seen
    calls: tuple[SeenCall, ...]
    payload: tuple[tuple[str, str], ...]  # argument and its text
    in_transaction: bool
    rolled_back: bool
    process: str
    data: dict[str, Any]

    @property
    def has_failed(self) -> bool:
        """Whether a receiver failed, swallowed or not, or the send did not return."""
        return self.outcome == "raised" or any(call.has_failed for call in self.calls)

    @property
    def is_orphan(self) -> bool:
        """Whether nobody received it, and nobody will."""
        return not self.calls and self.outcome == "returned" and not self.unseen


def read_seen(data: dict[str, Any], process: str) -> Seen:
    """A dispatch of ``Dispatch.as_dict()``. Raises ValueError for what is none."""
    try:
        return _read(data, process)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("not a dispatch") from error


def _read(data: dict[str, Any], process: str) -> Seen:
    started_at = datetime.fromisoformat(_text(data["started_at"]))
    if started_at.tzinfo is None:
        started_at = started_at.replace(tzinfo=UTC)
    parent_call = data.get("parent_call")
    return Seen(
        id=_text(data["id"]),
        parent_id=_text(data.get("parent_id") or ""),
        parent_call=-1 if parent_call is None else int(parent_call),
        signal=_text(data["signal"]),
        sender=_text(data["sender"]),
        method=_text(data["method"]),
        started_at=started_at,
        duration_ns=int(data["duration_ns"]),
        outcome=_text(data["outcome"]),
        unseen=_text(data.get("unseen") or ""),
        calls=tuple(_read_call(call) for call in data["calls"]),
        payload=tuple(
            (_text(key), _text(summary["text"])) for key, summary in _items(data.get("payload"))
        ),
        in_transaction=bool(data.get("in_transaction")),
        rolled_back=bool(data.get("rolled_back")),
        process=process,
        data=data,
    )


def _read_call(call: dict[str, Any]) -> SeenCall:
    failure = call.get("failure") or {}
    return SeenCall(
        receiver=_text(call["receiver"]),
        outcome=_text(call["outcome"]),
        duration_ns=int(call["duration_ns"]),
        is_timed=bool(call.get("timed", True)),
        is_async=bool(call["is_async"]),
        query_count=int(call["query_count"]),
        exception=_text(failure.get("exception_class", "")),
        message=_text(failure.get("message", "")),
    )


def _items(payload: Any) -> Any:
    return dict(payload or {}).items()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value[:_LONGEST]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is given has to hold together. Globs match whole dotted names, or their last part."""

    signals: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    failures: bool = False  # a receiver failed, or the send did not return
    slower_than_ns: int = -1  # the dispatch, or one of its receivers

    def take(self, seen: Seen) -> bool:
        """Whether to show it."""
        return (
            _matches(self.signals, seen.signal)
            and _matches(self.senders, seen.sender)
            and (
                not self.receivers
                or any(_matches(self.receivers, call.receiver) for call in seen.calls)
            )
            and (not self.failures or seen.has_failed)
            and seen.duration_ns > self.slower_than_ns
        )


def _matches(globs: tuple[str, ...], name: str) -> bool:
    if not globs:
        return True
    names = {name, unmarked(name)}
    names |= {each.rpartition(".")[2] for each in names}
    return any(name_matches(each, glob) for each in names for glob in globs)


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
