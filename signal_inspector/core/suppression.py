"""What our own work runs in, so that others who watch the process do not take it for the user's.

A room that knows such a watcher adds a way to keep it quiet; one that has work to do, such as
writing to the database in the user's request, knows no room and uses ``suppress_instrumentation``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import TypeAlias

from signal_inspector.core import internal_errors

Suppressor: TypeAlias = Callable[[], AbstractContextManager[object]]

_suppressors: list[Suppressor] = []


def add_suppressor(suppressor: Suppressor) -> None:
    """Have our own work run within what this gives. Adding it twice is harmless."""
    if suppressor not in _suppressors:
        _suppressors.append(suppressor)


def suppress_instrumentation() -> ExitStack:
    """A context in which no known watcher looks at what is done; for one thread, without await."""
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
