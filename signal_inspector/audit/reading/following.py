"""What is new in the log, as it comes.

A dispatch has the id of its start and is written when it has ended, by whichever process: so it
may appear behind others that started later. Each look reaches back by an overlap, and every so
often by all of a window; what was shown before is known by its id.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from signal_inspector.audit.lookups import first_id_at, time_of
from signal_inspector.audit.reading.entries import Entry, Reader

#: How far back each look goes: the usual time from a start to the row, and clocks that differ.
OVERLAP: Final = timedelta(seconds=10)
_FAR: Final = 10  # looks of which one goes back by all of the window
_AT_ONCE: Final = 250


class Follower:
    """Yields each entry once, in the order of time within one look."""

    def __init__(self, reader: Reader, start: datetime, window: timedelta) -> None:
        self._reader = reader
        self._start = start
        self._window = window
        self._seen: set[UUID] = set()
        self._looks = 0

    def skip(self, ids: list[UUID]) -> None:
        """These have been shown."""
        self._seen.update(ids)

    def look(self, now: datetime) -> list[list[UUID]]:
        """The ids that are new, some at a time. To be shown with ``entries``."""
        reach = self._window if self._looks % _FAR == 0 else min(OVERLAP, self._window)
        self._looks += 1
        since = max(self._start, now - reach)
        self._forget(now)
        found = []
        for ids in self._reader.ids(after=UUID(int=first_id_at(since).int - 1)):
            new = [id_ for id_ in ids if id_ not in self._seen]
            self._seen.update(new)
            found += [new[start : start + _AT_ONCE] for start in range(0, len(new), _AT_ONCE)]
        return found

    def entries(self, ids: list[UUID]) -> list[Entry]:
        """The entries of such ids."""
        return self._reader.fetch(ids)

    def _forget(self, now: datetime) -> None:
        """No look goes back so far any more."""
        if self._looks % _FAR == 1:
            oldest = first_id_at(now - self._window - timedelta(seconds=1))
            self._seen = {id_ for id_ in self._seen if id_ >= oldest}


def start_of(ids: list[UUID], now: datetime) -> datetime:
    """From when on to follow, where these were shown last."""
    return min([now, *(time_of(id_) for id_ in ids)])
