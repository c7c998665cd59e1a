"""Advice: what a developer should know about this request, with a reason and the row concerned.

``mend`` is what should be fixed; ``know`` is worth a look. Advice that would be the same for many
dispatches is given once, with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from signal_inspector.catalog import SignalEntry
from signal_inspector.conf import Config
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import ReceiverCall
from signal_inspector.display.numbers import integer, plural
from signal_inspector.display.parts import Badge, Segment
from signal_inspector.display.text import last_part, unique
from signal_inspector.toolbar.dispatch_rows import Remarks
from signal_inspector.toolbar.grouping import Tree

Severity = Literal["mend", "know"]

#: A row: the index of a dispatch, and the index of one of its receiver calls or None.
Target = tuple[int, int | None]

_LINES = 15  # of each severity

DROPPED_ROW = "dropped"  # id of the row about dropped dispatches, which is the last one


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One piece of advice."""

    kind: str  # "stopped others": in lower case, never changes
    severity: Severity
    title: str  # "Stopped others"; may hold a number: "Ran 12 times"
    reason: tuple[Segment, ...]
    targets: tuple[Target, ...] = ()  # every row it is about; the first is the one to show
    badge: Badge | None = None  # shown on these rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The request that the rules examine."""

    tree: Tree
    config: Config
    catalog: Sequence[SignalEntry]
    dropped: int

    @property
    def dispatches(self) -> Sequence[Dispatch]:
        return self.tree.dispatches

    def calls(self) -> list[tuple[Dispatch, int, ReceiverCall]]:
        """Every receiver call of the request, with its dispatch and its index."""
        return [(d, index, call) for d in self.dispatches for index, call in enumerate(d.calls)]


def sentence(*words: str | Segment | Sequence[Segment]) -> tuple[Segment, ...]:
    """A reason made of plain words and emphasized parts."""
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
    """The last part of a dotted name, emphasized."""
    return Segment(text=last_part(dotted), style="strong")


def mono(code: str) -> Segment:
    """A piece of code."""
    return Segment(text=code, style="mono")


def times(number: int) -> str:
    """ " (3 times)" for what happened more than once; otherwise ""."""
    return f" ({integer(number)} times)" if number > 1 else ""


def remarks(advice: Sequence[Advice], *, alone: bool = False) -> Remarks:
    """What the rows show of the advice; ``alone``: whether the request sent only one dispatch."""
    found = Remarks(mend=_to_mend(advice), alone=alone)
    for one in advice:
        if one.badge is not None:
            for target in one.targets:
                found.badges.setdefault(target, []).append(one.badge)
    return found


def _to_mend(advice: Sequence[Advice]) -> frozenset[int]:
    return frozenset(
        target[0] for one in advice if one.severity == "mend" for target in one.targets
    )


@dataclass(frozen=True, slots=True)
class Lines:
    """Advice as the panel prints it."""

    mend: tuple[AdviceLine, ...]
    know: tuple[AdviceLine, ...]
    know_title: str
    know_kinds: str


def lines(advice: Sequence[Advice], row_of: Callable[[Target], str]) -> Lines:
    """The advice as lines; ``row_of`` gives the id of the row that shows a target, or ""."""
    mend, know = (_lines(advice, severity, row_of) for severity in ("mend", "know"))
    titles = unique(one.title.lower() for one in advice if one.severity == "know")
    number = sum(one.severity == "know" for one in advice)
    title = f"{integer(number)} more to know" if mend else f"{plural(number, 'thing')} to know"
    kinds = " · ".join(titles)
    return Lines(mend=mend, know=know, know_title=title if know else "", know_kinds=kinds)


def _lines(
    advice: Sequence[Advice], severity: Severity, row_of: Callable[[Target], str]
) -> tuple[AdviceLine, ...]:
    chosen = [one for one in advice if one.severity == severity]
    shown = [
        AdviceLine(kind=one.title, segments=one.reason, target=_target(one, row_of))
        for one in chosen[:_LINES]
    ]
    if len(chosen) > _LINES:
        left = Segment(text=f"{integer(len(chosen) - _LINES)} more of these kinds are not listed.")
        shown.append(AdviceLine(kind="More", segments=(left,)))
    return tuple(shown)


def _target(one: Advice, row_of: Callable[[Target], str]) -> str:
    if one.kind == "dropped":
        return DROPPED_ROW
    return row_of(one.targets[0]) if one.targets else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceLine:
    """One piece of advice with its reason."""

    kind: str  # "Stopped others"
    segments: tuple[Segment, ...]
    target: str = ""  # id of a row in ``PanelView.rows``; "" for no Show button


def strong_listing(names: Sequence[str], limit: int = 4) -> list[Segment]:
    """The last parts of dotted names, emphasized, listed as ``listing`` lists words."""
    shown = [strong(name) for name in names[:limit]]
    if len(names) > limit:
        shown.append(Segment(text=f"{integer(len(names) - limit)} more"))
    segments: list[Segment] = []
    for index, segment in enumerate(shown):
        if index:
            segments.append(Segment(text=" and " if index == len(shown) - 1 else ", "))
        segments.append(segment)
    return segments
