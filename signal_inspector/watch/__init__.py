"""The dispatches of running processes, live, in a terminal: what ``signals watch`` is made of.

A watcher listens on a socket in a directory of its own user's; processes with the sink below
find it there and send it what they have recorded. Other ways to learn of dispatches register in
``sources``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.lazy import names_of

if TYPE_CHECKING:
    from signal_inspector.watch.sink import WatchSink

__all__ = ["WatchSink"]

_HOMES: Final = {"WatchSink": "sink"}

if not TYPE_CHECKING:  # a checker would take it for a yes to every name
    __getattr__ = names_of(__name__, _HOMES)
