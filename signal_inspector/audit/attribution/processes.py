"""This process: what started it, its name in the log, and how it forks and ends."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any, Final, Protocol

from signal_inspector.audit.models import Origin
from signal_inspector.audit.sanitize import clean
from signal_inspector.core import internal_errors, process_state
from signal_inspector.display.text import (
    host,
    management_command,
    process,
    process_name,
    program,
)

#: How long an ending process waits for the log to be written, in seconds.
EXIT_SECONDS: Final = 5.0

_finalizers: set[str] = set()  # packages in which a finalizer is registered in this process

_SHELLS: Final = ("shell", "shell_plus", "dbshell")
_INTERPRETERS: Final = ("ipython", "ipython3", "bpython", "ptpython")
_NAME_LENGTH: Final = 500


def machine() -> str:
    """The scope in which process ids are unique: the host, and the container on it."""
    try:
        return f"{host()[:150]} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no file
    except OSError as error:
        internal_errors.let_through(error)
        return host()[:200]


@cache
def label() -> str:
    """This process as shown to a person: ``web-2, pid 4127, gunicorn``."""
    return process(process_name(), os.getpid(), host())


class AtForkAndExit(Protocol):
    """An object that is called when the process forks, and when it ends."""

    def hold(self) -> None:
        """Called before a fork: stop the threads at a safe point until ``go_on``."""

    def go_on(self) -> None:
        """Called in the parent after a fork."""

    def forked(self) -> None:
        """Called in a forked child: forget what the parent will write."""

    def close(self, timeout: float) -> bool:
        """Called once at the end: write what waits, within ``timeout`` seconds."""


_watched: weakref.WeakSet[AtForkAndExit] = weakref.WeakSet()


def watch(watched: AtForkAndExit) -> None:
    """Call this object at forks and at the end of the process. Only a weak reference is kept."""
    _watched.add(watched)


def expect_children_end() -> None:
    """Close what is watched at the end of a child of multiprocessing, which runs no ``atexit``.

    Call this in the child itself, as soon as it has something to lose: multiprocessing drops
    finalizers that were registered before the child's own code begins.
    """
    for name in ("multiprocessing", "billiard"):
        util = sys.modules.get(f"{name}.util")
        if util is not None and name not in _finalizers and _is_child(name):
            _finalizers.add(name)
            util.Finalize(None, close_all, exitpriority=0)


def _is_child(name: str) -> bool:
    process: Any = sys.modules.get(f"{name}.process")
    current = None if process is None else process.current_process()
    return getattr(current, "_parent_pid", None) is not None


def close_all() -> None:
    """Close everything that is watched; each has ``EXIT_SECONDS`` to write what waits."""
    for watched in list(_watched):
        try:
            watched.close(EXIT_SECONDS)
        except Exception as error:
            internal_errors.report("closing the audit", error)


def _tell(what: str) -> None:
    for watched in list(_watched):
        try:
            getattr(watched, what)()
        except Exception as error:
            internal_errors.report("preparing the audit for a fork", error)


@process_state.before
def _forking() -> None:
    _tell("hold")


@process_state.in_parent
def _going_on() -> None:
    _tell("go_on")


@process_state.in_child
def _forked() -> None:
    label.cache_clear()
    _finalizers.clear()
    _tell("forked")


atexit.register(close_all)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let SIGTERM end the code inside like ``sys.exit``. For our own commands.

    By default, a process that gets SIGTERM runs no ``atexit``. A handler that other code has
    installed is left alone.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    ):
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def process_origin() -> tuple[Origin, str]:
    """The origin, and its name, of code that runs outside of requests and tasks."""
    started, command = program()[0], management_command()
    if command is not None:
        name = clean(f"{started} {command}", _NAME_LENGTH)
        return (Origin.SHELL if command in _SHELLS else Origin.COMMAND), name
    if hasattr(sys, "ps1") or sys.flags.interactive or started in _INTERPRETERS:
        return Origin.SHELL, clean(started or "python", _NAME_LENGTH)
    return Origin.OTHER, clean(started, _NAME_LENGTH)
