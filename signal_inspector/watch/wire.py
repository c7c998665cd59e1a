"""Where a process meets its watchers, and its connection to each of them. Nothing in here blocks.

They meet in a directory. Anyone who can write to it could have a server's dispatches sent to
themselves. So it must belong to the user of this process, with no permissions for others, or it
is refused.

The protocol is one JSON object per line. ``{"hello": {...}}`` comes first, then the JSON of each
dispatch that ended, as ``record.dispatch.document`` makes it, and ``{"lost": n}`` if some could
not be sent. A watcher that is reached by a port first has to answer ``{"welcome": {...}}`` to the
hello. Neither side trusts the other.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import json
import os
import socket
import stat
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from threading import RLock
from typing import Any, Final

from signal_inspector.conf import get_config, register_section
from signal_inspector.core import internal_errors
from signal_inspector.core.record.dispatch import Dispatch, document
from signal_inspector.core.record.ids import monotonic

#: Suffixes of what a watcher puts there: a socket, or a file that says where it listens.
SOCKET: Final = ".sock"
ADDRESS: Final = ".tcp"

#: The most watchers that one process sends to.
MOST_WATCHERS: Final = 8

_HAS_OWNERS: Final = hasattr(os, "getuid")  # Python does not report owners on Windows
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

VERSION: Final = 1

#: The most bytes of a line. A longer dispatch loses its payload first, then responses and
#: tracebacks.
LONGEST: Final = 262_144

_DEEPEST: Final = 50  # the most levels of objects and arrays; a dispatch has fewer than ten

_CALLS: Final = 500  # the most receiver calls that are sent of a dispatch that is too long

#: The most bytes that wait for a watcher that does not keep up; the rest is counted as lost.
MOST_WAITING: Final = 2_000_000

_PATIENCE: Final = 5.0  # seconds in which a watcher behind a port has to answer
_ADDRESS_LENGTH: Final = 1_000
# A process may have restored SIGPIPE's default action, which ends the process.
_QUIETLY: Final = getattr(socket, "MSG_NOSIGNAL", 0)
_GONE: Final = {errno.ECONNREFUSED, errno.ECONNRESET, errno.ENOENT}
_ON_ITS_WAY: Final = {errno.EINPROGRESS, errno.EWOULDBLOCK, getattr(errno, "WSAEWOULDBLOCK", 0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Where watchers and the processes that they watch meet."""

    #: A directory of the user that runs both, with mode 0700. "" is a directory in the system's
    #: directory for temporary files, which is made when it is first needed.
    directory: str = ""


register_section("WATCH", Watch)


def get_settings() -> Watch:
    """The settings as they are now."""
    return get_config().room(Watch)


class RefusedError(Exception):
    """A directory or file is not private to the user of this process; the text says why."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the watchers of this project are found."""

    home: Path  # the directory for all projects of this user
    project: Path  # the directory for this project

    def prepare(self) -> None:
        """Make both directories if they are missing. Raises RefusedError or OSError."""
        for directory in (self.home, self.project):
            directory.mkdir(mode=0o700, parents=directory is self.home, exist_ok=True)
            require_private(directory, stat.S_ISDIR, "a directory")

    def watchers(self) -> list[Path]:
        """What watchers have put here. Raises RefusedError if other users may write here too."""
        try:
            names = os.listdir(self.project)  # noqa: PTH208 - asked every second: nothing slower
        except (FileNotFoundError, NotADirectoryError):
            return []
        for directory in (self.home, self.project):
            require_private(directory, stat.S_ISDIR, "a directory")
        found = [name for name in names if _is_watcher(name)]
        return [self.project / name for name in sorted(found)[:MOST_WATCHERS]]


def place() -> Place:
    """The place of this project, given by the user and by the module and file of its settings."""
    home = Path(get_settings().directory or _home())
    return Place(home, home / _key())


def _is_watcher(name: str) -> bool:
    return not name.startswith(".") and name.endswith((SOCKET, ADDRESS))


def require_private(path: Path, is_kind: object, kind: str) -> None:
    """Raise RefusedError unless the path is of this kind and belongs only to this user."""
    found = path.lstat()
    if not callable(is_kind) or not is_kind(found.st_mode):
        raise RefusedError(f"{path} is not {kind}.")
    if not _HAS_OWNERS:
        return
    if found.st_uid != os.getuid():
        raise RefusedError(f"{path} belongs to user {found.st_uid}, not to {os.getuid()}.")
    # The mode of a socket has no meaning on some systems: its directory's mode counts.
    if not stat.S_ISSOCK(found.st_mode) and found.st_mode & _OTHERS:
        mode = stat.S_IMODE(found.st_mode)
        raise RefusedError(
            f"{path} is accessible to other users (mode {mode:04o}). Make it accessible to its "
            "owner only."
        )


def _home() -> Path:
    """The default directory: in /tmp if possible, not in XDG_RUNTIME_DIR or TMPDIR.

    These variables differ in a server that another program has started.
    """
    if not _HAS_OWNERS:
        return Path(tempfile.gettempdir(), "signal-inspector")
    shared = Path("/tmp")  # noqa: S108 - what is made in it is private, and checked to be
    parent = shared if shared.is_dir() else Path(tempfile.gettempdir())
    return parent / f"signal-inspector-{os.getuid()}"


def _key() -> str:
    """A key that is the same for all processes that run this project from this directory."""
    module = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    path = getattr(sys.modules.get(module), "__file__", None) or str(Path.cwd())
    words = f"{module}\0{os.path.realpath(path)}"
    return hashlib.sha256(words.encode(errors="surrogatepass")).hexdigest()[:16]


def project_words() -> str:
    """The name of the project, to show to a person."""
    return os.environ.get("DJANGO_SETTINGS_MODULE", "") or str(Path.cwd())


def hello(pid: int, process: str, token: str = "") -> bytes:
    """The message that says which process is sending."""
    return _line({"hello": {"v": VERSION, "pid": pid, "process": process, "token": token}})


def welcome(answer: str) -> bytes:
    """The message that proves the watcher to be the one whose address was read."""
    return _line({"welcome": {"v": VERSION, "answer": answer}})


def lost(count: int) -> bytes:
    """The message that this many dispatches were not sent."""
    return _line({"lost": count})


def dispatch_line(dispatch: Dispatch, process: str) -> bytes | None:
    """A dispatch as JSON without call stack and SQL; None if it is still too long.

    ``process`` is what ``display.text.process`` returns. If more was left out because of the
    length, ``shortened`` in the context says so.
    """
    data = dispatch.as_dict()
    data.pop("stack", None)
    for call in data["calls"]:
        call.pop("queries", None)
    line = _line(document(data, process=process))
    return line if len(line) <= LONGEST else _shortened(data, process)


def _shortened(data: dict[str, Any], process: str) -> bytes | None:
    message = document(data, process=process, shortened=True)
    data.pop("payload", None)
    data.pop("payload_dropped", None)
    line = _line(message)
    if len(line) > LONGEST:
        for call in data["calls"]:
            call.pop("response", None)
            if "failure" in call:
                call["failure"].pop("traceback", None)
        line = _line(message)
    if len(line) > LONGEST:
        data["calls"] = data["calls"][:_CALLS]
        data.pop("not_called", None)
        line = _line(message)
    return line if len(line) <= LONGEST else None


def _line(message: dict[str, Any]) -> bytes:
    # In ASCII, because text may contain lone surrogates, which UTF-8 cannot encode.
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def read(line: bytes) -> dict[str, Any]:
    """Read a message. Raises ValueError if the line is not one."""
    try:
        # What is read here may be written as JSON again, which has no NaN and no infinity.
        message = json.loads(line, parse_constant=str, parse_float=_float)
    except (ValueError, RecursionError) as error:
        raise ValueError("not a message") from error
    if not isinstance(message, dict) or _is_deep(message):
        raise ValueError("not a message")
    return message


def _float(text: str) -> float | str:
    number = float(text)
    return number if isfinite(number) else text


def _is_deep(message: dict[str, Any]) -> bool:
    """Whether it may be nested too deeply to be written again."""
    level: list[Any] = [message]
    for _ in range(_DEEPEST):
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


class GoneError(Exception):
    """No watcher listens there anymore."""


class Line:
    """Sends lines to a watcher in order, as soon as the watcher can receive them."""

    def __init__(self, path: Path, process: str) -> None:
        """Connect. Raises GoneError, RefusedError or OSError; BlockingIOError: try again later."""
        self._lock = RLock()
        self._queue: deque[memoryview] = deque()
        self._waiting = 0  # bytes in the queue
        self._lost = 0
        self._answer = ""  # the answer to wait for before anything but the hello is sent
        self._heard = b""
        self._deadline = monotonic() + _PATIENCE
        self.is_closed = False
        opens = self._open_port if path.suffix == ADDRESS else self._open_socket
        token = opens(path)
        self._greeting: deque[memoryview] = deque([memoryview(hello(os.getpid(), process, token))])

    def _open_socket(self, path: Path) -> str:
        require_private(path, stat.S_ISSOCK, "a socket")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connect(str(path))
        return ""

    def _open_port(self, path: Path) -> str:
        require_private(path, stat.S_ISREG, "a file")
        with path.open("rb") as file:
            address = json.loads(file.read(_ADDRESS_LENGTH))
        self._answer = str(address["answer"])
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._connect(("127.0.0.1", int(address["port"])))
        return str(address["token"])

    def _connect(self, address: Any) -> None:
        self.socket.setblocking(False)
        code = self.socket.connect_ex(address)
        if code == 0 or (self._answer and code in _ON_ITS_WAY):
            return
        self.socket.close()
        if code in _GONE:
            raise GoneError
        raise OSError(code, os.strerror(code))  # for errno.EAGAIN, this is a BlockingIOError

    @property
    def has_waiting(self) -> bool:
        """Whether there is something that the watcher has not received yet."""
        return not self.is_closed and bool(self._queue or self._greeting)

    @property
    def waits_to_hear(self) -> bool:
        """Whether the watcher has to answer first."""
        return bool(self._answer) and not self._greeting

    def offer(self, line: bytes | None) -> None:
        """Send a line, now or as soon as possible; None counts as a lost dispatch."""
        with self._lock:
            if self.is_closed:
                return
            self._pump()
            if line is None or self._waiting + len(line) > MOST_WAITING:
                self._lost += 1
                return
            if self._lost:
                self._add(lost(self._lost))
                self._lost = 0
            self._add(line)
            self._pump()

    def pump(self) -> None:
        """Continue sending."""
        with self._lock:
            if not self.is_closed:
                self._pump()

    def look(self) -> None:
        """Check whether the watcher has gone, and tell it how many dispatches were lost."""
        with self._lock:
            if self.is_closed:
                return
            self._hear()
            self._pump()
            if self._lost and not self._queue:
                self._add(lost(self._lost))
                self._lost = 0
                self._pump()

    def close(self) -> None:
        """Disconnect from the watcher; in a forked child, the parent stays connected."""
        self.is_closed = True
        with contextlib.suppress(OSError):
            self.socket.close()

    def forget(self) -> None:
        """Close in a forked child, where a thread of the parent may have held the lock."""
        self._lock = RLock()
        self.close()

    def _add(self, line: bytes) -> None:
        self._queue.append(memoryview(line))
        self._waiting += len(line)

    def _pump(self) -> None:
        self._flush(self._greeting)
        if self._answer and not self._greeting:
            self._hear()
        if not self._answer and not self._greeting:
            self._waiting -= self._flush(self._queue)

    def _flush(self, queue: deque[memoryview]) -> int:
        """Send as much as the watcher can receive now; return the number of bytes."""
        taken = 0
        while queue and not self.is_closed:
            try:
                sent = self.socket.send(queue[0], _QUIETLY)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                internal_errors.let_through(error)
                if error.errno != errno.ENOTCONN or monotonic() > self._deadline:
                    self.close()
                break
            taken += sent
            if sent == len(queue[0]):
                queue.popleft()
            else:
                queue[0] = queue[0][sent:]
        return taken

    def _hear(self) -> None:
        """Read what the watcher sends: its answer, and after that nothing until it ends."""
        if self._answer and monotonic() > self._deadline:
            self.close()
            return
        try:
            heard = self.socket.recv(4_096)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            internal_errors.let_through(error)
            if error.errno != errno.ENOTCONN:
                self.close()
            return
        if not heard:
            self.close()
        elif self._answer:
            self._heard += heard
            if b"\n" in self._heard or len(self._heard) > _ADDRESS_LENGTH:
                self._check_answer()

    def _check_answer(self) -> None:
        try:
            said = read(self._heard.split(b"\n", 1)[0])["welcome"]["answer"]
            is_right = hmac.compare_digest(str(said).encode(), self._answer.encode())
        except (ValueError, KeyError, TypeError):
            is_right = False
        if is_right:
            self._answer = ""
        else:  # another program uses the port by now
            self.close()
