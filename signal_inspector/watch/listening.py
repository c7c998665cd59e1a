"""The watcher's side of the connection: listen, and yield what processes send as it arrives.

No input is trusted: the length of a line is limited, and a process that sends anything but a
message is disconnected.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import selectors
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from signal_inspector.core.record.values import of_type
from signal_inspector.display.text import process
from signal_inspector.watch import wire
from signal_inspector.watch.meeting import ADDRESS, SOCKET, Place, RefusedError, require_private

_BACKLOG: Final = 64  # processes that may connect at once
_MOST_SENDERS: Final = 200
_CHUNK: Final = 262_144  # bytes read from one process before it is the next one's turn
_LONGEST_PATH: Final = 100  # bytes of a socket's path: operating systems allow 104 or 108


@dataclass(slots=True, kw_only=True)
class Sender:
    """A process that sends dispatches."""

    socket: socket.socket
    process: str = ""  # "pid 4127, runserver"; "" until it has said hello
    unread: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True, slots=True)
class Message:
    """A message from a process."""

    process: str
    kind: str  # "hello", "dispatch", "lost", "bye", or "unreadable"
    content: Any = None  # the whole line for a dispatch, otherwise the value under the kind


class Listener:
    """``with Listener(place) as listener: for message in listener.messages(0.2): …``"""

    def __init__(self, place: Place, *, by_port: bool | None = None) -> None:
        """Listen. ``by_port``: use TCP; None: only if necessary. RefusedError or OSError."""
        place.prepare()
        self._place = place
        self._selector = selectors.DefaultSelector()
        self._senders: dict[int, Sender] = {}
        self._token = self._answer = ""
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self.path = place.project / f"{name}{SOCKET}"
        is_long = len(os.fsencode(self.path)) > _LONGEST_PATH
        if by_port is None:
            by_port = is_long or not hasattr(socket, "AF_UNIX")
        _clean(place)
        if by_port:
            self.path = self.path.with_suffix(ADDRESS)
            self._listen_on_port()
        else:
            self._listen_on_socket()
        self._socket.setblocking(False)
        self._selector.register(self._socket, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    @property
    def processes(self) -> int:
        """How many processes are connected now."""
        return sum(1 for sender in self._senders.values() if sender.process)

    def close(self) -> None:
        """Stop listening, and remove everything this listener has made."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        for number in list(self._senders):
            self._let_go(number)
        self._selector.close()
        self._socket.close()

    def messages(self, seconds: float) -> Iterator[Message]:
        """Yield the messages that arrive within this time; return early if there are any."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._socket:
                self._accept()
            else:
                yield from self._receive(key.fd)

    def _listen_on_socket(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Under its final name the socket always listens; if it does not, its watcher is dead.
        hidden = self.path.with_name(f".{self.path.name}")
        self._socket.bind(str(hidden))
        hidden.chmod(0o600)
        self._socket.listen(_BACKLOG)
        hidden.rename(self.path)

    def _listen_on_port(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(_BACKLOG)
        self._token, self._answer = secrets.token_hex(16), secrets.token_hex(16)
        port = self._socket.getsockname()[1]
        address = {"port": port, "token": self._token, "answer": self._answer}
        hidden = self.path.with_name(f".{self.path.name}")
        number = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(number, "w") as file:
            json.dump(address, file)
        hidden.rename(self.path)

    def _accept(self) -> None:
        try:
            accepted, _ = self._socket.accept()
        except OSError:  # the process has disconnected already
            return
        if len(self._senders) >= _MOST_SENDERS:
            accepted.close()
            return
        accepted.setblocking(False)
        self._senders[accepted.fileno()] = Sender(socket=accepted)
        self._selector.register(accepted, selectors.EVENT_READ)

    def _let_go(self, number: int) -> None:
        sender = self._senders.pop(number)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sender.socket)
        sender.socket.close()

    def _receive(self, number: int) -> Iterator[Message]:
        sender = self._senders[number]
        try:
            data = sender.socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        sender.unread += data
        *lines, rest = sender.unread.split(b"\n")
        sender.unread = bytearray(rest)
        try:
            for line in lines:
                yield self._read(sender, bytes(line))
            is_message = len(sender.unread) <= wire.LONGEST
        except ValueError:
            is_message = False
        if not is_message:
            yield Message(sender.process, "unreadable")
            data = b""
        if not data:
            self._let_go(number)
            if sender.process:
                yield Message(sender.process, "bye")

    def _read(self, sender: Sender, line: bytes) -> Message:
        message = wire.read(line)
        for kind in ("hello", "dispatch", "lost"):
            if kind in message:
                break
        else:
            raise ValueError("not a known message")
        content = message[kind]
        if kind == "hello":
            self._greet(sender, content)
        elif not sender.process:
            raise ValueError("no hello")
        else:
            of_type(content, int if kind == "lost" else dict, kind)
        return Message(sender.process, kind, message if kind == "dispatch" else content)

    def _greet(self, sender: Sender, content: Any) -> None:
        """Accept the hello of a process; over TCP it must know the token, and gets an answer."""
        if not isinstance(content, dict) or content.get("v") != wire.VERSION:
            raise ValueError("not a hello of this version")
        if self._token:
            given = str(content.get("token", "")).encode(errors="replace")
            if not hmac.compare_digest(given, self._token.encode()):
                raise ValueError("not the token")
            with contextlib.suppress(OSError):  # small enough to be sent at once
                sender.socket.send(wire.welcome(self._answer))
        sender.process = process(str(content.get("process", "")), str(content.get("pid", "?")))


def _clean(place: Place) -> None:
    """Remove what killed watchers have left behind."""
    for path in place.project.glob("[!.]*"):
        if path.suffix not in (SOCKET, ADDRESS):
            continue
        with contextlib.suppress(OSError, RefusedError, ValueError, KeyError, TypeError):
            if not _is_answered(path):
                path.unlink()


def _is_answered(path: Path) -> bool:
    """Whether a watcher still listens there."""
    if path.suffix == SOCKET:
        require_private(path, stat.S_ISSOCK, "a socket")
        probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address: Any = str(path)
    else:
        require_private(path, stat.S_ISREG, "a file")
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        address = ("127.0.0.1", int(json.loads(path.read_bytes())["port"]))
    with probe:
        probe.settimeout(0.5)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return False
        return True
