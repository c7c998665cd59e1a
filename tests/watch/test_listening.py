"""The watcher's side: where it listens, and what it makes of what comes in."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from signal_inspector.watch import wire
from signal_inspector.watch.listening import Listener
from signal_inspector.watch.wire import Place, RefusedError, place
from tests.watch.conftest import heard


def call(listener: Listener) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(str(listener.path))
    return connection


def test_private(meeting: Place, listener: Listener) -> None:
    """Only the user of the process gets at it."""
    for path, mode in ((meeting.home, 0o700), (meeting.project, 0o700), (listener.path, 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_leaves_nothing_behind(meeting: Place) -> None:
    """After its end there is no file left."""
    with Listener(meeting) as listener:
        assert list(meeting.project.iterdir()) == [listener.path]
    assert list(meeting.project.iterdir()) == []


@pytest.mark.parametrize("by_port", [False, True])
def test_cleans_after_those_that_were_killed(meeting: Place, by_port: bool) -> None:
    """A watcher takes away what others left, and leaves those that listen."""
    dead = Listener(meeting, by_port=by_port)
    dead._socket.close()
    with Listener(meeting) as alive, Listener(meeting) as listener:
        assert set(meeting.project.iterdir()) == {alive.path, listener.path}


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_open_directory(meeting: Place, home: Path, mode: int) -> None:
    """A directory that others may enter is refused, with its name and mode."""
    home.chmod(mode)
    with pytest.raises(RefusedError, match=f"{home}.*{mode:04o}"):
        Listener(meeting)
    home.chmod(0o700)


def test_link_in_place_of_the_directory(home: Path, settings: Any) -> None:
    """A link is refused, wherever it leads."""
    link = home / "link"
    (home / "real").mkdir(mode=0o700)
    link.symlink_to(home / "real")
    settings.SIGNAL_INSPECTOR = {"WATCH": {"DIRECTORY": str(link)}}
    with pytest.raises(RefusedError, match="not a directory"):
        Listener(place())


def test_directory_of_another_user(meeting: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's directory is refused, though this one might write there."""
    monkeypatch.setattr(os, "getuid", lambda: 12_345)
    with pytest.raises(RefusedError, match="belongs to user"):
        Listener(meeting)


def test_long_path(home: Path, settings: Any) -> None:
    """Where the path is too long for a socket, it listens on a port."""
    long = home / ("x" * 120)
    settings.SIGNAL_INSPECTOR = {"WATCH": {"DIRECTORY": str(long)}}
    with Listener(place()) as listener:
        assert listener.path.suffix == ".tcp"


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\n",
        b"\xff\xfe\n",
        b"[]\n",
        b'{"hello":1}\n',
        b'{"hello":{"v":999,"pid":1}}\n',
        b'{"dispatch":{}}\n',
        b'{"lost":1}\n',
        b"[" * 100_000 + b"\n",
        b"x" * (wire.LONGEST + 2),
        wire.hello(1, "x") + b'{"dispatch":[]}\n',
        wire.hello(1, "x") + b'{"lost":"a"}\n',
        wire.hello(1, "x") + b'{"lost":true}\n',
        wire.hello(1, "x") + b'{"lost":1%s}\n' % (b"0" * 400),
        wire.hello(1, "x") + b'{"what":1}\n',
        wire.hello(1, "x") + b'{"dispatch":{},"x":%s1%s}\n' % (b"[" * 200, b"]" * 200),
        b'{"hello":{"v":1,"pid":%s1%s,"process":"x"}}\n' % (b'{"":' * 200, b"}" * 200),
    ],
)
def test_what_is_no_message(meeting: Place, said: bytes) -> None:
    """Who sends anything else is let go of, and the others are heard as before."""
    with Listener(meeting) as listener, call(listener) as good, call(listener) as bad:
        bad.settimeout(10)
        good.sendall(wire.hello(2, "good"))
        bad.setblocking(False)
        sent = 0
        found: list[Any] = []

        def come(messages: list[Any]) -> bool:
            nonlocal sent
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                sent += bad.send(said[sent:]) if sent < len(said) else 0
            return {"unreadable", "hello"} <= {message.kind for message in messages}

        found = heard(listener, come)
        assert "pid 2, good" in {message.process for message in found}
        good.sendall(b'{"lost":3}\n')
        assert heard(listener, bool)[0].content == 3
        assert listener.processes == 1


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_no_number_that_json_lacks(number: str) -> None:
    """What is read may be written again, so that such a number becomes its text."""
    assert wire.read(b'{"a":[0.5,%s]}' % number.encode()) == {"a": [0.5, number]}


def test_token(meeting: Place) -> None:
    """By a port nobody is heard who does not know the token of the file."""
    with Listener(meeting, by_port=True) as listener:
        address = json.loads(listener.path.read_text())
        for token, kind in (("guess", "unreadable"), (address["token"], "hello")):
            with socket.create_connection(("127.0.0.1", address["port"])) as connection:
                connection.sendall(wire.hello(1, "x", token))
                assert heard(listener, bool)[0].kind == kind


def test_names_of_processes_are_short(meeting: Place) -> None:
    """A name is cut, whoever sends it."""
    with Listener(meeting) as listener, call(listener) as connection:
        connection.sendall(wire.hello(1, "x" * 10_000))
        assert len(heard(listener, bool)[0].process) <= 200


def test_project_by_its_settings(home: Path, settings: Any, monkeypatch: Any) -> None:
    """Two projects do not meet, and one does, wherever its processes are started."""
    settings.SIGNAL_INSPECTOR = {"WATCH": {"DIRECTORY": str(home)}}
    here = place()
    monkeypatch.chdir(home)
    assert place() == here
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.tracing.project.settings")
    assert place().project != here.project
