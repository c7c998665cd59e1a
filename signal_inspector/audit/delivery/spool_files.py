"""Spool files: what a process has taken, in a file of its own, until it is in the database.

A file is lines of text: eight digits of a CRC-32, a space, and an array in JSON. The first line
is ``["signal-audit-spool", 1, "<process>"]``; 1 is the version of this format. The others are

- ``["d", rows]``: a dispatch, as ``rows.Rows``;
- ``["o", rows]``: one whose transaction was open when it was written;
- ``["e", [[id, outcome], …]]``: how such transactions ended.

Each line is written by one ``write`` to a file opened with O_APPEND, so it survives the death of
its process as soon as ``append`` has returned. It does not survive the death of the machine
before the kernel has written it out: nothing is synced. Files are readable by their owner alone.
The process that a file belongs to holds a lock on it for as long as it lives; who can take the
lock may ship the file.
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
    """One line, and where it ends. ``record`` is None if it is damaged."""

    record: list[Any] | None
    end: int


def encoded(record: list[Any]) -> bytes:
    """A record as a line."""
    text = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(text), text)


def decoded(line: bytes) -> list[Any] | None:
    """The record of a line without its end; None if that is not what was written."""
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
        # Nobody looks for it under this name: else it could be taken over before it is locked.
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
        """Write a line. Raises OSError, and then nothing of it is in the file."""
        with self._lock:
            written = os.write(self._fd, line)
            if written != len(line):  # the disk is full by now
                os.ftruncate(self._fd, self.size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.size += written

    def close(self) -> None:
        """Let go of it, and of the lock."""
        os.close(self._fd)


class Segment:
    """A file that is read and shipped: of this process, or of one that has died."""

    def __init__(self, path: Path, *, own: OwnFile | None, fd: int | None = None) -> None:
        self.path = path
        self.own = own  # None: its process is dead
        self.is_growing = own is not None
        self._fd = os.open(path, os.O_RDONLY) if fd is None else fd
        self.offset = 0
        self.held = 0  # dispatches of it that wait for their transaction's end

    def lines(self) -> Iterator[SpoolLine]:
        """The lines from ``offset`` on; a last one without an end is not one yet."""
        start = self.offset
        rest = b""
        while chunk := os.pread(self._fd, _CHUNK, start + len(rest)):
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                start += len(line) + 1
                yield SpoolLine(decoded(line), start)

    @property
    def is_done(self) -> bool:
        """Whether all of it was read and nothing is added to it."""
        return not self.is_growing and not self.held and self.offset >= self._size()

    @property
    def is_torn(self) -> bool:
        """Whether it ends in the middle of a line: its process was killed while it wrote."""
        size = self._size()
        return size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def skip_rest(self) -> None:
        """Go to the end: what is there is no line and will not become one."""
        self.offset = self._size()

    def remove(self) -> None:
        """Remove the file: all of it is in the database."""
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        os.close(self._fd)
        if self.own is not None:
            self.own.close()

    def _size(self) -> int:
        return os.fstat(self._fd).st_size


def orphans(directory: Path) -> Iterator[Segment]:
    """The files of dead processes, each locked: nobody else ships it until it is closed."""
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        fd = _locked(path)
        if fd is not None:
            yield Segment(path, own=None, fd=fd)
    for path in directory.glob(f"*{_UNBORN}"):  # its process died before there was anything in it
        try:
            is_stale = time() - path.stat().st_mtime > _STALE_SECONDS
        except OSError as error:
            internal_errors.let_through(error)
            continue
        if is_stale:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> int | None:
    """A file to read, with its lock; None if another process has it, or it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        internal_errors.let_through(error)
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:  # else somebody has shipped and removed it meanwhile
            return fd
    except OSError as error:
        internal_errors.let_through(error)
    os.close(fd)
    return None


def is_known_format(record: list[Any]) -> bool:
    """Whether a first line says that this version can read the file."""
    return bool(record[:2] == [_MAGIC, FORMAT])


def is_header(record: list[Any]) -> bool:
    """Whether it is a first line, of whichever version."""
    return bool(record[0] == _MAGIC)
