"""What our own work runs in, so that others who watch the process do not take it for the user's.

A room that knows such a watcher adds a way to keep it quiet; one that has work to do, such as
writing to the database in the user's request, knows no room and uses ``own_work``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import TypeAlias

from signal_inspector import trouble

Silencer: TypeAlias = Callable[[], AbstractContextManager[object]]

_silencers: list[Silencer] = []


def add_silencer(silencer: Silencer) -> None:
    """Have ``own_work`` run within what this gives. Adding it twice is harmless."""
    if silencer not in _silencers:
        _silencers.append(silencer)


def own_work() -> ExitStack:
    """A context in which no known watcher looks at what is done; for one thread, without await."""
    stack = ExitStack()
    for silencer in _silencers:
        try:
            stack.enter_context(silencer())
        except BaseException as error:
            held = trouble.hold("keeping a watcher quiet", error)
            if held is not None:
                stack.close()
                trouble.resume(held)
    return stack
