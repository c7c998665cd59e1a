"""The wrapper, for as long as a test needs it: where the app is not installed, or not yet."""

from __future__ import annotations

from threading import RLock

from django.conf import settings

from signal_inspector.core import forks
from signal_inspector.core.wrapper import instrument

_lock = RLock()
_users = 0
_wrapper_is_ours = False
_queries_are_ours = False


@forks.in_child
def _after_fork() -> None:
    global _lock
    _lock = RLock()  # the thread that held it is not in the child


def acquire() -> None:
    """Have dispatches and queries recorded until ``release``; what is installed stays as it is."""
    global _users, _wrapper_is_ours, _queries_are_ours
    with _lock:
        _users += 1
        if not instrument.is_installed():
            instrument.install()
            _wrapper_is_ours = True
        if settings.configured:
            from signal_inspector.core.record import queries  # noqa: PLC0415

            if not queries.is_installed():
                queries.install()
                _queries_are_ours = True


def release() -> None:
    """Undo ``acquire``: the last one takes off what the first one had to install."""
    global _users, _wrapper_is_ours, _queries_are_ours
    with _lock:
        _users -= 1
        if _users:
            return
        if _wrapper_is_ours:
            _wrapper_is_ours = False
            instrument.uninstall()
        if _queries_are_ours:
            from signal_inspector.core.record import queries  # noqa: PLC0415

            _queries_are_ours = False
            queries.uninstall()
