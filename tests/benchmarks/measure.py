"""Times contestants side by side: in turns so short that all see the same noise.

What is taken is the processor time of this process: other ones keep it waiting, not working.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from time import process_time_ns
from typing import Any

from django.dispatch import Signal

#: Sends of one turn: what a busy request sends. What they recorded is let go of after each turn,
#: outside the time that is taken, as a request lets go of it.
SENDS = 100
#: Sends before them whose time is not taken, as the others' turns have let the code go cold.
FIRST = 10

Turn = Callable[[], int]
Around = Callable[[], AbstractContextManager[Any]]


class Sender:
    """Sends."""


@dataclass(frozen=True)
class Effort:
    """How much is measured: the median of so many rounds of so many turns each."""

    rounds: int
    turns: int


def turn(
    send: Callable[..., Any],
    signal: Signal,
    around: Around = nullcontext,
    settle: Callable[[], object] = lambda: None,
) -> Turn:
    """A turn that sends, within a context that is entered before the clock starts.

    ``settle`` does what sends have left to be done; that is part of their time.
    """

    def take() -> int:
        with around():
            for _ in repeat(None, FIRST):
                send(signal, Sender, number=1)
            settle()
            began = process_time_ns()
            for _ in repeat(None, SENDS):
                send(signal, Sender, number=1)
            settle()
            return process_time_ns() - began

    return take


@dataclass
class Contestant:
    """Somebody whose sends are timed.

    Who must be prepared for, or leaves nothing in the processor's caches, has his turns apart
    from the others', one after the other; ``prepare`` stands around those of a round.
    """

    name: str
    take: Turn
    prepare: Around = nullcontext
    apart: bool = False


def measure(contestants: Sequence[Contestant], effort: Effort) -> dict[str, list[float]]:
    """Nanoseconds per send, round by round, of each contestant."""
    taken: dict[str, list[float]] = {contestant.name: [] for contestant in contestants}
    in_turn = [contestant for contestant in contestants if not contestant.apart]
    apart = [contestant for contestant in contestants if contestant.apart]
    for _ in range(effort.rounds):
        gc.collect()
        _round(in_turn, effort.turns, taken)
        for contestant in apart:
            with contestant.prepare():
                _round([contestant], effort.turns, taken)
    return taken


def _round(contestants: Sequence[Contestant], turns: int, taken: dict[str, list[float]]) -> None:
    for contestant in contestants:
        contestant.take()  # Python specialises anew what a patch has changed
    sums = dict.fromkeys([contestant.name for contestant in contestants], 0)
    for _ in repeat(None, turns):
        # In a fixed order the same one would always meet what the same other one has left.
        for contestant in random.sample(contestants, len(contestants)):
            sums[contestant.name] += contestant.take()
    for name, total in sums.items():
        taken[name].append(total / turns / SENDS)


def ratio(subject: Sequence[float], base: Sequence[float]) -> float:
    """The median of the ratios of the rounds."""
    return median(ours / theirs for ours, theirs in zip(subject, base, strict=True))
