"""The counts of a batch as rows of ``Tally``, which are replaced by their sum as they age.

So the overview reads only some two hundred rows. The rows of a batch are written in the batch's
own transaction. When a slot is over, its rows are replaced by one, and later by rows of longer
slots: 5 minutes, an hour, six hours, a day. The process that writes to the log rolls up now and
then, after a batch. This takes no lock: if two processes roll up the same rows, the second finds
that they are gone and undoes its work. A row that comes later is rolled up later.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.destinations.database.adapters import Bound
from signal_inspector.audit.destinations.database.statements import (
    Blame,
    Table,
    blame,
    driver_cursor,
    insert,
    is_nested,
    is_of_a_test,
    select_in,
    transaction,
)
from signal_inspector.audit.models import Tally
from signal_inspector.audit.rows import Rows
from signal_inspector.audit.stats.counts import SLOT_SECONDS, Figures, slot_of, tallied
from signal_inspector.core import internal_errors, process_state
from signal_inspector.core.record.ids import time, time_ns

TALLIES: Final = Table(Tally._meta.db_table, ("id", "slot", "seconds", "content"), ("id",))

_HOUR: Final = 3_600
_DAY: Final = 86_400
#: Lengths of slots, and for how long they are kept before they are merged into longer ones (s):
#: long enough for the overview to compare its longest span of such slots with the one before.
LEVELS: Final = ((SLOT_SECONDS, 3 * _HOUR), (_HOUR, 3 * _DAY), (6 * _HOUR, 15 * _DAY))
LONGEST: Final = _DAY
#: For how long figures are kept, in seconds. The overview shows 60 days; with queries of your own,
#: a year can be compared with the one before.
_KEPT: Final = 2 * 366 * _DAY
_PARTS: Final = 64  # rows of a slot that a process adds before it merges them into one
_MOST: Final = 2_000  # rows rolled up at once
_CHANCE_BITS: Final = 12  # random bits of an id; the others are the time, to 4 us

TallyRow = tuple[int, int, int, str]  # as the columns of TALLIES
#: Rows that were added inside transactions which have not ended yet, by database alias.
_pending: dict[str, list[Mapping[int, tuple[int, Figures]]]] = {}
_MOST_PENDING: Final = 1_000
_lock = process_state.lock()


@dataclass(slots=True)
class _Own:
    """The rows of the current slot that this process has added to a database."""

    slot: int = 0
    ids: list[int] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)


_own: dict[str, _Own] = {}  # by database alias


@process_state.in_child
def _forked() -> None:
    """Forget the rows that the parent has added."""
    _own.clear()
    _pending.clear()


def new_row(slot: int, seconds: int, figures: Figures) -> TallyRow:
    """The row that adds these figures to a slot."""
    # In the order of time, as it is cheapest to write rows at the end of a table.
    id_ = time_ns() >> _CHANCE_BITS << _CHANCE_BITS | secrets.randbits(_CHANCE_BITS)
    return id_, slot, seconds, figures.encoded()


def added(connection: BaseDatabaseWrapper, rows: Mapping[int, tuple[int, Figures]]) -> None:
    """Note that a writer has committed rows, by their ids, for slots of ``SLOT_SECONDS``.

    Rolls up if it is time to. Inside a transaction, this is put off: see ``when_over``. Never
    raises.
    """
    if is_nested(connection):
        with _lock:
            pending = _pending.setdefault(connection.alias, [])
            if len(pending) < _MOST_PENDING and not is_of_a_test(connection):
                pending.append(rows)
        return
    try:
        for id_, (slot, figures) in [*_taken(connection.alias), *rows.items()]:
            _added(connection, id_, slot, figures)
    except Exception as error:
        internal_errors.let_through(error)
        is_busy = isinstance(error, Error) and blame(error, connection) is Blame.DATABASE
        if not is_busy:  # otherwise it is done another time
            internal_errors.report("adding up the figures of the overview", error)


def when_over(connection: BaseDatabaseWrapper) -> None:
    """Do what ``added`` does for rows added inside a transaction, now that one has ended."""
    if connection.alias in _pending and not is_nested(connection):
        added(connection, {})


def _taken(alias: str) -> list[tuple[int, tuple[int, Figures]]]:
    """Take the rows that were added inside transactions."""
    if alias not in _pending:
        return []
    with _lock:
        return [pair for rows in _pending.pop(alias, ()) for pair in rows.items()]


def _added(connection: BaseDatabaseWrapper, id_: int, slot: int, figures: Figures) -> None:
    with _lock:
        own = _own.setdefault(connection.alias, _Own())
        before, full = own.slot, None
        if slot > before:
            own = _own[connection.alias] = _Own(slot)
        if slot == own.slot:
            own.ids.append(id_)
            own.figures.merge(figures)
            if len(own.ids) >= _PARTS:
                full, _own[connection.alias] = own, _Own(slot)
    if full is not None:
        row = new_row(full.slot, SLOT_SECONDS, full.figures)
        with driver_cursor(connection) as cursor:
            if _replace(connection, cursor, full.ids, row):
                _added(connection, row[0], slot, full.figures)
            else:  # some are gone with a transaction that rolled back
                found = select_in(connection, cursor, TALLIES, ("id",), full.ids)
                left = [known for (known,) in found]
                if len(left) > 1:
                    _roll_up(connection, cursor, (full.slot, SLOT_SECONDS), left)
    if slot > before > 0:
        roll_up(connection, int(time()))


def roll_up(connection: BaseDatabaseWrapper, now: int, most: int = _MOST) -> int:
    """Roll up what is due at this Unix time; return by how many rows the table shrank.

    Safe to repeat. It stops when ``most`` rows have been rolled up. No transaction has more than
    ``_MOST`` rows.
    """
    rolled_up = 0
    with driver_cursor(connection) as cursor:
        quoted = connection.ops.quote_name
        cursor.execute(f"SELECT id, slot, seconds FROM {quoted(TALLIES.name)}")  # noqa: S608
        groups: dict[tuple[int, int], list[int]] = {}
        alone: set[tuple[int, int]] = set()  # slots that have a row of the right length
        for id_, slot, seconds in cursor.fetchall():
            group = _wanted(slot, max(seconds, SLOT_SECONDS), now)
            groups.setdefault(group, []).append(id_)
            if group == (slot, seconds):
                alone.add(group)
        for (slot, seconds), ids in sorted(groups.items()):
            is_needed = len(ids) > 1 or (slot, seconds) not in alone
            if is_needed and slot + seconds <= now:
                for start in range(0, len(ids), _MOST):
                    if rolled_up < most:
                        chunk = ids[start : start + min(_MOST, most - rolled_up)]
                        rolled_up += _roll_up(connection, cursor, (slot, seconds), chunk)
    return rolled_up


def _wanted(slot: int, seconds: int, now: int) -> tuple[int, int]:
    """Start and length of the slot that a row should belong to by now."""
    longer = [level for level, _ in LEVELS[1:]] + [LONGEST]
    for (level, kept), following in zip(LEVELS, longer, strict=True):
        if seconds <= level and slot_of(slot, following) + following > now - kept:
            return slot_of(slot, level), level
    return slot_of(slot, LONGEST), LONGEST


def _roll_up(
    connection: BaseDatabaseWrapper, cursor: Any, to: tuple[int, int], ids: Sequence[int]
) -> int:
    """Replace these rows by one; return how many fewer, or 0 if another process did so first."""
    together = Figures()
    for (content,) in select_in(connection, cursor, TALLIES, ("content",), ids):
        together.merge_encoded(content)
    is_done = _replace(connection, cursor, ids, new_row(*to, together))
    return max(len(ids) - 1, 1) if is_done else 0


def _replace(
    connection: BaseDatabaseWrapper, cursor: Any, ids: Sequence[int], row: TallyRow
) -> bool:
    """Replace these rows by one if all of them still exist; whether they did."""
    try:
        with transaction(connection, cursor):
            _delete(connection, cursor, ids)
            insert(connection, cursor, TALLIES, [row])
    except _Gone:
        return False
    return True


class _Gone(Exception):  # noqa: N818 - no error: somebody else was first
    """Rows that were to be rolled up no longer exist."""


def _delete(connection: BaseDatabaseWrapper, cursor: Any, ids: Sequence[int]) -> None:
    quoted = connection.ops.quote_name
    for start in range(0, len(ids), 500):
        chunk = ids[start : start + 500]
        marks = ", ".join(["%s"] * len(chunk))
        sql = f"DELETE FROM {quoted(TALLIES.name)} WHERE id IN ({marks})"  # noqa: S608 - our own
        cursor.execute(sql, chunk)
        if cursor.rowcount != len(chunk):
            raise _Gone


def tidy(connection: BaseDatabaseWrapper, now: int) -> int:
    """Delete figures that are too old, and roll up; return by how many rows the table shrank.

    For ``prune``: processes roll up what they write, but not after they have ended. It continues
    until nothing is left to roll up, or the database is busy.
    """
    fewer = 0
    try:
        fewer += forget_tallies(connection.alias, now - _KEPT)
        while rolled_up := roll_up(connection, now, sys.maxsize):
            fewer += rolled_up
    except Error as error:
        if blame(error, connection) is not Blame.DATABASE:
            raise
    return fewer


def forget_tallies(using: str, before: int) -> int:
    """Delete the figures of slots that were over at this Unix time; return how many rows."""
    old = Tally.objects.using(using).filter(slot__lt=before - LONGEST)
    return int(old.delete()[0])


class CountedBatch(NamedTuple):
    """The counts of a batch: usually a single row, as few batches span two slots."""

    rows: list[TallyRow]
    figures: dict[int, tuple[int, Figures]]  # slot and figures, by the id of the row


def count(batch: Sequence[Rows], bound: Bound) -> CountedBatch:
    """Count dispatches that are not in the log yet.

    If this fails, it is reported, and nothing is counted: the log matters more than its figures.
    """
    try:
        slots = tallied(batch, bound[0], bound[1])
        rows = [new_row(slot, SLOT_SECONDS, figures) for slot, figures in slots.items()]
    except Exception as error:
        internal_errors.report("counting dispatches for the audit's overview", error)
        return CountedBatch([], {})
    return CountedBatch(rows, {row[0]: (row[1], slots[row[1]]) for row in rows})
