"""Shows the dispatches of running processes live in a terminal: the parts of ``signals watch``.

A watcher listens on a socket in a directory of its user. Processes with ``WatchSink`` find the
socket there, and send the watcher what they have recorded. The audit offers its own source of
dispatches through the registry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from signal_inspector.core import lazy_names

if TYPE_CHECKING:
    from signal_inspector.watch.sink import WatchSink

__all__ = ["WatchSink"]

_HOMES: Final = {"WatchSink": "sink"}

if not TYPE_CHECKING:  # a type checker would conclude that every name exists
    __getattr__ = lazy_names(__name__, _HOMES)
