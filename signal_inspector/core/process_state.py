"""What exists once per process: its locks, what it does when it forks, and what it forgets.

A forked child has its parent's memory but only one of its threads: a lock that another thread held
stays locked there, and what should exist once per process is shared by two. Therefore the locks of
modules are made here, and are free in a child. No other module registers with Python for forks.

What modules remember, such as settings, decisions and names, is forgotten by one call: ``reset``.
What is connected, installed or open stays.

Functions run in the order in which they were registered. If one of them raises, that is reported,
and the others still run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock
from typing import Final, TypeVar

from signal_inspector.core import internal_errors

Function = TypeVar("Function", bound=Callable[[], None])

_before: Final[list[Callable[[], None]]] = []
_in_parent: Final[list[Callable[[], None]]] = []
_in_child: Final[list[Callable[[], None]]] = []
_at_reset: Final[list[Callable[[], None]]] = [internal_errors.reset]
_locks: Final = [internal_errors.lock]


def lock() -> RLock:
    """A lock that lives as long as the process. In a forked child, no other thread holds it.

    It is reentrant, because a signal handler or a finalizer that runs while it is held may need
    it too. If such code forks, the child's only thread still holds the lock and has to release it.
    """
    made = RLock()
    _locks.append(made)
    return made


def _free_locks() -> None:
    for each in _locks:
        if not each._is_owned():  # type: ignore[attr-defined]
            each._at_fork_reinit()  # type: ignore[attr-defined]  # as ``logging`` does with its own


def before(function: Function) -> Function:
    """Have a function run in the parent before it forks; usable as a decorator."""
    _before.append(function)
    return function


def in_parent(function: Function) -> Function:
    """Have a function run in the parent after it has forked; usable as a decorator."""
    _in_parent.append(function)
    return function


def in_child(function: Function) -> Function:
    """Have a function run in the child after the fork; usable as a decorator."""
    _in_child.append(function)
    return function


def at_reset(function: Function) -> Function:
    """Have a function run by ``reset``; usable as a decorator."""
    _at_reset.append(function)
    return function


def reset() -> None:
    """Forget what this process remembers, as if it had just started. For tests."""
    _run(_at_reset, "as the process was reset")


def _run(functions: list[Callable[[], None]], when: str = "as the process forked") -> None:
    held: BaseException | None = None
    for function in functions:
        try:
            function()
        except BaseException as error:
            kind = f"{function.__module__}.{function.__qualname__}, {when}"
            held = internal_errors.hold(kind, error, held)
    internal_errors.resume(held)


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(
        before=lambda: _run(_before),
        after_in_parent=lambda: _run(_in_parent),
        after_in_child=lambda: _run([_free_locks, *_in_child]),
    )
