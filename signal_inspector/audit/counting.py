"""The rows that count a batch for the overview, written in the batch's own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from signal_inspector import trouble
from signal_inspector.audit.binding import Bound
from signal_inspector.audit.folding import TallyRow, new_row
from signal_inspector.audit.rows import Rows
from signal_inspector.audit.tallies import SLOT_SECONDS, Figures, tallied


class Counted(NamedTuple):
    """A batch, counted: mostly one row, as few batches lie across two slots."""

    rows: list[TallyRow]
    figures: dict[int, tuple[int, Figures]]  # slot and figures, by the id of the row


def count(batch: Sequence[Rows], bound: Bound) -> Counted:
    """Count dispatches that are not in the log yet.

    Nothing if that fails, which is reported: the log is worth more than its figures.
    """
    try:
        slots = tallied(batch, bound[0], bound[1])
        rows = [new_row(slot, SLOT_SECONDS, figures) for slot, figures in slots.items()]
    except Exception as error:
        trouble.report("counting dispatches for the audit's overview", error)
        return Counted([], {})
    return Counted(rows, {row[0]: (row[1], slots[row[1]]) for row in rows})
