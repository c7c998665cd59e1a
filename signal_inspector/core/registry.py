"""What one room knows and another may show: rooms register it here, as none imports another.

What receivers sent on is shown by the graph; ways to learn of dispatches, other than its socket,
are used by ``signals watch``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from django.db import DatabaseError

from signal_inspector.core import internal_errors
from signal_inspector.core.record.dispatch import Dispatch


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOn:
    """A receiver that was seen to send a signal on, and how often."""

    receiver: str  # module.qualname, as in ReceiverCall.receiver
    signal: str  # dotted name, as in Dispatch.signal
    count: int


SentOnSource = Callable[[], Iterable[SentOn]]


_sent_on: dict[str, SentOnSource] = {}


def register_sent_on(name: str, source: SentOnSource) -> None:
    """Let ``source`` be asked for what receivers sent on; the same name replaces the former."""
    _sent_on[name] = source


def sent_on(on_problem: Callable[[str], None] | None = None) -> list[SentOn]:
    """What all sources know, added up, by receiver and signal. A failing source is left out.

    A database that is away, or has no tables yet, is no mistake of ours: ``on_problem`` is told
    in words.
    """
    counts: dict[tuple[str, str], int] = {}
    for name, source in list(_sent_on.items()):
        try:
            found = list(source())
        except DatabaseError as error:
            if on_problem is not None:
                on_problem(f"What the {name} has recorded is left out: {error}")
            continue
        except Exception as error:
            internal_errors.report(f"what the {name} has recorded", error)
            continue
        for each in found:
            key = (each.receiver, each.signal)
            counts[key] = counts.get(key, 0) + each.count
    return [
        SentOn(receiver=receiver, signal=signal, count=count)
        for (receiver, signal), count in sorted(counts.items())
    ]


def sent_on_in(dispatches: Iterable[Dispatch]) -> list[SentOn]:
    """What receivers sent on among these dispatches, as ``capture()`` gives them."""
    known = {dispatch.id: dispatch for dispatch in dispatches}
    counts: Counter[tuple[str, str]] = Counter()
    for dispatch in known.values():
        parent = None if dispatch.parent_id is None else known.get(dispatch.parent_id)
        index = dispatch.parent_call
        if parent is not None and index is not None and index < len(calls := parent.calls):
            counts[calls[index].receiver, dispatch.signal] += 1
    return [
        SentOn(receiver=receiver, signal=signal, count=count)
        for (receiver, signal), count in sorted(counts.items())
    ]


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


_watch_sources: dict[str, OpenSource] = {}


def register_watch_source(name: str, opens: OpenSource) -> None:
    """Offer a source as ``--via NAME``; the same name replaces the former."""
    _watch_sources[name] = opens


def watch_source(name: str) -> OpenSource | None:
    """What opens the source of this name; None where no such room is installed."""
    return _watch_sources.get(name)
