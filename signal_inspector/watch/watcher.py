"""The main loop of a watcher: dispatches arrive, are put under their parents, and are shown."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from signal_inspector.core.registry import Source, SourceAwayError
from signal_inspector.display.numbers import dispatch_count, length_of_time
from signal_inspector.display.text import printable
from signal_inspector.watch.listening import (
    PATIENCE,
    Families,
    Family,
    Listener,
    Message,
    read_seen,
)
from signal_inspector.watch.terminal import Lines

Write = Callable[[str], None]

_WAIT: Final = 0.2  # seconds between two looks at the dispatches that wait
_LONGEST_WAIT: Final = 60.0  # seconds between attempts to reach a source that is unavailable
_HINT: Final = 10.0  # seconds without any process before a hint is shown


class Watcher:
    """Shows dispatches, and counts them for the summary."""

    def __init__(
        self, lines: Lines, *, out: Write, say: Write, as_json: bool, patience: float = PATIENCE
    ) -> None:
        """``out`` writes output, ``say`` messages to a person. Both add the end of the line."""
        self._lines = lines
        self._out = out
        self._say = say
        self._as_json = as_json
        self._families = Families(patience)
        self._began = time.monotonic()
        self._processes: set[str] = set()
        self._lost = self._unreadable = 0

    def listen(self, listener: Listener, hint: str) -> None:
        """Show what processes send, until interrupted."""
        while True:
            for message in listener.messages(_WAIT):
                self._take(message)
            self._show(self._families.waited(time.monotonic()))
            if hint and (self._processes or time.monotonic() > self._began + _HINT):
                if not self._processes:
                    self._say(hint)
                hint = ""

    def follow(self, source: Source) -> None:
        """Show what a source finds, until interrupted."""
        wait = source.interval
        while True:
            try:
                for found in source.look():
                    self._add(found)
                wait = source.interval
            except SourceAwayError as away:
                wait = min(wait * 2, _LONGEST_WAIT)
                self._say(f"{away} Trying again in {wait:.0f} s.")
            deadline = time.monotonic() + wait
            while (left := deadline - time.monotonic()) > 0:
                self._show(self._families.waited(time.monotonic()))
                time.sleep(min(left, _WAIT))

    def end(self) -> None:
        """Show the dispatches that still wait, and the summary."""
        self._show(self._families.rest())
        self._say(self.summary())

    def summary(self) -> str:
        """One line: what was seen, and what was not."""
        lines = self._lines
        parts = [f"{dispatch_count(lines.count)} in {length_of_time(self._elapsed)}"]
        if len(self._processes) > 1:
            parts[0] += f" from {len(self._processes)} processes"
        parts.append(f"{lines.failed:,} failed")
        if lines.left_out:
            parts.append(f"{lines.left_out:,} hidden by filters")
        if self._lost:
            parts.append(f"{self._lost:,} lost, because the watcher was too slow")
        if self._unreadable:
            parts.append(f"{self._unreadable:,} unreadable")
        return ", ".join(parts) + "."

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _take(self, message: Message) -> None:
        if message.kind == "dispatch":
            self._add(message.content, message.process)
        elif message.kind == "hello":
            self._processes.add(message.process)
            self._say(f"Process {printable(message.process)} has connected.")
        elif message.kind == "bye":
            self._say(f"Process {printable(message.process)} has disconnected.")
        elif message.kind == "lost":
            self._lost += max(message.content, 0)
            count = dispatch_count(message.content)
            self._say(f"{count} of process {printable(message.process)} could not be sent.")
        else:
            self._unreadable += 1

    def _add(self, data: dict[str, Any], process: str = "") -> None:
        try:
            seen = read_seen(data, process)
        except ValueError:
            self._unreadable += 1
            return
        if seen.process:
            self._processes.add(seen.process)
        self._show(self._families.add(seen, time.monotonic()))

    def _show(self, families: Iterable[Family]) -> None:
        for family in families:
            for line in self._json(family) if self._as_json else self._text(family):
                self._out(line)

    def _text(self, family: Family) -> Iterator[str]:
        return self._lines.of(family, with_process=len(self._processes) > 1)

    def _json(self, family: Family) -> Iterator[str]:
        for seen in self._lines.taken(family):
            yield json.dumps(seen.data)
