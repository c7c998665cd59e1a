"""A proxy before a database server that loses the answer to a COMMIT."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

_SECONDS = 30


class Cutting:
    """Passes everything on, until it is told to cut: then the next COMMIT arrives, and is
    carried out, and its answer is not passed on; the client's connection is closed instead.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._cuts = False
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in self._sockets:
            _close(each)
        for thread in self._threads:
            thread.join(_SECONDS)

    @contextmanager
    def at_commit(self) -> Iterator[None]:
        """Cut at the next COMMIT."""
        self._cuts = True
        try:
            yield
        finally:
            self._cuts = False

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._server, _SECONDS)
            server.settimeout(None)
            self._sockets += [client, server]
            cut = threading.Event()
            self._start(self._up, client, server, cut)
            self._start(self._down, client, server, cut)

    def _up(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        while data := _received(client):
            if self._cuts and data.rstrip(b"\0").endswith(b"COMMIT"):
                cut.set()
            _send(server, data)
        if not cut.is_set():  # else the server is to be heard out
            _close(server)

    def _down(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        while data := _received(server):
            if cut.is_set():
                break
            _send(client, data)
        _close(client)
        _close(server)


def _received(from_: socket.socket) -> bytes:
    try:
        return from_.recv(65_536)
    except OSError:
        return b""


def _send(to: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # the other direction has closed it
        to.sendall(data)


def _close(each: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        each.shutdown(socket.SHUT_RDWR)
    each.close()
