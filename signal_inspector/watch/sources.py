"""Other ways for a watcher to learn of dispatches than the socket: rooms above register them.

Of the watching room this alone is imported when a project with the audit starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol


class Asked(NamedTuple):
    """What a source may leave out, as it would not be shown."""

    signal: str = "*"  # a glob on dotted names
    failures: bool = False  # only dispatches in which something failed


class Source(Protocol):
    """A way to learn of dispatches that is asked again and again."""

    @property
    def interval(self) -> float:
        """Seconds from one look to the next."""

    def look(self) -> Iterable[dict[str, Any]]:
        """What is new since the last look, each as ``record.dispatch.document`` gives it.

        ``process`` in its context is the words for who sent it. Raises ``SourceAwayError``
        where another try may find more.
        """

    def close(self) -> None:
        """Called once at the end."""


class SourceAwayError(Exception):
    """A source cannot be read just now; the text says why, for a person."""


#: Opens a source. Raises ``CommandError`` where it cannot be read at all.
OpenSource = Callable[[Asked], Source]


_sources: dict[str, OpenSource] = {}


def register(name: str, opens: OpenSource) -> None:
    """Offer a source as ``--via NAME``; the same name replaces the former."""
    _sources[name] = opens


def source(name: str) -> OpenSource | None:
    """What opens the source of this name; None where no such room is installed."""
    return _sources.get(name)
