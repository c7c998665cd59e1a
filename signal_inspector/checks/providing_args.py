"""``Signal(providing_args=…)``, which Django 4.0 removed: found in the source.

A module that says so cannot be imported, so no other check can tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Finding, Kind, place
from signal_inspector.source_code.records import Creation


def providing_args(facts: Facts) -> Iterator[Finding]:
    """W023 in the project's source."""
    for found in removed(facts.creations):
        yield replace(found, message=f"{place(found.path, found.line)}: {found.message}")


def removed(creations: Iterable[Creation]) -> Iterator[Finding]:
    """W023 for each signal that is created so."""
    for made in creations:
        if made.providing_args is None or made.is_guarded:
            continue
        arguments = ", ".join(made.providing_args)
        comment = f"  # Arguments: {arguments}." if arguments else ""
        when = "importing this module" if made.is_at_import else "this call"
        yield Finding(
            kind=Kind.PROVIDING_ARGS,
            subject=made.signal,
            message=(
                f"Signal() has had no providing_args since Django 4.0: {when} raises TypeError. "
                "They never did more than document."
            ),
            hint=f"Write: {made.instead}{comment}",
            names=(made.signal,),
            path=made.path,
            line=made.line,
        )
