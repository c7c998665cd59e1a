"""Names of signals: whether they say what happened.

A name is found wanting only for a reason that can be told: it says nothing, or it gives an order.
All others pass, as English has more ways to say that something happened than any list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from signal_inspector.checks import words
from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Finding, Kind, at

_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def names(facts: Facts) -> Iterator[Finding]:
    """I026: signals of the project whose name is no news."""
    for signal in facts.own_signals:
        name = signal.rpartition(".")[2]
        wrong = None if name.startswith("_") else what_is_wrong(name)
        if wrong is None:
            continue
        path, line = facts.made_at(signal)
        instead = suggestion(name)
        yield Finding(
            kind=Kind.NAME,
            subject=signal,
            message=(
                f"The name{at(path, line)} {wrong}. A signal tells those who do not "
                "know the sender what has happened: they have its name to go by."
            ),
            hint=f"Call it {instead}." if instead else "Call it after the event: order_placed.",
            names=(signal,),
            path=path,
            line=line,
        )


def what_is_wrong(name: str) -> str | None:
    """What a reader would have against the name; None where nothing is to be said."""
    parts = _parts(name)
    telling = [part for part in parts if part not in words.FILLERS and not part.isdigit()]
    if not telling:
        return "does not say what happened"
    verb, *rest = telling
    if any(_happens(each) and each not in words.DEEDS for each in rest):
        return None
    is_state = _happens(verb) and verb not in words.ORDERS_OF_SOMETHING  # open_ticket
    says_what = rest or verb not in words.ORDERS_OF_SOMETHING
    if verb in words.ORDERS and says_what and not is_state:
        return f"gives an order ({verb}) and does not say what happened"
    return None


def suggestion(name: str) -> str | None:
    """``order_placed`` for ``place_order``; None where none is sure to be English."""
    verb, *what = name.split("_")
    while what and what[-1] in words.SUFFIXES:
        what.pop()
    if verb not in words.ORDERS or words.FILLERS.issuperset(what) or not name.islower():
        return None
    return "_".join([*what, words.ORDERS[verb]])


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PARTS.findall(name)]


def _happens(word: str) -> bool:
    """Whether a word tells of a time, a state or something that happened."""
    if word in words.HAPPENED:
        return True
    return len(word) > 3 and word.endswith("ed") and word not in words.NO_PARTICIPLES
