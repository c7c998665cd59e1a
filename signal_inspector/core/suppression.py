"""Hides Signal Inspector's own work from other tools that watch the process.

A room that knows such a tool adds a way to keep it quiet. Code that has work to hide, such as
writing to the database in the user's request, uses ``suppress_instrumentation`` and need not know
these tools.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import TypeAlias

from signal_inspector.core import internal_errors

Suppressor: TypeAlias = Callable[[], AbstractContextManager[object]]

_suppressors: list[Suppressor] = []


def add_suppressor(suppressor: Suppressor) -> None:
    """Run our own work within the context manager that this returns. May be added twice."""
    if suppressor not in _suppressors:
        _suppressors.append(suppressor)


def suppress_instrumentation() -> ExitStack:
    """A context in which no known tool watches what is done; for one thread, without await."""
    stack = ExitStack()
    for suppressor in _suppressors:
        try:
            stack.enter_context(suppressor())
        except BaseException as error:
            held = internal_errors.hold("keeping a watcher quiet", error)
            if held is not None:
                stack.close()
                internal_errors.resume(held)
    return stack
