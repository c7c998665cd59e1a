"""The dispatches of running processes, live, in a terminal: what ``signals watch`` is made of.

A watcher listens on a socket in a directory of its own user's; processes with the sink below
find it there and send it what they have recorded. Other ways to learn of dispatches register in
``sources``.

"""

from __future__ import annotations

from signal_inspector.watch.sink import WatchSink

__all__ = ["WatchSink"]
