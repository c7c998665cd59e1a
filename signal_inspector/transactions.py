"""Whether a dispatch was sent in a transaction, and whether that transaction rolled back.

Django keeps no memory of how a transaction ended, and a callback in ``run_on_commit`` would be
seen by the user's tests. So the methods that every transaction ends through are watched on
``BaseDatabaseWrapper``. Nothing is written, no query is sent, no connection is opened.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from time import time_ns
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector import trouble
from signal_inspector.ids import next_sequence, uuid7
from signal_inspector.names import IdentityMap

#: Stands for the transaction itself where a level of a stack is else named by its savepoint.
_TRANSACTION: Final = ""


class TransactionMark:
    """A transaction or a savepoint that dispatches were sent in. Holds nothing of the user's."""

    __slots__ = ("_has_ended", "_key", "_outer", "_rolled_back")

    def __init__(self, outer: TransactionMark | None) -> None:
        self._outer = outer
        self._rolled_back = False
        self._has_ended = False
        self._key: tuple[int, int] = (time_ns(), next_sequence()) if outer is None else outer._key

    def roll_back(self) -> None:
        self._rolled_back = True

    def end(self) -> None:
        """Note that the transaction has ended; told of the outermost level alone."""
        self._has_ended = True

    @property
    def rolled_back(self) -> bool:
        """Whether it, or a transaction around it, has rolled back by now."""
        return self._rolled_back or (self._outer is not None and self._outer.rolled_back)

    @property
    def is_open(self) -> bool:
        """Whether it is still to be seen what becomes of it."""
        if self._rolled_back or self._has_ended:
            return False
        return self._outer is None or self._outer.is_open

    @property
    def transaction_id(self) -> UUID:
        """A UUIDv7 that all levels of one transaction share."""
        return uuid7(*self._key)


class _Waiting(NamedTuple):
    """Who wants to know when a connection's transaction has ended."""

    callbacks: list[Callable[[], None]]
    by_hand: bool  # autocommit is off: commit() or rollback() is the end, no block's exit


_Stack = list[tuple[str, TransactionMark]]
_stacks: IdentityMap[_Stack] = IdentityMap()
_waiting: IdentityMap[_Waiting] = IdentityMap()


def open_marks() -> tuple[bool, tuple[TransactionMark, ...]]:
    """Whether this thread has a transaction open on any database, and the marks of each.

    The atomic blocks that ``TestCase`` puts around a test do not count: the code under test
    does not run in them in production.
    """
    marks = []
    for connection in opened_connections():
        if connection.autocommit and not connection.in_atomic_block and connection not in _stacks:
            continue  # as most are, and asked quickly
        stack = _stack_of(connection)
        if stack:
            marks.append(stack[-1][1])
    if not marks:
        return False, ()
    return True, tuple(marks)


def opened_connections() -> Iterator[BaseDatabaseWrapper]:
    """This thread's connection objects; none is created by asking."""
    # As connections.all(initialized_only=True), which looks for each three times: every dispatch
    # of an audit asks.
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
    """What asgiref's ``Local`` answers from in a thread without an event loop; else None.

    Asked for one attribute, it finds out by an exception that there is no loop: half of what a
    dispatch would pay for being audited.
    """
    storage = getattr(local, "__dict__", {}).get("_storage")
    if type(storage) is threading.local and asyncio._get_running_loop() is None:
        return vars(storage)
    return None


def when_ended(connection: BaseDatabaseWrapper, callback: Callable[[], None]) -> None:
    """Call back once when the transaction that is open on this connection has ended.

    That is in the connection's own thread, after the outermost block has been left and the
    callbacks of ``on_commit`` have run, so the connection may be used. Where autocommit is off
    it is after each ``commit()`` or ``rollback()``, and what the callback writes it has to commit.
    A connection that was closed is still closed. What the callback raises is reported. The same
    callback waits once.
    """
    waiting = _waiting.get(connection)
    if waiting is None:
        by_hand = not (connection.in_atomic_block and connection.commit_on_exit)
        waiting = _Waiting([], by_hand)
        _waiting.set(connection, waiting)
    if callback not in waiting.callbacks:
        waiting.callbacks.append(callback)


def _tell_ended(connection: BaseDatabaseWrapper, how: str, turned_on: object) -> None:
    """Call those who wait, if what was called is what ends a transaction for good."""
    waiting = _waiting.get(connection)
    if waiting is None or how == "savepoint_rollback":
        return
    if how == "set_autocommit":
        is_end = bool(turned_on) and not connection.in_atomic_block
    else:
        is_end = how == "close" or waiting.by_hand
    if not is_end:
        return
    _waiting.pop(connection)
    for callback in waiting.callbacks:
        try:
            callback()
        except Exception as error:
            trouble.report("telling of a transaction's end", error)


def _levels(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of the open transaction and its savepoints, outermost first; [] outside any."""
    if connection.closed_in_transaction:  # the database has rolled back already
        return []
    if not connection.in_atomic_block:
        has_connection = connection.connection is not None
        return [_TRANSACTION] if has_connection and not connection.autocommit else []
    blocks = connection.atomic_blocks
    saved: list[str | None] = list(connection.savepoint_ids)
    # The outermost block has no savepoint, unless autocommit was off before it.
    names = [*[_TRANSACTION] * (len(blocks) - len(saved)), *saved]
    levels = [
        name
        for name, block in zip(names, blocks, strict=False)
        if name is not None and not getattr(block, "_from_testcase", False)
    ]
    if len(blocks) == len(saved):
        levels.insert(0, _TRANSACTION)
    return levels


def _stack_of(connection: BaseDatabaseWrapper) -> _Stack:
    """The marks of a connection's open levels, made where they are missing."""
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
    stack = _stacks.get(connection)
    if not stack:
        return
    outermost = stack[0][1]
    if rolled_back:
        outermost.roll_back()
    outermost.end()
    stack.clear()


def _after_commit(connection: BaseDatabaseWrapper) -> None:
    _ended(connection, rolled_back=False)


def _after_rollback(connection: BaseDatabaseWrapper) -> None:
    _ended(connection, rolled_back=True)


def _after_set_autocommit(
    connection: BaseDatabaseWrapper, autocommit: bool, *args: Any, **kwargs: Any
) -> None:
    if autocommit:  # the driver commits what was open, if a commit or rollback did not end it
        _ended(connection, rolled_back=False)


def _after_savepoint_rollback(connection: BaseDatabaseWrapper, sid: str | None) -> None:
    stack = _stacks.get(connection) or []
    for position, (name, mark) in enumerate(stack):
        if name == sid and sid is not None:
            mark.roll_back()
            del stack[position:]
            return


_WATCHED: Final[dict[str, Callable[..., None]]] = {
    "commit": _after_commit,
    "rollback": _after_rollback,
    "savepoint_rollback": _after_savepoint_rollback,
    "set_autocommit": _after_set_autocommit,
    "close": _after_rollback,  # the database rolls back what a closed connection left open
}


def _watch(original: Callable[..., Any], then: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(original)
    def watched(self: BaseDatabaseWrapper, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
            try:
                then(self, *args, **kwargs)
            except Exception as error:
                trouble.report("watching a transaction", error)
            return result
        finally:
            # Also where a callback of on_commit raised: the transaction has ended all the same.
            if _waiting.by_id:
                turned_on = args[0] if args else kwargs.get("autocommit")
                _tell_ended(self, original.__name__, turned_on)

    watched.__signal_inspector_original__ = original  # type: ignore[attr-defined]
    return watched


def install() -> None:
    """Watch how transactions end. Installing twice is harmless."""
    for name, then in _WATCHED.items():
        method = BaseDatabaseWrapper.__dict__[name]
        if not hasattr(method, "__signal_inspector_original__"):
            setattr(BaseDatabaseWrapper, name, _watch(method, then))


def uninstall() -> None:
    """Put back what is still ours."""
    for name in _WATCHED:
        method = BaseDatabaseWrapper.__dict__[name]
        original = method.__dict__.get("__signal_inspector_original__")
        if original is not None and method.__wrapped__ is original:
            setattr(BaseDatabaseWrapper, name, original)
