"""Deleting dispatches with all that hangs on them: a chunk in each short transaction.

Raw statements by key: Django's own ``delete`` would read every row first. Each chunk is chosen
and deleted under a lock that others who prune respect, and so does the next one what is left:
two prunes at once share the work. The lock ends with the transaction, so a pooler does no harm.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector import trouble
from signal_inspector.audit.destinations.database.adapters import Binder
from signal_inspector.audit.destinations.database.statements import driver_cursor, transaction
from signal_inspector.audit.models import AuditedCall, AuditedDispatch, AuditedObject, Retry
from signal_inspector.audit.pruning.plans import Stratum
from signal_inspector.audit.settings import get_settings

SECONDS: Final = 0.08  # that a chunk should take: it grows and shrinks to fit
_FIRST, _FEWEST, _MOST = 500, 50, 5_000  # dispatches in a chunk
_ATTEMPTS: Final = 6
_LOCK: Final = 0x5167_6E61_6C41  # "SignalA", known to all versions of this package
_LOCK_SECONDS: Final = 30

DISPATCHES: Final = AuditedDispatch._meta.db_table
CHILDREN: Final = tuple(
    model._meta.db_table for model in (AuditedObject, AuditedCall, Retry)
)  # each has an index that begins with dispatch_id

Choose = Callable[[Any, int], Sequence[Any]]  # cursor and number -> ids as the driver has them


class Chunks:
    """Deletes in chunks, and learns how large they may be."""

    def __init__(self, pause: float | None = None) -> None:
        self.connection: BaseDatabaseWrapper = connections[get_settings().database]
        most = self.connection.features.max_query_params
        self._most = _MOST if most is None else min(_MOST, most - 1)
        self._size = min(_FIRST, self._most)
        # Who waits for SQLite's one lock is not served in turn: leave the others a moment.
        usual = 0.02 if self.connection.vendor == "sqlite" else 0.0
        self._pause = usual if pause is None else pause
        #: Seconds that the longest chunk took.
        self.longest = 0.0

    def of_signal(self, signal: int, stratum: Stratum) -> Iterator[int]:
        """Delete these dispatches of a signal; yields how many, after each chunk."""
        quoted = self.connection.ops.quote_name
        test = {None: "", False: " AND is_failed IS NULL", True: " AND is_failed = 1"}
        sql = (
            f"SELECT id FROM {quoted(DISPATCHES)} "  # noqa: S608 - our own names
            f"WHERE signal_id = %s AND id > %s AND id < %s{test[stratum.failed]} "
            f"ORDER BY id LIMIT %s"
        )
        after, before = Binder(self.connection).ids([str(UUID(int=0)), str(stratum.before)])

        def choose(cursor: Any, number: int) -> Sequence[Any]:
            cursor.execute(sql, [signal, after, before, number])
            return [row[0] for row in cursor.fetchall()]

        while True:
            size = self._size
            ids, deleted = self._chunk(choose)
            if ids:
                after = ids[-1]
                yield deleted
            if len(ids) < size:
                return
            time.sleep(self._pause)

    def of_ids(self, ids: Sequence[UUID]) -> Iterator[int]:
        """Delete these; yields how many, after each chunk."""
        bound = Binder(self.connection).ids(map(str, ids))
        while bound:
            part, bound = bound[: self._size], bound[self._size :]
            yield self._chunk(partial(_these, part))[1]

    def _chunk(self, choose: Choose) -> tuple[Sequence[Any], int]:
        """Choose and delete in one transaction; tried again where the database is only busy."""
        for attempt in range(_ATTEMPTS):
            started = time.perf_counter()
            try:
                with driver_cursor(self.connection) as cursor:
                    ids, deleted = self._delete(cursor, choose)
            except OperationalError:
                # Locked, or chosen as the victim of a deadlock. What is else wrong stays so.
                if attempt == _ATTEMPTS - 1 or not self.connection.is_usable():
                    raise
                self._size = max(self._size // 2, min(_FEWEST, self._most))
                time.sleep(0.05 * 2**attempt)
            else:
                self._learn(time.perf_counter() - started, len(ids))
                return ids, deleted
        raise AssertionError("unreachable")  # pragma: no cover

    def _delete(self, cursor: Any, choose: Choose) -> tuple[Sequence[Any], int]:
        with _turn(self.connection, cursor), transaction(self.connection, cursor):
            if self.connection.vendor == "postgresql":
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            ids = choose(cursor, self._size)
            return ids, delete_rows(self.connection, cursor, ids) if ids else 0

    def _learn(self, seconds: float, count: int) -> None:
        self.longest = max(self.longest, seconds)
        if count < self._size:
            return  # too few to learn from
        fitting = int(self._size * min(max(SECONDS / max(seconds, 1e-6), 0.5), 1.5))
        self._size = min(max(fitting, _FEWEST), self._most)


def _these(ids: Sequence[Any], cursor: Any, number: int) -> Sequence[Any]:
    return ids


def delete_rows(connection: BaseDatabaseWrapper, cursor: Any, ids: Sequence[Any]) -> int:
    """Delete the dispatches of these ids, and what hangs on them; how many there were.

    The ids are as the driver has them. To be called in a transaction.
    """
    for table in CHILDREN:
        delete_keys(connection, cursor, table, "dispatch_id", ids)
    return delete_keys(connection, cursor, DISPATCHES, "id", ids)


def delete_keys(
    connection: BaseDatabaseWrapper, cursor: Any, table: str, column: str, ids: Sequence[Any]
) -> int:
    """Delete the rows with these ids; how many."""
    quoted = connection.ops.quote_name
    sql = f"DELETE FROM {quoted(table)} WHERE {quoted(column)} "  # noqa: S608 - our own names
    if connection.vendor == "postgresql":
        # As one text: a driver takes longer to make an array than the server to delete.
        cursor.execute(f"{sql}= ANY(%s::uuid[])", [f"{{{','.join(map(str, ids))}}}"])
    else:
        cursor.execute(f"{sql}IN ({', '.join(['%s'] * len(ids))})", list(ids))
    return int(cursor.rowcount)


@contextlib.contextmanager
def _turn(connection: BaseDatabaseWrapper, cursor: Any) -> Iterator[None]:
    """MySQL's way to take turns, which its transactions do not end."""
    if connection.vendor != "mysql":
        yield
        return
    name = "LEFT(CONCAT('signal_audit.', DATABASE()), 64)"
    cursor.execute(f"SELECT GET_LOCK({name}, %s)", [_LOCK_SECONDS])
    if cursor.fetchone()[0] != 1:
        raise OperationalError("Another prune does not end.")
    try:
        yield
    finally:
        try:
            cursor.execute(f"SELECT RELEASE_LOCK({name})")
            cursor.fetchone()
        except Exception as error:  # a connection that is lost has let go
            trouble.let_through(error)
