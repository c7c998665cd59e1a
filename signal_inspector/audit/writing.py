"""Rows into the database: a batch in one transaction, and nothing lost for one bad row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from signal_inspector.audit.rows import Rows


class Unwritable(NamedTuple):
    """A dispatch whose rows the database refuses."""

    id: str
    started_at: int  # microseconds since 1970
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a batch: every dispatch of it is counted or refused."""

    count: int  # dispatches that are in the log now; those that were there before count too
    refused: list[Unwritable]


class Unavailable(Exception):  # noqa: N818 - a state of the database
    """The database takes nothing now: not the rows' fault, so try all of them again later."""


def write(batch: Sequence[Rows], using: str) -> Written:
    """Write the rows of dispatches through ``connections[using]``, in one transaction if it can.

    Safe to repeat: what is in the log already stays as it is. Inside an atomic block it works in
    a savepoint. A batch that is refused is halved until the rows at fault are found; the others
    are written. Raises ``Unavailable`` when the database is at fault.
    """
    raise NotImplementedError
