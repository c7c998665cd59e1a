"""All advice on a request, as lines of the panel and as remarks on its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from signal_inspector.core import internal_errors
from signal_inspector.display.numbers import plural
from signal_inspector.display.parts import Segment
from signal_inspector.display.text import unique
from signal_inspector.toolbar import connection_rules, dispatch_rules
from signal_inspector.toolbar.advice import Advice, Case, Severity, Target
from signal_inspector.toolbar.dispatch_rows import Remarks
from signal_inspector.toolbar.view import AdviceLine

Rule = Callable[[Case], Iterator[Advice]]

#: In the order in which their advice stands.
RULES: Final[tuple[Rule, ...]] = (
    connection_rules.dropped,
    dispatch_rules.stopped_others,
    connection_rules.connected_twice,
    dispatch_rules.slow_in_transaction,
    dispatch_rules.ran_often,
    dispatch_rules.repeated_query,
    dispatch_rules.thread_for_asend,
    connection_rules.nobody_received,
    dispatch_rules.swallowed_failures,
    dispatch_rules.rolled_back,
    dispatch_rules.recursion,
)

_LINES = 15  # of each severity

DROPPED_ROW = "dropped"  # id of the last row, where there is one


def advise(case: Case) -> list[Advice]:
    """Everything the rules have to say. A rule that fails says nothing, and is reported."""
    advice: list[Advice] = []
    for rule in RULES:
        try:
            advice += list(rule(case))
        except Exception as error:
            internal_errors.report(f"advice ({rule.__name__})", error)
    return advice


def remarks(advice: Sequence[Advice], *, alone: bool = False) -> Remarks:
    """What the rows themselves say of it; ``alone`` where the request sent one dispatch."""
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
    """``row_of`` gives the id of the row that shows a target, or "" ."""
    mend, know = (_lines(advice, severity, row_of) for severity in ("mend", "know"))
    titles = unique(one.title.lower() for one in advice if one.severity == "know")
    number = sum(one.severity == "know" for one in advice)
    title = f"{number} more to know" if mend else f"{plural(number, 'thing')} to know"
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
        left = Segment(text=f"{len(chosen) - _LINES} more of these kinds are not listed.")
        shown.append(AdviceLine(kind="More", segments=(left,)))
    return tuple(shown)


def _target(one: Advice, row_of: Callable[[Target], str]) -> str:
    if one.kind == "dropped":
        return DROPPED_ROW
    return row_of(one.targets[0]) if one.targets else ""
