"""Keep our own queries out of the toolbar's SQL panel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from signal_inspector.core.record.transactions import opened_connections


@contextmanager
def unlogged() -> Iterator[None]:
    """A suppressor: a context in which the SQL panel logs no query of this thread.

    The toolbar has no public way to do this. It reads its private attribute for each cursor.
    """
    watched: list[tuple[Any, Any]] = [
        (connection, panel)
        for connection in opened_connections()
        if (panel := getattr(connection, "_djdt_logger", None)) is not None
    ]
    for connection, _ in watched:
        connection._djdt_logger = None
    try:
        yield
    finally:
        for connection, panel in watched:
            connection._djdt_logger = panel
