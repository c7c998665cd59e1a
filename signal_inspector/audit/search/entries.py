"""The log as a stream: dispatches with their receiver calls, in constant memory.

The log is read by ids, in batches, with short queries. Nothing stays open between them: no
transaction, no cursor on the server. So this works through a pooler that assigns a connection per
transaction, and a slow consumer blocks nothing. There are few names, so most stay in memory.

``dispatch_values`` and ``call_values`` return an entry as plain values: words for numbers, texts
for times and ids. ``Follower`` returns what is new. The id of a dispatch is made when it starts,
but the dispatch is written when it has ended, by any process, so it may appear after others that
started later. So each look reaches back by an overlap, and every tenth look by a whole window;
dispatches that were shown before are recognized by their ids.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from signal_inspector.audit.destinations.database.adapters import utc_of
from signal_inspector.audit.lookups import calls, dispatches, first_id_at, time_of
from signal_inspector.audit.models import (
    AuditedObject,
    Ending,
    Method,
    Name,
    Origin,
    TransactionOutcome,
    Unseen,
)
from signal_inspector.audit.payloads import payload_data, response_data
from signal_inspector.audit.rows import (
    CALL_COLUMNS,
    CALL_NAMES,
    DISPATCH_COLUMNS,
    DISPATCH_NAMES,
    read_caller,
    read_place,
)
from signal_inspector.audit.search.finding import scan
from signal_inspector.audit.search.selection import Selection
from signal_inspector.audit.settings import get_settings
from signal_inspector.core.record import dispatch as record
from signal_inspector.names import matches

#: What the permission view_payloads protects: values of the application, and texts that may
#: contain some.
DISPATCH_VALUES: Final = ("payload",)
CALL_VALUES: Final = ("message", "traceback", "response")

OLDEST: Final = UUID(int=0)
_AT_ONCE: Final = 250  # dispatches in memory at the same time
_NAMES: Final = 20_000  # names in memory
_NUMBERS: Final = frozenset(
    [
        *DISPATCH_NAMES,
        *CALL_NAMES,
    ]
)

_WORDS: Final[dict[str, dict[int, str]]] = {
    "method": {each.value: each.label for each in Method},
    "unseen": {each.value: each.label for each in Unseen},
    "outcome": {each.value: each.label for each in Ending},
    "transaction_outcome": {each.value: each.label for each in TransactionOutcome},
    "origin": {each.value: each.label for each in Origin},
}
#: How far back each look goes: it allows for the usual time between the start of a dispatch and
#: its row, and for clocks that differ.
OVERLAP: Final = timedelta(seconds=10)
_FAR: Final = 10  # one look in so many goes back by the whole window
_NEW_AT_ONCE: Final = 250


@dataclass(frozen=True, slots=True)
class Entry:
    """A dispatch in the log: its columns and those of its calls, with texts for names."""

    id: UUID
    dispatch: dict[str, Any]
    calls: list[dict[str, Any]]
    objects: list[str]  # "shop.Order:42", sorted


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a reader has to yield."""

    selection: Selection
    signal_glob: str = ""  # a further condition; "": any signal
    payloads: bool = True  # whether to read DISPATCH_VALUES and CALL_VALUES


class Reader:
    """Reads entries, and remembers names between calls."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._texts: OrderedDict[int, str] = OrderedDict()
        hidden = () if wanted.payloads else (*DISPATCH_VALUES, *CALL_VALUES)
        self._dispatch_columns = [name for name in DISPATCH_COLUMNS if name not in hidden]
        self._call_columns = [name for name in CALL_COLUMNS if name not in hidden]
        self._matches: dict[int, bool] = {}  # whether the glob matches a signal, by its number

    def entries(self, *, before: UUID | None = None, after: UUID = OLDEST) -> Iterator[Entry]:
        """The entries of the selection between these ids, the oldest first.

        Without ``before`` this may never end while other processes write.
        """
        for batch in self.batches(before=before, after=after):
            yield from batch

    def batches(
        self, *, before: UUID | None = None, after: UUID = OLDEST
    ) -> Iterator[list[Entry]]:
        """The entries of the selection between these ids, in batches."""
        for ids in self.ids(before=before, after=after):
            for start in range(0, len(ids), _AT_ONCE):
                yield self.fetch(ids[start : start + _AT_ONCE])

    def ids(self, *, before: UUID | None = None, after: UUID = OLDEST) -> Iterator[list[UUID]]:
        """The ids of these entries, in batches; some are empty, if nothing is found for long."""
        selection = self._wanted.selection
        for step in scan(selection, after=after):
            ids = step.ids if before is None else [id_ for id_ in step.ids if id_ < before]
            yield self.of_signals(ids)
            if before is not None and step.looked_to is not None and step.looked_to >= before:
                return

    def fetch(self, ids: list[UUID]) -> list[Entry]:
        """The entries with these ids, in this order; what was deleted meanwhile is left out."""
        rows = {
            row[0]: dict(zip(self._dispatch_columns, row, strict=True))
            for row in dispatches().filter(id__in=ids).values_list(*self._dispatch_columns)
        }
        received = self._calls(ids)
        carried = self._objects(ids)
        self._learn(rows.values(), *received.values())
        return [
            Entry(
                id_,
                self._named(rows[id_]),
                [self._named(call) for call in received[id_]],
                sorted(f"{self._texts.get(model, '')}:{key}" for model, key in carried[id_]),
            )
            for id_ in ids
            if id_ in rows
        ]

    def _calls(self, ids: list[UUID]) -> dict[UUID, list[dict[str, Any]]]:
        found: dict[UUID, list[dict[str, Any]]] = defaultdict(list)
        rows = calls().filter(dispatch_id__in=ids).order_by("dispatch_id", "index")
        for row in rows.values_list(*self._call_columns):
            found[row[0]].append(dict(zip(self._call_columns, row, strict=True)))
        return found

    def _objects(self, ids: list[UUID]) -> dict[UUID, list[tuple[int, str]]]:
        found: dict[UUID, list[tuple[int, str]]] = defaultdict(list)
        rows = AuditedObject.objects.using(get_settings().database).filter(dispatch_id__in=ids)
        for id_, model, key in rows.values_list("dispatch_id", "model_id", "object_pk"):
            found[id_].append((model, key))
        self._look_up({model for keys in found.values() for model, _ in keys})
        return found

    def _learn(self, rows: Iterable[dict[str, Any]], *of_calls: list[dict[str, Any]]) -> None:
        every = chain(rows, *of_calls)
        self._look_up({row[column] for row in every for column in _NUMBERS & row.keys()})

    def _look_up(self, numbers: Iterable[int | None]) -> None:
        missing = []
        for number in numbers:
            if number is None:
                continue
            if number in self._texts:
                self._texts.move_to_end(number)
            else:
                missing.append(number)
        rows = Name.objects.using(get_settings().database)
        for start in range(0, len(missing), _AT_ONCE):
            found = rows.filter(id__in=missing[start : start + _AT_ONCE])
            self._texts.update(found.values_list("id", "text"))
        while len(self._texts) > max(_NAMES, len(missing)):
            self._texts.popitem(last=False)

    def _named(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row with texts in place of numbers: ``signal`` in place of ``signal_id``."""
        texts = self._texts
        return {
            shown(column): texts.get(value, "") if column in _NUMBERS else value
            for column, value in row.items()
        }

    def of_signals(self, ids: list[UUID]) -> list[UUID]:
        """The ids of dispatches whose signal the glob matches."""
        if not self._wanted.signal_glob or not ids:
            return ids
        rows = dispatches().filter(id__in=ids).values_list("id", "signal_id")
        signals: dict[UUID, int] = dict(rows)
        self._look_up(signals.values())
        return [id_ for id_ in ids if id_ in signals and self._is_wanted(signals[id_])]

    def _is_wanted(self, signal: int) -> bool:
        if signal not in self._matches:
            self._matches[signal] = matches(self._wanted.signal_glob, self._texts.get(signal, ""))
        return self._matches[signal]


def shown(column: str) -> str:
    """The name of a column when its number is replaced by text: ``signal`` for ``signal_id``."""
    return column[:-3] if column in _NUMBERS else column


def utc(moment: datetime, id_: UUID | None = None) -> datetime:
    """A time from the log in UTC; pass the ``id_`` of the dispatch if it is its start.

    Without USE_TZ the database has local times, which are ambiguous in one hour each year. The
    id says which of the two it was.
    """
    if id_ is not None and timezone.is_naive(moment):
        return time_of(id_)
    return utc_of(moment)


def dispatch_values(entry: Entry) -> dict[str, Any]:
    """The columns of the dispatch, without its calls."""
    found = {column: _plain(column, value) for column, value in entry.dispatch.items()}
    found["started_at"] = iso(utc(entry.dispatch["started_at"], entry.id))
    found["is_failed"] = bool(entry.dispatch["is_failed"])
    found["by_time"] = bool(entry.dispatch["by_time"])
    sampled = entry.dispatch["trace_sampled"]
    found["trace_sampled"] = None if sampled is None else bool(sampled)
    return found


def call_values(call: dict[str, Any]) -> dict[str, Any]:
    """The columns of a receiver call, without the id of its dispatch."""
    found = {column: _plain(column, value) for column, value in call.items()}
    del found["dispatch_id"]
    found["is_async"] = bool(found["is_async"])
    return found


def iso(moment: datetime) -> str:
    """A time with microseconds and UTC offset: ``2026-11-22T14:03:07.120000+00:00``."""
    return moment.isoformat(timespec="microseconds")


def as_document(entry: Entry) -> dict[str, Any]:
    """The JSON of a dispatch, the same as in every room; what only the log knows is its context.

    What the log does not keep is absent, and so is what was not read.
    """
    row = entry.dispatch
    unreadable: dict[str, str] = {}
    told = {
        "id": str(entry.id),
        "by_time": bool(row["by_time"]),
        "signal": row["signal"],
        "sender": row["sender"],
        "method": row["own_method"] or _plain("method", row["method"]),
        "started_at": iso(utc(row["started_at"], entry.id)),
        "duration_ns": row["duration_ns"],
        "outcome": _plain("outcome", row["outcome"]),
        "calls": [_call(call, unreadable) for call in entry.calls],
    }
    for key in _RECORD_IF:
        if (value := row[key]) is not None and value != "":
            told[key] = _plain(key, value)
    if (sampled := row["trace_sampled"]) is not None:
        told["trace_sampled"] = bool(sampled)
    for key in ("caller", "project_caller"):
        if row[key]:
            told[key] = read_caller(row[key]).as_dict()
    ending = row["transaction_outcome"]
    if ending != TransactionOutcome.UNKNOWN:
        told["in_transaction"] = ending != TransactionOutcome.NONE
        told["rolled_back"] = ending == TransactionOutcome.ROLLED_BACK
    context = {
        key: _plain(key, value)
        for key in _CONTEXT
        if (value := row[key]) is not None and value != ""
    }
    context["is_failed"] = bool(row["is_failed"])
    if text := row.get("payload"):
        try:
            told["payload"] = payload_data(text)
            told["payload_dropped"] = row["payload_dropped"]
        except ValueError:
            context["unreadable_payload"] = text
    if unreadable:
        context["unreadable_responses"] = unreadable
    if entry.objects:
        context["objects"] = entry.objects
    return record.document(told, **context)


def _call(row: dict[str, Any], unreadable: dict[str, str]) -> dict[str, Any]:
    """The JSON of a receiver call; a response that cannot be read is added to ``unreadable``."""
    offset, outcome = row["offset_ns"], row["outcome"]
    told = {
        "receiver": row["receiver"],
        "is_async": bool(row["is_async"]),
        "outcome": _plain("outcome", outcome),
        "duration_ns": row["duration_ns"],
        "self_ns": row["self_ns"],
        "query_count": row["query_count"],
        "query_ns": row["query_ns"],
        "queries_by_time": row["queries_by_time"],
        "timed": offset is not None or outcome in _NEVER_STARTED,
    }
    told["path"], told["line"] = read_place(row["location"] or "")
    if offset is not None:
        told["offset_ns"] = offset
    if text := row.get("response"):
        try:
            told["response"] = response_data(text)
        except ValueError:
            unreadable[str(row["index"])] = text
    if row["exception"]:
        failure = {"exception_class": row["exception"]}
        for key in ("message", "traceback"):
            if text := row.get(key):
                failure[key] = text
        told["failure"] = failure
    return told


#: Columns that have the same name in the record; they are included unless empty.
_RECORD_IF: Final = ("parent_id", "parent_call", "trace_id", "span_id", "unseen")
_RECORD: Final = (
    *(*_RECORD_IF, "id", "by_time", "signal", "sender", "method", "own_method", "started_at"),
    *("duration_ns", "outcome", "caller", "project_caller", "trace_sampled"),
    *("payload", "payload_dropped"),
)
#: The other columns: what only the log knows about a dispatch.
_CONTEXT: Final = [name for name in map(shown, DISPATCH_COLUMNS) if name not in _RECORD]
#: A call that never started has no times, so none are missing.
_NEVER_STARTED: Final = (Ending.SKIPPED, Ending.CANCELLED)


def _plain(column: str, value: Any) -> Any:
    if column in _WORDS and value is not None:
        return _WORDS[column].get(value, str(value))
    convert = _CONVERSIONS.get(type(value))
    return value if convert is None else convert(value)


_CONVERSIONS: Final[dict[type, Callable[[Any], Any]]] = {
    UUID: str,
    datetime: lambda moment: iso(utc(moment)),
}


class Follower:
    """Returns each entry once, in the order of time within one look."""

    def __init__(self, reader: Reader, start: datetime, window: timedelta) -> None:
        self._reader = reader
        self._start = start
        self._window = window
        self._seen: set[UUID] = set()
        self._looks = 0

    def skip(self, ids: list[UUID]) -> None:
        """Note that these have been shown already."""
        self._seen.update(ids)

    def look(self, now: datetime) -> list[list[UUID]]:
        """The ids that are new, in batches; pass them to ``entries``."""
        reach = self._window if self._looks % _FAR == 0 else min(OVERLAP, self._window)
        self._looks += 1
        since = max(self._start, now - reach)
        self._forget(now)
        found = []
        for ids in self._reader.ids(after=UUID(int=first_id_at(since).int - 1)):
            new = [id_ for id_ in ids if id_ not in self._seen]
            self._seen.update(new)
            found += [
                new[start : start + _NEW_AT_ONCE] for start in range(0, len(new), _NEW_AT_ONCE)
            ]
        return found

    def entries(self, ids: list[UUID]) -> list[Entry]:
        """The entries with ids that ``look`` returned."""
        return self._reader.fetch(ids)

    def _forget(self, now: datetime) -> None:
        """Forget ids that no look will reach again."""
        if self._looks % _FAR == 1:
            oldest = first_id_at(now - self._window - timedelta(seconds=1))
            self._seen = {id_ for id_ in self._seen if id_ >= oldest}


def start_of(ids: list[UUID], now: datetime) -> datetime:
    """The time from which to follow the log after these dispatches were shown."""
    return min([now, *(time_of(id_) for id_ in ids)])
