"""How what was sent differs from what an assertion asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from signal_inspector.testing.captured import CapturedDispatch
from signal_inspector.testing.patterns import Pattern
from signal_inspector.testing.wording import count_of, dispatch_lines, indented, list_of

_NEAREST: Final = 5  # dispatches of the signal that is asked for, in a message


def instead(dispatches: Sequence[CapturedDispatch], pattern: Pattern) -> list[str]:
    """What was sent: of the same signal first, the nearest of them before the others."""
    near = [
        (pattern.differences(sent), sent) for sent in dispatches if sent.signal is pattern.signal
    ]
    near.sort(key=lambda pair: len(pair[0]))
    others = [sent for sent in dispatches if sent.signal is not pattern.signal]
    lines = ["Sent instead:"]
    for number, (differences, sent) in enumerate(near[:_NEAREST], 1):
        lines += [indented(dispatch_lines(number, sent))]
        lines += [indented([f"but {difference}"], 5) for difference in differences]
    if len(near) > _NEAREST:
        lines.append(f"  and {len(near) - _NEAREST} more of this signal")
    if others and near:
        lines.append("Other signals:")
    if others or not near:
        lines.append(indented(list_of(others)))
    return lines


def first_out_of_place(
    asked: list[Pattern], dispatches: Sequence[CapturedDispatch]
) -> tuple[int, str] | None:
    """The index of the first pattern that was not sent in its place, and what was instead."""
    for index, (pattern, sent) in enumerate(zip(asked, dispatches, strict=False)):
        if not pattern.matches(sent):
            return index, f"here {sent.name} was sent{_but(pattern, sent)}"
    if len(dispatches) < len(asked):
        return len(dispatches), "was not sent"
    if len(dispatches) > len(asked):
        return len(asked), f"and {count_of(len(dispatches) - len(asked))} more"
    return None


def first_missing(
    asked: list[Pattern], dispatches: Sequence[CapturedDispatch]
) -> tuple[int, str] | None:
    """The index of the first pattern that was not sent after the ones before it, and why."""
    waiting = iter(dispatches)
    for index, pattern in enumerate(asked):
        if not any(pattern.matches(sent) for sent in waiting):
            earlier = any(pattern.matches(sent) for sent in dispatches)
            return index, "was sent earlier only" if earlier else "was not sent"
    return None


def _but(pattern: Pattern, sent: CapturedDispatch) -> str:
    if sent.signal is not pattern.signal:
        return ""
    return ", but " + ", ".join(pattern.differences(sent))
