"""Our own connections to a database, separate from Django's and from its connection pool.

We must not end the transactions on the application's connections, and the application's pool has
no place for us. So the thread that writes has its own connection, and senders without an open
connection share one. One thread at a time uses it, as ``connections[alias]``, so models can be
used with it as well. It stays open while it is in use, and for a minute after.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.core import internal_errors
from signal_inspector.core.record.ids import monotonic

#: How long an unused connection stays open, in seconds.
IDLE_SECONDS: Final = 60.0

#: Connections of the parent. A forked child must neither use nor close them, and must keep them
#: referenced: some drivers end the session with the server when a connection is collected.
_of_parents: Final[list[BaseDatabaseWrapper]] = []


class OwnConnection:
    """One connection of our own to a database; opened when it is needed, by any thread."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._lock = threading.Lock()  # held while a thread uses the connection
        self._wrapper: BaseDatabaseWrapper | None = None
        self._used_at = 0.0
        _all.add(self)

    @contextlib.contextmanager
    def used(self, timeout: float = -1) -> Iterator[bool]:
        """Let ``connections[using]`` be this connection, in this thread and inside the block.

        Yield False, and change nothing, if other threads use it for more than ``timeout`` seconds.
        """
        if not self._lock.acquire(timeout=timeout):
            yield False
            return
        try:
            if self._wrapper is None:
                self._wrapper = _made(self._using)
            self._wrapper.close_if_unusable_or_obsolete()
            with _in_place(self._using, self._wrapper):
                yield True
        finally:
            self._used_at = monotonic()
            self._lock.release()

    def close(self, timeout: float = 0.0) -> bool:
        """Close it; False if another thread uses it for more than ``timeout`` seconds."""
        if not self._lock.acquire(timeout=timeout):
            return False
        try:
            wrapper, self._wrapper = self._wrapper, None
            if wrapper is not None:
                _close(wrapper)
        finally:
            self._lock.release()
        return True

    def close_if_idle(self) -> None:
        """Close it if it has not been used for ``IDLE_SECONDS``."""
        if self._wrapper is not None and monotonic() - self._used_at > IDLE_SECONDS:
            self.close()

    def forget(self) -> None:
        """In a forked child: leave the parent's connection to the parent."""
        self._lock = threading.Lock()
        if self._wrapper is not None:
            _of_parents.append(self._wrapper)
            self._wrapper = None


_all: Final[weakref.WeakSet[OwnConnection]] = weakref.WeakSet()


def close_all(timeout: float) -> None:
    """Close all of our connections in this process; wait ``timeout`` seconds for each in use."""
    for each in list(_all):
        each.close(timeout)


@contextlib.contextmanager
def opened(using: str) -> Iterator[BaseDatabaseWrapper]:
    """A connection for short and rare work, closed at the end of the block."""
    wrapper = _made(using)
    try:
        yield wrapper
    finally:
        _close(wrapper)


def may_be_opened(connection: BaseDatabaseWrapper) -> bool:
    """Whether one of our own connections may do the work of this one.

    Not if a test forbids the database, which it does by patching the connection, and not if the
    database is in memory, where each connection has a database of its own.
    """
    if "connect" in vars(connection):
        return False
    in_memory = getattr(connection, "is_in_memory_db", None)
    return in_memory is None or not in_memory()


def _made(using: str) -> BaseDatabaseWrapper:
    """A new connection object with the current settings of this alias; not open yet."""
    wrapper: BaseDatabaseWrapper = connections.create_connection(using)
    given: Any = wrapper.settings_dict
    wrapper.settings_dict = {
        **given,
        "OPTIONS": {key: value for key, value in given["OPTIONS"].items() if key != "pool"},
        "AUTOCOMMIT": True,
        "CONN_MAX_AGE": None,  # no request ends here
        "CONN_HEALTH_CHECKS": True,
    }
    wrapper.inc_thread_sharing()
    return wrapper


def _close(wrapper: BaseDatabaseWrapper) -> None:
    # Not by its own close(), which refuses to work under an event loop.
    raw, wrapper.connection = wrapper.connection, None
    if raw is not None:
        try:
            raw.close()
        except Exception as error:  # the server has closed it
            internal_errors.let_through(error)


@contextlib.contextmanager
def _in_place(using: str, wrapper: BaseDatabaseWrapper) -> Iterator[None]:
    opened_here: Any = connections._connections  # type: ignore[attr-defined]
    before = getattr(opened_here, using, None)
    try:
        connections[using] = wrapper
        yield
    finally:
        if before is None:
            with contextlib.suppress(AttributeError):  # a time limit interrupted before it was set
                del connections[using]
        else:
            connections[using] = before
