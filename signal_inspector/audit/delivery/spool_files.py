"""Spool files: each process keeps what it has taken in its own file until the database has it.

A file consists of lines of text: eight hexadecimal digits of a CRC-32, a space, and a JSON array.
The first line is ``["signal-audit-spool", 1, "<process>"]``; 1 is the version of this format. The
other lines are

- ``["d", rows]``: a dispatch, as ``rows.Rows``;
- ``["o", rows]``: a dispatch whose transaction was open when the line was written;
- ``["e", [[id, outcome], …]]``: how the transactions of such dispatches ended.

Each line is written by one ``write`` to a file opened with O_APPEND, so it survives if the process
is killed after ``append`` has returned. It does not survive a crash of the machine before the
kernel has written it to the disk: nothing is synced. Only their owner can read the files. The
process that a file belongs to holds a lock on it as long as it is alive; a process that can take
the lock may ship the file.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

from signal_inspector.audit.attribution import processes
from signal_inspector.core import internal_errors
from signal_inspector.core.record.ids import time

FORMAT: Final = 1
_MAGIC: Final = "signal-audit-spool"
_SUFFIX: Final = ".spool"
_UNBORN: Final = ".new"
_STALE_SECONDS: Final = 60.0
_CHUNK: Final = 1 << 20  # bytes read at once


class SpoolLine(NamedTuple):
    """One line, and the offset at which it ends. ``record`` is None if the line is damaged."""

    record: list[Any] | None
    end: int


def encoded(record: list[Any]) -> bytes:
    """A record as a line."""
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decoded(line: bytes) -> list[Any] | None:
    """The record in a line, given without its newline; None if the line is damaged."""
    try:
        if int(line[:8], 16) != zlib.crc32(line[9:]) or line[8:9] != b" ":
            return None
        record = json.loads(line[9:])
    except ValueError:
        return None
    return record if isinstance(record, list) and record else None


class OwnFile:
    """The file that this process appends to."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = uuid4().hex
        # No other process looks for this name, so the file is not taken over before it is locked.
        unborn = directory / f"{name}{_UNBORN}"
        self.path = directory / f"{name}{_SUFFIX}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._fd = os.open(unborn, flags, 0o600)
        self._lock = threading.Lock()
        self.size = 0
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.append(encoded([_MAGIC, FORMAT, processes.label()]))
            unborn.rename(self.path)
        except BaseException:
            os.close(self._fd)
            unborn.unlink(missing_ok=True)
            raise

    def append(self, line: bytes) -> None:
        """Write a line. If OSError is raised, no part of the line is in the file."""
        with self._lock:
            written = os.write(self._fd, line)
            if written != len(line):  # the disk is full
                os.ftruncate(self._fd, self.size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.size += written

    def close(self) -> None:
        """Close the file and release the lock."""
        os.close(self._fd)


class Segment:
    """A file that is read and shipped; it belongs to this process, or to a dead one."""

    def __init__(self, path: Path, *, own: OwnFile | None, fd: int | None = None) -> None:
        self.path = path
        self.own = own  # None: the process of this file is dead
        self.is_growing = own is not None
        self._fd = os.open(path, os.O_RDONLY) if fd is None else fd
        self.offset = 0
        self.held = 0  # dispatches in this file that wait for the end of their transaction

    def lines(self) -> Iterator[SpoolLine]:
        """The lines from ``offset`` on; a last line without a newline is not complete yet."""
        start = self.offset
        rest = b""
        while chunk := os.pread(self._fd, _CHUNK, start + len(rest)):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                start += len(line) + 1
                yield SpoolLine(decoded(line), start)

    @property
    def is_done(self) -> bool:
        """Whether the whole file was read and nothing will be added to it."""
        return not self.is_growing and not self.held and self.offset >= self._size()

    @property
    def is_torn(self) -> bool:
        """Whether it ends in the middle of a line: its process was killed while writing."""
        size = self._size()
        return size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def skip_rest(self) -> None:
        """Go to the end: what is left is no complete line, and will not become one."""
        self.offset = self._size()

    def remove(self) -> None:
        """Delete the file: everything in it is in the database."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        os.close(self._fd)
        if self.own is not None:
            self.own.close()

    def _size(self) -> int:
        return os.fstat(self._fd).st_size


def orphans(directory: Path) -> Iterator[Segment]:
    """The files of dead processes, each locked: no other process ships it until it is closed."""
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        fd = _locked(path)
        if fd is not None:
            yield Segment(path, own=None, fd=fd)
    for path in directory.glob(f"*{_UNBORN}"):  # the process died before it wrote a dispatch
        try:
            is_stale = time() - path.stat().st_mtime > _STALE_SECONDS
        except OSError as error:
            internal_errors.let_through(error)
            continue
        if is_stale:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> int | None:
    """Open a file to read, and lock it; None if another process has it locked, or it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        internal_errors.let_through(error)
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:  # if 0, another process has shipped and deleted it meanwhile
            return fd
    except OSError as error:
        internal_errors.let_through(error)
    os.close(fd)
    return None


def is_known_format(record: list[Any]) -> bool:
    """Whether this first line is of the format that this version can read."""
    return bool(record[:2] == [_MAGIC, FORMAT])


def is_header(record: list[Any]) -> bool:
    """Whether this is a first line, of any version."""
    return bool(record[0] == _MAGIC)
