"""What a developer should know of this request, each with its reason and the row it speaks of.

``mend`` is what is wrong; ``know`` is what is worth a look. Advice that would say the same of
many dispatches says it once, with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from signal_inspector.catalog import SignalEntry
from signal_inspector.conf import Config
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import ReceiverCall
from signal_inspector.display.numbers import integer
from signal_inspector.display.parts import Badge, Segment
from signal_inspector.display.text import last_part
from signal_inspector.toolbar.grouping import Tree

Severity = Literal["mend", "know"]

#: A row: a dispatch by its index, and the index of a receiver call of it or None.
Target = tuple[int, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One piece of advice."""

    kind: str  # "stopped others": lower case, stable
    severity: Severity
    title: str  # "Stopped others"; may hold a number: "Ran 12 times"
    reason: tuple[Segment, ...]
    targets: tuple[Target, ...] = ()  # every row it speaks of, the one to show first
    badge: Badge | None = None  # put on these rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the rules look at."""

    tree: Tree
    config: Config
    catalog: Sequence[SignalEntry]
    dropped: int

    @property
    def dispatches(self) -> Sequence[Dispatch]:
        return self.tree.dispatches

    def calls(self) -> list[tuple[Dispatch, int, ReceiverCall]]:
        """Every receiver call of the request with its dispatch and its index."""
        return [(d, index, call) for d in self.dispatches for index, call in enumerate(d.calls)]


def sentence(*words: str | Segment | Sequence[Segment]) -> tuple[Segment, ...]:
    """A reason from plain words and emphasised parts."""
    segments: list[Segment] = []
    for word in words:
        if isinstance(word, str):
            if word:
                segments.append(Segment(text=word))
        elif isinstance(word, Segment):
            segments.append(word)
        else:
            segments.extend(word)
    return tuple(segments)


def strong(dotted: str) -> Segment:
    """The last part of a dotted name, emphasised."""
    return Segment(text=last_part(dotted), style="strong")


def mono(code: str) -> Segment:
    """A piece of code."""
    return Segment(text=code, style="mono")


def times(number: int) -> str:
    """ " (3 times)" of what happened more than once."""
    return f" ({integer(number)} times)" if number > 1 else ""
