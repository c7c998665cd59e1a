"""``Signal(providing_args=…)``, which Django 4.0 removed: found in the source.

A module that says so cannot be imported, so no other check can tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from signal_inspector.catalog.source_records import Creation
from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Finding, Kind, at


def providing_args(facts: Facts) -> Iterator[Finding]:
    """W023 in the project's source."""
    return removed(facts.creations)


def removed(creations: Iterable[Creation]) -> Iterator[Finding]:
    """W023 for each signal that is created so."""
    for made in creations:
        if made.providing_args is None:
            continue
        name = made.signal.rpartition(".")[2] or "signal"
        arguments = ", ".join(made.providing_args)
        comment = f"  # Arguments: {arguments}." if arguments else ""
        yield Finding(
            kind=Kind.PROVIDING_ARGS,
            subject=made.signal,
            message=(
                f"Signal(providing_args=…){at(made.path, made.line)}: Django 4.0 has removed "
                "providing_args, so that importing this module raises TypeError. It never did "
                "more than document."
            ),
            hint=f"Write: {name} = Signal(){comment}",
            names=(made.signal,),
            path=made.path,
            line=made.line,
        )
