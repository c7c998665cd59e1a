"""Lets one room use what another knows. Rooms do not import each other, but register here.

The graph shows which signals receivers sent on. ``signals watch`` uses sources of dispatches other
than its socket.
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
    """Register a source of what receivers sent on; the same name replaces the previous one."""
    _sent_on[name] = source


def sent_on(on_problem: Callable[[str], None] | None = None) -> list[SentOn]:
    """The counts of all sources, added up by receiver and signal. A failing source is left out.

    A database that is unavailable, or has no tables yet, is not an internal error: ``on_problem``
    is called with a sentence about it.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for name, source in list(_sent_on.items()):
        try:
            found = list(source())
        except DatabaseError as error:
            if on_problem is not None:
                on_problem(f"The records of the {name} are left out: {error}")
            continue
        except Exception as error:
            internal_errors.report(f"the records of the {name}", error)
            continue
        for each in found:
            counts[each.receiver, each.signal] += each.count
    return _in_order(counts)


def sent_on_in(dispatches: Iterable[Dispatch]) -> list[SentOn]:
    """The signals that receivers sent on in these dispatches, as ``capture()`` gives them."""
    known = {dispatch.id: dispatch for dispatch in dispatches}
    counts: Counter[tuple[str, str]] = Counter()
    for dispatch in known.values():
        parent = None if dispatch.parent_id is None else known.get(dispatch.parent_id)
        index = dispatch.parent_call
        if parent is not None and index is not None and index < len(calls := parent.calls):
            counts[calls[index].receiver, dispatch.signal] += 1
    return _in_order(counts)


def _in_order(counts: Counter[tuple[str, str]]) -> list[SentOn]:
    return [
        SentOn(receiver=receiver, signal=signal, count=count)
        for (receiver, signal), count in sorted(counts.items())
    ]


class Asked(NamedTuple):
    """What is to be shown; a source may leave out everything else."""

    signal: str = "*"  # a glob on dotted names or their last parts
    failures: bool = False  # only dispatches in which something failed


class Source(Protocol):
    """A source of dispatches that is polled."""

    @property
    def interval(self) -> float:
        """Seconds from one look to the next."""

    def look(self) -> Iterable[dict[str, Any]]:
        """The new dispatches since the last look, each as ``record.dispatch.document`` gives it.

        ``process`` in the context describes the process that sent it. Raises ``SourceAwayError``
        if a later try may find more.
        """

    def close(self) -> None:
        """Called once at the end."""


class SourceAwayError(Exception):
    """A source cannot be read at the moment; the text tells a person why."""


#: Opens a source. Raises ``CommandError`` if it cannot be read at all.
OpenSource = Callable[[Asked], Source]


_watch_sources: dict[str, OpenSource] = {}


def register_watch_source(name: str, opens: OpenSource) -> None:
    """Offer a source as ``--via NAME``; the same name replaces the previous one."""
    _watch_sources[name] = opens


def watch_source(name: str) -> OpenSource | None:
    """The function that opens the source of this name; None if no such room is installed."""
    return _watch_sources.get(name)
