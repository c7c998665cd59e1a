"""Delete from the log: by age, by number, or everything about one object or actor.

A dispatch is deleted together with its calls, objects and retries, a chunk in each short
transaction. The statements are raw and by key: Django's own ``delete`` would read every row first.
Each chunk is chosen and deleted under a lock that all prunes take in turn, so two prunes at the
same time share the work. The lock ends with the transaction, so it works with a pooler as well.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q

from signal_inspector.audit.destinations.database.adapters import Binder
from signal_inspector.audit.destinations.database.statements import (
    Table,
    driver_cursor,
    select_in,
    transaction,
)
from signal_inspector.audit.lookups import dispatches, first_id_at, names_of
from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    AuditedObject,
    NameKind,
    Retry,
)
from signal_inspector.audit.search.entries import Reader, Wanted
from signal_inspector.audit.search.selection import Selection
from signal_inspector.audit.settings import Policy, get_settings, policies
from signal_inspector.conf import name_matches
from signal_inspector.core import internal_errors

_ALL_SIGNALS: Final = "*"  # shown for the default policy, which applies if no rule matches

SECONDS: Final = 0.08  # that a chunk should take: the size of chunks is adapted to this
_FIRST, _FEWEST, _MOST = 500, 50, 5_000  # dispatches in a chunk
_ATTEMPTS: Final = 6
_LOCK: Final = 0x5167_6E61_6C41  # for "SignalA"; the same in all versions of this package
_LOCK_SECONDS: Final = 30

DISPATCHES: Final = AuditedDispatch._meta.db_table
CHILDREN: Final = tuple(
    model._meta.db_table for model in (AuditedObject, AuditedCall, Retry)
)  # each has an index that begins with dispatch_id

Choose = Callable[[Any, int], Sequence[Any]]  # cursor and number -> ids as the driver has them

_SIZE: Final = 2_000  # ids that one step of a sweep looks at
_SETTLED: Final = timedelta(hours=1)  # younger rows are left alone: they may not be committed yet
_DISPATCH_IDS: Final = Table(DISPATCHES, ("id",), ("id",))
TABLES: Final = tuple(model._meta.db_table for model in (AuditedCall, AuditedObject))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """How long dispatches are kept; None: forever."""

    others: timedelta | None
    failures: timedelta | None


@dataclass(frozen=True, slots=True)
class Stratum:
    """Dispatches with ids before a bound, which are to be deleted: failed ones, others, or all."""

    before: UUID
    failed: bool | None = None  # None: all dispatches, failed or not

    @property
    def test(self) -> Q:
        found = Q(id__lt=self.before)
        if self.failed is None:
            return found
        return found & Q(is_failed__isnull=not self.failed)


@dataclass(slots=True, kw_only=True)
class Share:
    """The signals that one rule applies to, and how much of them is kept."""

    glob: str
    signals: list[tuple[int, str]] = field(default_factory=list)
    ages: Ages
    max_rows: int | None = None

    def strata(self, now: datetime) -> list[Stratum]:
        """What is to be deleted now; queries the log if there is a ``max_rows``."""
        cap = self._beyond_cap()
        bounds = [
            max((each for each in (_before(age, now), cap) if each is not None), default=None)
            for age in (self.ages.others, self.ages.failures)
        ]
        others, failures = bounds
        if others == failures:
            return [] if others is None else [Stratum(others)]
        return [
            Stratum(bound, failed)
            for bound, failed in ((others, False), (failures, True))
            if bound is not None
        ]

    def count(self, strata: Sequence[Stratum]) -> int:
        """How many dispatches these strata have now."""
        if not strata or not self.signals:
            return 0
        which = Q()
        for stratum in strata:
            which |= stratum.test
        return dispatches().filter(which, signal_id__in=self.numbers).count()

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.signals]

    def _beyond_cap(self) -> UUID | None:
        """The oldest id that ``max_rows`` allows to stay; None if all may stay."""
        if self.max_rows is None or not self.signals:
            return None
        newest = dispatches().filter(signal_id__in=self.numbers).order_by("-id")
        beyond = newest.values_list("id", flat=True)[self.max_rows : self.max_rows + 1]
        return next((UUID(int=id_.int + 1) for id_ in beyond), None)


def by_rules(globs: Sequence[str] = ()) -> list[Share]:
    """A share for each rule, with the signals for which this rule is the first that matches.

    If there are ``globs``, other signals are left out. Dispatches of a signal that is no longer
    audited are still kept for as long as its rule says.
    """
    shares = {id(policy): _share(policy) for policy in policies()}
    for number, name in _signals(globs):
        first = next(
            policy for policy in policies() if not policy.glob or name_matches(name, policy.glob)
        )
        shares[id(first)].signals.append((number, name))
    return list(shares.values())


def by_age(ages: Ages, globs: Sequence[str] = ()) -> list[Share]:
    """A share for each glob, or a single one for all signals."""
    shares = [Share(glob=glob, ages=ages) for glob in globs or (_ALL_SIGNALS,)]
    for number, name in _signals(()):
        first = next((each for each in shares if name_matches(name, each.glob)), None)
        if first is not None:
            first.signals.append((number, name))
    return shares


def _share(policy: Policy) -> Share:
    return Share(
        glob=policy.glob or _ALL_SIGNALS,
        ages=Ages(others=_days(policy.keep_days), failures=_days(policy.keep_failures_days)),
        max_rows=policy.max_rows,
    )


def _signals(globs: Sequence[str]) -> Iterator[tuple[int, str]]:
    for number, name in names_of(NameKind.SIGNAL):
        if not globs or any(name_matches(name, glob) for glob in globs):
            yield number, name


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _before(age: timedelta | None, now: datetime) -> UUID | None:
    if age is None:
        return None
    try:
        return first_id_at(now - age)
    except OverflowError:  # before the year 1
        return UUID(int=0)


class Chunks:
    """Deletes dispatches in chunks, and learns how large a chunk may be."""

    def __init__(self, pause: float | None = None) -> None:
        self.connection: BaseDatabaseWrapper = connections[get_settings().database]
        most = self.connection.features.max_query_params
        self._most = _MOST if most is None else min(_MOST, most - 1)
        self._size = min(_FIRST, self._most)
        # SQLite does not hand out its one lock in turn: leave other connections a moment.
        usual = 0.02 if self.connection.vendor == "sqlite" else 0.0
        self._pause = usual if pause is None else pause
        #: Seconds that the longest chunk took.
        self.longest = 0.0

    def of_signal(self, signal: int, stratum: Stratum) -> Iterator[int]:
        """Delete the dispatches of a signal in a stratum; yields how many, after each chunk."""
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
        """Delete the dispatches with these ids; yields how many, after each chunk."""
        bound = Binder(self.connection).ids(map(str, ids))
        while bound:
            part, bound = bound[: self._size], bound[self._size :]
            yield self._chunk(partial(_these, part))[1]

    def _chunk(self, choose: Choose) -> tuple[Sequence[Any], int]:
        """Choose and delete a chunk in one transaction; try again if the database is only busy."""
        for attempt in range(_ATTEMPTS):
            started = time.perf_counter()
            try:
                with driver_cursor(self.connection) as cursor:
                    ids, deleted = self._delete(cursor, choose)
            except OperationalError:
                # Locked, or chosen as the victim of a deadlock. Other errors come back each time.
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
    """Delete the dispatches with these ids and the rows that refer to them; return how many.

    Only dispatches are counted. The ids are as the driver has them. Call this in a transaction.
    """
    for table in CHILDREN:
        delete_keys(connection, cursor, table, "dispatch_id", ids)
    return delete_keys(connection, cursor, DISPATCHES, "id", ids)


def delete_keys(
    connection: BaseDatabaseWrapper, cursor: Any, table: str, column: str, ids: Sequence[Any]
) -> int:
    """Delete the rows with these ids in a column; return how many."""
    quoted = connection.ops.quote_name
    sql = f"DELETE FROM {quoted(table)} WHERE {quoted(column)} "  # noqa: S608 - our own names
    if connection.vendor == "postgresql":
        # As one text: drivers need more time to make an array than the server needs to delete.
        cursor.execute(f"{sql}= ANY(%s::uuid[])", [f"{{{','.join(map(str, ids))}}}"])
    else:
        cursor.execute(f"{sql}IN ({', '.join(['%s'] * len(ids))})", list(ids))
    return int(cursor.rowcount)


@contextlib.contextmanager
def _turn(connection: BaseDatabaseWrapper, cursor: Any) -> Iterator[None]:
    """Hold the lock of prunes on MySQL, where it does not end with the transaction."""
    if connection.vendor != "mysql":
        yield
        return
    name = "LEFT(CONCAT('signal_audit.', DATABASE()), 64)"
    cursor.execute(f"SELECT GET_LOCK({name}, %s)", [_LOCK_SECONDS])
    if cursor.fetchone()[0] != 1:
        raise OperationalError("Another prune is still running.")
    try:
        yield
    finally:
        try:
            cursor.execute(f"SELECT RELEASE_LOCK({name})")
            cursor.fetchone()
        except Exception as error:  # a lost connection has released the lock already
            internal_errors.let_through(error)


def sweep(connection: BaseDatabaseWrapper, now: datetime, *, thorough: bool) -> Iterator[int]:
    """Delete calls and objects without a dispatch; yields how many rows, after each step.

    Only rows older than every dispatch are looked at, which is cheap; with ``thorough``, all rows
    older than an hour.
    """
    before = first_id_at(now - _SETTLED)
    if not thorough:
        oldest = dispatches().order_by("id").values_list("id", flat=True).first()
        before = before if oldest is None else min(before, oldest)
    for table in TABLES:
        after: Any
        after, limit = Binder(connection).ids([str(UUID(int=0)), str(before)])
        while after is not None:
            after, deleted = _step(connection, table, after, limit)
            yield deleted


def _step(
    connection: BaseDatabaseWrapper, table: str, after: Any, before: Any
) -> tuple[Any | None, int]:
    """Delete the lost rows among the next ids of a table.

    Return the id to continue after, or None at the end, and how many rows were deleted.
    """
    quoted = connection.ops.quote_name
    sql = (
        f"SELECT DISTINCT dispatch_id FROM {quoted(table)} "  # noqa: S608 - our own names
        f"WHERE dispatch_id > %s AND dispatch_id < %s ORDER BY dispatch_id LIMIT {_SIZE}"
    )
    with driver_cursor(connection) as cursor:
        cursor.execute(sql, [after, before])
        ids = [row[0] for row in cursor.fetchall()]
        if not ids:
            return None, 0
        # Rows of a dispatch are committed together with it: a query after one that saw the rows
        # sees the dispatch.
        known = {row[0] for row in select_in(connection, cursor, _DISPATCH_IDS, ("id",), ids)}
        lost = [id_ for id_ in ids if id_ not in known]
        deleted = 0
        if lost:
            with transaction(connection, cursor):
                for start in range(0, len(lost), 500):
                    part = lost[start : start + 500]
                    deleted += delete_keys(connection, cursor, table, "dispatch_id", part)
    return (ids[-1] if len(ids) == _SIZE else None), deleted


def purge(selection: Selection) -> Iterator[int]:
    """Delete the selected dispatches and what refers to them; yields how many, after each chunk.

    Yields 0 now and then while nothing is found, so that the caller can stop.
    """
    chunks = Chunks()
    for ids in Reader(Wanted(selection=selection, payloads=False)).ids():
        if ids:
            yield from chunks.of_ids(ids)
        else:
            yield 0
