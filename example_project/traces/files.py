"""Where the last traces are kept: lines of OTLP JSON, in a file and the one before it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path


def earlier(path: Path) -> Path:
    """The file that was full when this one was begun."""
    return path.with_suffix(".1" + path.suffix)


class RotatingFile(io.TextIOBase):
    """A stream into a file that is put aside when it is full. No more than two are kept.

    The file is open only while something is written, and takes that in one piece: several
    processes may share it, and it may be thrown away at any time.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit  # bytes of each of the two

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        written = text.encode()
        with contextlib.suppress(FileNotFoundError):
            if self.path.stat().st_size + len(written) > self.limit:
                self.path.replace(earlier(self.path))
        with self.path.open("ab", buffering=0) as file:
            file.write(written)
        return len(text)


def lines(path: Path) -> Iterator[bytes]:
    """What is kept, the oldest first."""
    for file in (earlier(path), path):
        with contextlib.suppress(FileNotFoundError), file.open("rb") as opened:
            yield from opened


def forget(path: Path) -> None:
    """Throw all traces away."""
    for file in (earlier(path), path):
        file.unlink(missing_ok=True)
