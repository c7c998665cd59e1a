"""The log as a source for other rooms: for ``signals watch``, and for the graph of signals.

``signals watch`` reads what is written, as it comes. For the graph, the newest part of the log
says which receiver sent which signal. This uses the index of parents, so its time does not depend
on the length of the log.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connections

from signal_inspector.audit.lookups import calls, dispatches
from signal_inspector.audit.models import Name
from signal_inspector.audit.search.entries import (
    Follower,
    Reader,
    Wanted,
    as_document,
    start_of,
)
from signal_inspector.audit.search.selection import Selection
from signal_inspector.audit.settings import get_settings
from signal_inspector.core.registry import Asked, SentOn, Source, SourceAwayError

#: A dispatch is shown if it is written within this time after its start.
_WINDOW: Final = timedelta(minutes=5)

#: How many of the newest dispatches that were sent in a receiver are counted.
SAMPLE: Final = 5_000

_AT_ONCE: Final = 400  # ids in one query

T = TypeVar("T")


def open_source(asked: Asked) -> Source:
    """The log from now on. Raises ``CommandError`` if it has no tables."""
    from signal_inspector.audit.management.signal_audit.base import require_tables  # noqa: PLC0415

    require_tables()
    return _Log(asked)


class _Log:
    interval: Final = 1.0

    def __init__(self, asked: Asked) -> None:
        reader = Reader(
            Wanted(
                selection=Selection(outcome="failed" if asked.failures else ""),
                signal_glob="" if asked.signal == "*" else asked.signal,
            )
        )
        self._follower = Follower(reader, start_of([], datetime.now(UTC)), _WINDOW)

    def look(self) -> Iterator[dict[str, Any]]:
        try:
            for ids in self._follower.look(datetime.now(UTC)):
                for entry in self._follower.entries(ids):
                    yield as_document(entry)
        except (DatabaseError, InterfaceError) as error:
            connections[get_settings().database].close()
            raise SourceAwayError(f"The database is unavailable: {str(error).strip()}") from error

    def close(self) -> None:
        """Do nothing, as nothing is open."""


def sent_on(sample: int = SAMPLE) -> list[SentOn]:
    """What receivers sent in the newest ``sample`` dispatches that have a parent."""
    rows = dispatches().filter(parent_id__isnull=False).order_by("-parent_id")
    sent = [
        (parent, index, signal)
        for parent, index, signal in rows.values_list("parent_id", "parent_call", "signal_id")[
            :sample
        ]
        if parent is not None and index is not None
    ]
    receivers = _receivers({parent for parent, _, _ in sent})
    counts = Counter(
        (receivers[parent, index], signal)
        for parent, index, signal in sent
        if (parent, index) in receivers  # not there if the parent is not audited
    )
    texts = _texts({number for pair in counts for number in pair})
    return [
        SentOn(receiver=texts[receiver], signal=texts[signal], count=count)
        for (receiver, signal), count in counts.items()
        if receiver in texts and signal in texts
    ]


def _receivers(parents: set[UUID]) -> dict[tuple[UUID, int], int]:
    found: dict[tuple[UUID, int], int] = {}
    for ids in _parts(sorted(parents)):
        rows = (
            calls().filter(dispatch_id__in=ids).values_list("dispatch_id", "index", "receiver_id")
        )
        found.update(((id_, index), receiver) for id_, index, receiver in rows)
    return found


def _texts(numbers: set[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for ids in _parts(sorted(numbers)):
        rows = Name.objects.using(get_settings().database).filter(id__in=ids)
        found.update(rows.values_list("id", "text"))
    return found


def _parts(items: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
