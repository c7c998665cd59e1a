"""Deleting all of a selection, for the command and for the admin."""

from __future__ import annotations

from collections.abc import Iterator

from signal_inspector.audit.pruning.deleting import Chunks
from signal_inspector.audit.reading.entries import Reader, Wanted
from signal_inspector.audit.reading.selection import Selection


def purge(selection: Selection) -> Iterator[int]:
    """Delete its dispatches with what hangs on them; yields how many, after each transaction.

    0 now and then, where nothing was found for long: a caller that wants to stop is asked.
    """
    chunks = Chunks()
    for ids in Reader(Wanted(selection=selection, payloads=False)).ids():
        if ids:
            yield from chunks.of_ids(ids)
        else:
            yield 0
