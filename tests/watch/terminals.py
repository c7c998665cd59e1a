"""``signals watch`` as a process of its own, as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.tracing.processes import ROOT
from tests.watch.conftest import until

MANAGE = ["-m", "django"]
SHOP = [str(ROOT / "example_project" / "manage.py")]


class Terminal:
    """A watcher that runs; what it wrote is read as it comes."""

    def __init__(self, manage: list[str], options: list[str], env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *manage, "signals", "watch", *options],
            cwd=ROOT,
            env={**env, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.lines: list[str] = []
        self.said: list[str] = []
        self._readers = [
            threading.Thread(target=read, args=(stream, into))
            for stream, into in (
                (self.process.stdout, self.lines),
                (self.process.stderr, self.said),
            )
        ]
        for reader in self._readers:
            reader.start()
        self.wait(lambda: any("Waiting for" in line for line in self.said))

    def wait(self, happened: Callable[[], bool]) -> None:
        """Wait until something has happened; say what was read if it does not."""
        try:
            until(lambda: happened() or self.process.poll() is not None)
            assert happened()
        except AssertionError as error:
            error.add_note("".join([*self.lines[-40:], "--- said ---\n", *self.said[-40:]]))
            raise

    @property
    def dispatches(self) -> list[dict[str, Any]]:
        """What came, with --json."""
        found = [json.loads(line) for line in list(self.lines)]
        return [{**each["dispatch"], **each["context"]} for each in found]

    def end(self, number: int = signal.SIGINT) -> int:
        """End it; its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        for reader in self._readers:
            reader.join(timeout=60)
        return status

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=60)
        for reader in self._readers:
            reader.join(timeout=60)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def read(stream: Any, into: list[str]) -> None:
    into.extend(iter(stream.readline, ""))


@contextmanager
def terminal(
    *options: str, manage: list[str] | None = None, env: dict[str, str]
) -> Iterator[Terminal]:
    """A watcher, killed at the end if it still runs."""
    made = Terminal(manage or MANAGE, list(options), env)
    try:
        yield made
    finally:
        made.kill()


def environment(directory: Path, home: Path, **more: str) -> dict[str, str]:
    """What servers and watchers share."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.watch.server_settings",
        "SPANS_IN": str(directory),  # where the log of a server goes
        "WATCH_DIRECTORY": str(home),
        **more,
    }
