"""Whether a dispatch was sent in a transaction, and whether that transaction rolled back.

Django does not remember how a transaction ended, and the user's tests would see a callback in
``run_on_commit``. Therefore, the ``BaseDatabaseWrapper`` methods through which every transaction
ends are watched. Nothing is written, no query is sent, no connection is opened.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured, SynchronousOnlyOperation
from django.db import Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.core import internal_errors
from signal_inspector.core.record.ids import next_sequence, time_ns, uuid7
from signal_inspector.names import IdentityMap

_T = TypeVar("_T")

#: Stands for the transaction itself in a stack whose other levels are named by their savepoints.
_TRANSACTION: Final = ""
#: A connection's open savepoints, each with the number of atomic savepoints around it. A
#: savepoint is no longer open when it, or one before it, was released or rolled back. Django has
#: a list of those that belong to atomic blocks; those that are only in this one were made by hand.
_savepoints: IdentityMap[list[tuple[int, str]]] = IdentityMap()
#: The methods that ask for a commit: if one raises, the answer may have been lost.
_COMMITTING: Final = ("commit", "set_autocommit")
#: Classes of errors that a server, or a pool in front of it, reports when it ends a connection.
_SQLSTATES_WITHOUT_ANSWER: Final = ("08", "57P", "40003")
_MYSQL_WITHOUT_ANSWER: Final = (1053, 1927)  # server shutdown; connection was killed


class TransactionMark:
    """A transaction or savepoint that dispatches were sent in. Keeps no object of the user's."""

    __slots__ = ("_has_ended", "_is_lost", "_key", "_outer", "_rolled_back")

    def __init__(self, outer: TransactionMark | None) -> None:
        self._outer = outer
        self._rolled_back = False
        self._is_lost = False
        self._has_ended = False
        self._key: tuple[int, int] = (time_ns(), next_sequence()) if outer is None else outer._key

    def roll_back(self) -> None:
        self._rolled_back = True

    def lose(self) -> None:
        """Note that a commit got no answer; called only on the outermost level."""
        self._is_lost = True

    def end(self, *, rolled_back: bool = False) -> None:
        """Note that the transaction has ended; called only on the outermost level."""
        self._rolled_back |= rolled_back and not self._is_lost
        self._has_ended = True

    @property
    def rolled_back(self) -> bool:
        """Whether this level, or one around it, has rolled back by now."""
        return self._rolled_back or (self._outer is not None and self._outer.rolled_back)

    @property
    def is_unknown(self) -> bool:
        """Whether the end can no longer be known, because the answer to the COMMIT was lost."""
        if self._rolled_back:
            return False
        return self._is_lost if self._outer is None else self._outer.is_unknown

    @property
    def is_open(self) -> bool:
        """Whether the transaction has not ended yet."""
        if self._rolled_back or self._has_ended:
            return False
        return self._outer is None or self._outer.is_open

    @property
    def transaction_id(self) -> UUID:
        """A UUIDv7 that all levels of one transaction share."""
        return uuid7(*self._key)


class _Waiting(NamedTuple):
    """The callbacks that wait for the end of a connection's transaction."""

    callbacks: list[Callable[[], None]]
    by_hand: bool  # autocommit is off: commit() or rollback() is the end, no block's exit


_Stack = list[tuple[str, TransactionMark]]

_stacks: IdentityMap[_Stack] = IdentityMap()

_waiting: IdentityMap[_Waiting] = IdentityMap()


def open_marks() -> tuple[bool, tuple[TransactionMark, ...]]:
    """Whether this thread has a transaction open on any database, and the marks of each.

    A transaction that the application began without Django, with its own ``BEGIN``, is only known
    if the driver can tell without a query (SQLite, PostgreSQL), and it has no mark.

    The atomic blocks that ``TestCase`` puts around a test do not count, because the code under
    test does not run in them in production.
    """
    marks = []
    is_open = False
    for connection in opened_connections():
        if connection.autocommit and not connection.in_atomic_block:
            if connection.connection is not None and _state_of(connection) not in _NOT_OPEN:
                is_open = True  # by a BEGIN that Django does not know of
            if connection not in _stacks:
                continue  # the usual case, and quick to test
        stack = _stack_of(connection)
        if stack:
            marks.append(stack[-1][1])
    return is_open or bool(marks), tuple(marks)


def opened_connections() -> Iterator[BaseDatabaseWrapper]:
    """This thread's connection objects; does not create any."""
    # Like connections.all(initialized_only=True), which looks up each three times. This must be
    # fast, because every dispatch calls it when the audit is on.
    opened: Any = connections._connections  # type: ignore[attr-defined]
    here = _of_this_thread(opened)
    try:
        for alias in connections:
            connection = getattr(opened, alias, None) if here is None else here.get(alias)
            if connection is not None:
                yield connection
    except ImproperlyConfigured:  # a project without databases
        return


def _of_this_thread(local: Any) -> dict[str, Any] | None:
    """The storage of asgiref's ``Local`` in a thread without an event loop; otherwise None.

    For each attribute, ``Local`` learns from an exception that there is no loop. That would be
    half of what auditing a dispatch costs.
    """
    storage = getattr(local, "__dict__", {}).get("_storage")
    if type(storage) is threading.local and asyncio._get_running_loop() is None:
        return vars(storage)
    return None


def when_ended(connection: BaseDatabaseWrapper, callback: Callable[[], None]) -> None:
    """Call the callback once, when the transaction that is open on this connection has ended.

    It is called in the connection's own thread, after the outermost block has been left and the
    ``on_commit`` callbacks have run, so it may use the connection. If autocommit is off, it is
    called after ``commit()`` or ``rollback()``, and has to commit what it writes. A connection
    that was closed is still closed. What the callback raises is reported. A callback that is
    already waiting is not added again.
    """
    waiting = _waiting.get(connection)
    if waiting is None:
        by_hand = not (connection.in_atomic_block and connection.commit_on_exit)
        waiting = _Waiting([], by_hand)
        _waiting.set(connection, waiting)
    if callback not in waiting.callbacks:
        waiting.callbacks.append(callback)


def _tell_ended(connection: BaseDatabaseWrapper, how: str, turned_on: object) -> None:
    """Call the waiting callbacks, if the method that was called really ends a transaction."""
    waiting = _waiting.get(connection)
    if waiting is None or how.startswith("savepoint"):
        return
    if how == "set_autocommit":
        is_end = bool(turned_on) and not connection.in_atomic_block
    else:
        is_end = how == "close" or waiting.by_hand
    if not is_end:
        return
    _waiting.pop(connection)
    held = None
    for callback in waiting.callbacks:
        try:
            callback()
        except BaseException as error:
            held = internal_errors.hold("reporting the end of a transaction", error, held)
    internal_errors.resume(held)


def _levels(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of the open transaction and its savepoints, outermost first; [] if none is open."""
    if connection.closed_in_transaction:  # the database has rolled back already
        return []
    if not connection.in_atomic_block and (connection.connection is None or connection.autocommit):
        return []
    blocks = connection.atomic_blocks
    saved: list[str | None] = list(connection.savepoint_ids)
    by_hand = _made_by_hand(connection, saved)
    # The outermost block has no savepoint, unless autocommit was off before it.
    levels = [_TRANSACTION] if len(blocks) == len(saved) else []
    for number, block in enumerate(blocks, len(saved) - len(blocks)):
        name = saved[number] if number >= 0 else _TRANSACTION
        levels += by_hand.get(number, ())
        if name is not None and not getattr(block, "_from_testcase", False):
            levels.append(name)
    return [*levels, *by_hand.get(len(saved), ())]


def _made_by_hand(
    connection: BaseDatabaseWrapper, saved: Sequence[str | None]
) -> dict[int, list[str]]:
    """The open savepoints of no atomic block, by the number of atomic savepoints around them."""
    found: dict[int, list[str]] = {}
    for depth, sid in _savepoints.get(connection) or ():
        if depth <= len(saved) and sid not in saved:
            found.setdefault(depth, []).append(sid)
    return found


def _stack_of(connection: BaseDatabaseWrapper) -> _Stack:
    """The marks of a connection's open levels; missing marks are made."""
    levels = _levels(connection)
    stack = _stacks.get(connection)
    if stack is None:
        if not levels:
            return []
        stack = []
        _stacks.set(connection, stack)
    same = 0
    while same < min(len(stack), len(levels)) and stack[same][0] == levels[same]:
        same += 1
    del stack[same:]  # savepoints that were released since
    for level in levels[same:]:
        stack.append((level, TransactionMark(stack[-1][1] if stack else None)))
    return stack


def _ended(connection: BaseDatabaseWrapper, *, rolled_back: bool) -> None:
    _savepoints.pop(connection)
    stack = _stacks.get(connection)
    if not stack:
        return
    stack[0][1].end(rolled_back=rolled_back)
    stack.clear()


def _after_commit(connection: BaseDatabaseWrapper) -> None:
    _ended(connection, rolled_back=False)


def _after_rollback(connection: BaseDatabaseWrapper) -> None:
    _ended(connection, rolled_back=True)


def _after_set_autocommit(
    connection: BaseDatabaseWrapper, autocommit: bool, *args: Any, **kwargs: Any
) -> None:
    # The driver commits what is open, unless a commit or rollback has ended it.
    if autocommit:
        _ended(connection, rolled_back=False)


def _commit_failed(connection: BaseDatabaseWrapper, error: BaseException) -> None:
    """Note, if this is the case, that nobody knows whether the database has committed."""
    if connection.autocommit:  # it has committed: a callback of on_commit raised
        _ended(connection, rolled_back=False)
        return
    stack = _stacks.get(connection)
    if stack and _is_answer_lost(connection, error):
        stack[0][1].lose()


def _is_answer_lost(connection: BaseDatabaseWrapper, error: BaseException) -> bool:
    """Whether a commit raised something other than the database's answer.

    If the database refuses a commit (a deferred constraint, a conflict with another transaction),
    it has rolled back. A broken connection, or an exception from a signal handler of the process,
    says nothing about what the database did meanwhile.
    """
    if isinstance(error, SynchronousOnlyOperation):  # the database was not asked
        return False
    if not isinstance(error, Error):
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    if connection.vendor == "sqlite":  # runs in this process: its answer cannot get lost
        return False
    cause = error.__cause__
    sqlstate = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if isinstance(sqlstate, str):
        return sqlstate.startswith(_SQLSTATES_WITHOUT_ANSWER)
    number = error.args[0] if error.args else None
    if connection.vendor == "mysql" and isinstance(number, int):
        is_clients = number < 1_000 or number // 1_000 in (2, 5)
        return is_clients or number in _MYSQL_WITHOUT_ANSWER
    return True


class _State(Enum):
    """The state of a connection's transaction, according to the server or to SQLite."""

    NONE = "none"
    OPEN = "open"
    FAILED = "failed"  # a commit would roll it back


def _state_of(connection: BaseDatabaseWrapper) -> _State | None:
    """The state, if the driver knows it without a query; otherwise None."""
    raw = connection.connection
    if raw is None:
        return _State.NONE
    if connection.vendor == "sqlite":
        return _State.OPEN if getattr(raw, "in_transaction", False) else _State.NONE
    if connection.vendor == "postgresql":  # psycopg, or psycopg2
        status: Any = getattr(getattr(raw, "pgconn", None) or raw.info, "transaction_status", None)
        return _STATES.get(status)
    return None


def _after_savepoint(connection: BaseDatabaseWrapper, sid: str | None) -> None:
    if sid is None:  # the database has none, or no transaction is open
        return
    made = _savepoints.get(connection)
    if made is None:
        made = []
        _savepoints.set(connection, made)
    made.append((len(connection.savepoint_ids), sid))


def _after_savepoint_commit(connection: BaseDatabaseWrapper, sid: str) -> None:
    made = _savepoints.get(connection) or []
    del made[_place_of(sid, made, lambda each: each[1]) :]


def _after_savepoint_rollback(connection: BaseDatabaseWrapper, sid: str) -> None:
    made = _savepoints.get(connection) or []
    # The savepoint itself still exists after a rollback to it.
    del made[_place_of(sid, made, lambda each: each[1]) + 1 :]
    stack = _stacks.get(connection) or []
    place = _place_of(sid, stack, lambda each: each[0])
    if place < len(stack):
        stack[place][1].roll_back()
    del stack[place:]


def _place_of(sid: str, levels: list[_T], name_of: Callable[[_T], str]) -> int:
    """The index of the last level of this name; the number of levels if there is none."""
    for place in range(len(levels) - 1, -1, -1):
        if name_of(levels[place]) == sid:
            return place
    return len(levels)


_WATCHED: Final[dict[str, Callable[..., None]]] = {
    "commit": _after_commit,
    "rollback": _after_rollback,
    "savepoint": _after_savepoint,
    "savepoint_commit": _after_savepoint_commit,
    "savepoint_rollback": _after_savepoint_rollback,
    "set_autocommit": _after_set_autocommit,
    "close": _after_rollback,  # the database rolls back what was open on a closed connection
}

#: By libpq's number for a transaction's status.
_STATES: Final = {0: _State.NONE, 2: _State.OPEN, 3: _State.FAILED}

_NOT_OPEN: Final = (_State.NONE, None)


def _watch(original: Callable[..., Any], then: Callable[..., None]) -> Callable[..., Any]:
    name = original.__name__
    commits = name in _COMMITTING
    with_result = then is _after_savepoint

    @functools.wraps(original)
    def watched(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        is_doomed = commits and self in _stacks and _state_of(self) is _State.FAILED
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            if commits:
                _quietly(_commit_failed, self, error)
            raise
        else:
            if is_doomed:
                _quietly(_after_rollback, self)
            elif with_result:
                _quietly(then, self, result)
            else:
                _quietly(then, self, *args, **kwargs)
            return result
        finally:
            # Also if a callback of on_commit raised: the transaction has ended anyway.
            if _waiting.by_id:
                turned_on = args[0] if args else kwargs.get("autocommit")
                _tell_ended(self, name, turned_on)

    watched.__signal_inspector_original__ = original  # type: ignore[attr-defined]
    return watched


def _quietly(what: Callable[..., None], *args: Any, **kwargs: Any) -> None:
    try:
        what(*args, **kwargs)
    except Exception as error:
        internal_errors.report("watching a transaction", error)


def install() -> None:
    """Watch how transactions end. Installing twice is harmless."""
    for name, then in _WATCHED.items():
        method = BaseDatabaseWrapper.__dict__[name]
        if not hasattr(method, "__signal_inspector_original__"):
            setattr(BaseDatabaseWrapper, name, _watch(method, then))


def uninstall() -> None:
    """Restore the methods that are still ours."""
    for name in _WATCHED:
        method = BaseDatabaseWrapper.__dict__[name]
        original = method.__dict__.get("__signal_inspector_original__")
        if original is not None and method.__wrapped__ is original:
            setattr(BaseDatabaseWrapper, name, original)
