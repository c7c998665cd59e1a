"""The watcher's side of the connection: what processes send, as families of dispatches.

No input is trusted: the length of a line is limited, and a process that sends anything but a
message is disconnected. Dispatches are read from plain data, filtered, and put under the
dispatches that caused them, although nested dispatches end first, and so arrive first.
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

from signal_inspector.core.record.dispatch import Dispatch, read_document
from signal_inspector.core.record.values import Outcome, of_type
from signal_inspector.display.text import process
from signal_inspector.names import matches
from signal_inspector.watch import wire
from signal_inspector.watch.wire import ADDRESS, SOCKET, Place, RefusedError, require_private

_BACKLOG: Final = 64  # processes that may connect at once
_MOST_SENDERS: Final = 200
_CHUNK: Final = 262_144  # bytes read from one process before it is the next one's turn
_LONGEST_PATH: Final = 100  # bytes of a socket's path: operating systems allow 104 or 108

#: Seconds that a nested dispatch waits for its parent.
PATIENCE: Final = 2.0

_MOST: Final = 5_000  # the most dispatches that wait at the same time
_SHOWN: Final = 20_000  # the most ids of shown dispatches that are remembered


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
            raise ValueError("an unknown message")
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


@dataclass(frozen=True, slots=True)
class Seen:
    """A dispatch, the process that sent it as text, and the JSON it was read from."""

    dispatch: Dispatch
    process: str
    data: dict[str, Any]

    @property
    def has_failed(self) -> bool:
        """Whether a receiver failed, swallowed or not, or the send raised."""
        return self.dispatch.outcome is Outcome.RAISED or bool(self.dispatch.failures)


def read_seen(data: dict[str, Any], process: str = "") -> Seen:
    """Read a document that ``record.dispatch.document`` made; ValueError if it is not one.

    ``process`` is the process that sent it, if known more reliably than from the document.
    """
    dispatch, context = read_document(data)
    return Seen(dispatch, process or str(context.get("process", "")), data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Filters, all of which must match. Globs match whole dotted names, or their last parts."""

    signals: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    failures: bool = False  # only if a receiver failed, or the send raised
    slower_than_ns: int = -1  # only if the dispatch took longer

    def take(self, seen: Seen) -> bool:
        """Whether to show this dispatch."""
        return (
            _matches(self.signals, seen.dispatch.signal)
            and _matches(self.senders, seen.dispatch.sender)
            and (
                not self.receivers
                or any(_matches(self.receivers, call.receiver) for call in seen.dispatch.calls)
            )
            and (not self.failures or seen.has_failed)
            and seen.dispatch.duration_ns > self.slower_than_ns
        )


def _matches(globs: tuple[str, ...], name: str) -> bool:
    return not globs or any(matches(glob, name) for glob in globs)


@dataclass(slots=True)
class Family:
    """A dispatch and the dispatches that its receivers sent, in the order of time."""

    seen: Seen
    children: list[Family] = field(default_factory=list)
    is_alone: bool = False  # it has a parent that is not shown above it

    @property
    def sent_by(self) -> int | None:
        """The index of the parent's receiver call that sent this dispatch."""
        return self.seen.dispatch.parent_call


class Families:
    """``for family in families.add(seen, now): …``; call ``waited(now)`` at intervals."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._waiting: dict[str, list[tuple[float, Seen]]] = {}  # by the id of the parent
        self._ids: set[str] = set()  # of the dispatches that wait
        self._shown: dict[str, None] = {}

    def add(self, seen: Seen, now: float) -> Iterator[Family]:
        """Take a dispatch that has arrived; yield what can be shown now."""
        if not seen.dispatch.parent_id_text:
            yield self._family(seen)
        elif seen.dispatch.parent_id_text in self._shown:
            yield self._family(seen, is_alone=True)
        else:
            self._waiting.setdefault(seen.dispatch.parent_id_text, []).append((now, seen))
            self._ids.add(seen.dispatch.id_text)
            if len(self._ids) > _MOST:
                yield from self.rest()

    def waited(self, now: float) -> Iterator[Family]:
        """Yield dispatches whose parent did not arrive in time: it still runs, or is not seen."""
        for parent, found in list(self._waiting.items()):
            # A dispatch whose parent is waiting as well is shown with the parent.
            if parent in self._ids or parent not in self._waiting:
                continue
            if min(since for since, _ in found) + self._patience <= now:
                yield from self._without(parent)

    def rest(self) -> Iterator[Family]:
        """Yield everything that waits, last those that name each other as their parents."""
        yield from self.waited(float("inf"))
        for parent in list(self._waiting):
            yield from self._without(parent)

    def _without(self, parent: str) -> Iterator[Family]:
        """Yield the dispatches that wait for this parent, by themselves."""
        found = [seen for _, seen in self._waiting.pop(parent, ())]
        self._ids.difference_update(seen.dispatch.id_text for seen in found)
        for seen in sorted(found, key=lambda seen: seen.dispatch.started_at):
            yield self._family(seen, is_alone=True)

    def _family(self, seen: Seen, *, is_alone: bool = False) -> Family:
        """The dispatch with all that wait for it. A loop, because they may be nested deeply."""
        top = Family(seen, is_alone=is_alone)
        todo = [top]
        while todo:
            family = todo.pop()
            self._note_shown(family.seen.dispatch.id_text)
            children = [child for _, child in self._waiting.pop(family.seen.dispatch.id_text, ())]
            self._ids.difference_update(child.dispatch.id_text for child in children)
            children.sort(key=lambda child: child.dispatch.started_at)
            family.children = [Family(child) for child in children]
            todo += family.children
        return top

    def _note_shown(self, id_: str) -> None:
        self._shown[id_] = None
        while len(self._shown) > _SHOWN:
            del self._shown[next(iter(self._shown))]
