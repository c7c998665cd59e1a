"""The sink: idle while nobody watches, and never in the way of what is sent."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.listening.captures import NO_CAPTURES
from signal_inspector.core.record.dispatch import read_document
from signal_inspector.core.record.values import Details
from signal_inspector.watch import WatchSink, wire
from signal_inspector.watch import sink as sinks
from signal_inspector.watch.listening import Listener
from signal_inspector.watch.wire import Place
from tests.listening import Chained
from tests.test_dispatch_schema import SCHEMA, wrong
from tests.watch.conftest import dispatches, heard, look, until

happened = Signal()
caused = Signal()


@pytest.fixture(autouse=True)
def _receivers() -> Any:
    def fail(sender: object, **named: object) -> None:
        raise ValueError("no \x1b[31mstock")

    def send_on(sender: object, **named: object) -> None:
        caused.send(sender=None)

    happened.connect(send_on, weak=False)
    happened.connect(fail, weak=False)
    yield
    happened.disconnect(send_on)
    happened.disconnect(fail)


def test_alone(sink: WatchSink) -> None:
    """With nobody watching it is idle, asks for no details, and nothing is recorded."""
    assert not look(sink)
    happened.send_robust(sender=None, secret="s")
    assert NO_CAPTURES.now().details is Details.NONE
    assert NO_CAPTURES.now().is_choosy
    assert sink.observer_for("s", "x", None, 1) is None  # type: ignore[arg-type]


def test_asks_the_file_system_once_a_second(
    sink: WatchSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is sent, it looks for watchers once in its interval."""
    now = 1_000.0
    looks = []
    monkeypatch.setattr(sinks, "monotonic", lambda: now)
    monkeypatch.setattr(Place, "watchers", lambda self: looks.append(now) or [])
    for _ in range(500):
        happened.send_robust(sender=None)
    assert len(looks) == 1
    now += sinks.INTERVAL
    for _ in range(500):
        happened.send_robust(sender=None)
    assert len(looks) == 2


def test_starts_no_thread(sink: WatchSink, meeting: Place) -> None:
    """Looking and sending happen in the thread of the sender."""
    before = threading.active_count()
    with Listener(meeting) as listener:
        look(sink)
        happened.send_robust(sender=None)
        assert threading.active_count() == before
        assert len(dispatches(listener, 2)) == 2


def test_each_dispatch_arrives(sink: WatchSink, listener: Listener) -> None:
    """The dispatches come with their receivers, failures and arguments, the caused one first."""
    assert look(sink)
    happened.send_robust(sender=None, order=42)
    inner, outer = dispatches(listener, 2)
    assert inner["signal"].endswith(".caused")
    assert inner["parent_id"] == outer["id"]
    assert inner["parent_call"] == 0
    assert [call["outcome"] for call in outer["calls"]] == ["returned", "raised"]
    assert outer["calls"][1]["failure"]["exception_class"] == "ValueError"
    assert outer["payload"]["order"]["value"] == 42
    assert outer["caller"]["function"] == "test_each_dispatch_arrives"
    assert "stack" not in outer


def test_a_line_is_the_json_of_a_dispatch(sink: WatchSink, listener: Listener) -> None:
    """What comes is as the schema says, and its context tells the process."""
    assert look(sink)
    happened.send_robust(sender=None, order=42)
    *_, inner, outer = heard(listener, lambda messages: len(messages) >= 3)
    assert wrong(inner.content, SCHEMA) == wrong(outer.content, SCHEMA) == []
    assert outer.content["context"] == {"process": outer.process}
    dispatch, _ = read_document(outer.content)
    assert dispatch.as_dict() == outer.content["dispatch"]


def test_secrets_are_redacted(sink: WatchSink, listener: Listener) -> None:
    """What the recorder redacts does not leave the process."""
    assert look(sink)
    happened.send_robust(sender=None, password="hunter2")
    _, outer = dispatches(listener, 2)
    assert outer["payload"]["password"]["kind"] == "redacted"
    assert "hunter2" not in str(outer)


def test_says_who_it_is(sink: WatchSink, listener: Listener) -> None:
    """A process says hello before anything else, and its end is noticed."""
    assert look(sink)
    happened.send_robust(sender=None)
    first = heard(listener, lambda messages: len(messages) >= 3)[0]
    assert first.kind == "hello"
    assert first.process.startswith(f"pid {os.getpid()}, ")
    sink.close()
    assert heard(listener, bool)[-1].kind == "bye"


def test_several_watchers(sink: WatchSink, meeting: Place) -> None:
    """Each watcher hears of all; one that goes leaves the others as they were."""
    with Listener(meeting) as one:
        with Listener(meeting) as other:
            assert look(sink)
            happened.send_robust(sender=None)
            assert dispatches(one, 2) == dispatches(other, 2)
        assert look(sink)
        happened.send_robust(sender=None)
        assert len(dispatches(one, 2)) == 2
    assert not look(sink)
    assert NO_CAPTURES.now().details is Details.NONE


def test_watcher_that_was_killed(sink: WatchSink, meeting: Place) -> None:
    """A socket that nobody answers is taken away, and the sink is idle again."""
    listener = Listener(meeting)
    assert look(sink)
    path = listener.path
    listener._socket.close()
    for number in list(listener._senders):
        listener._let_go(number)
    assert path.exists()
    happened.send_robust(sender=None)
    until(lambda: not look(sink))
    assert not path.exists()
    assert internal_errors.counts() == {}


def test_slow_watcher_is_not_waited_for(
    sink: WatchSink, meeting: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a watcher does not take is counted, and told to it when it reads again."""
    monkeypatch.setattr(wire, "MOST_WAITING", 50_000)
    with Listener(meeting) as listener:
        assert look(sink)
        began = time.monotonic()
        for _ in range(1_000):
            happened.send_robust(sender=None, text="x" * 150)
        assert time.monotonic() - began < 60  # it takes a second or two

        def lost(messages: list[Any]) -> int:
            return sum(message.content for message in messages if message.kind == "lost")

        def come(messages: list[Any]) -> int:
            return sum(message.kind == "dispatch" for message in messages)

        def all_told(messages: list[Any]) -> bool:
            look(sink)
            return lost(messages) + come(messages) >= 2_000

        found = heard(listener, all_told)
        assert lost(found) > 0
        assert lost(found) + come(found) == 2_000


def test_large_dispatch_is_shortened(sink: WatchSink, meeting: Place, settings: Any) -> None:
    """One that is too long comes without its arguments, and says so."""
    settings.SIGNAL_INSPECTOR = {
        **settings.SIGNAL_INSPECTOR,
        "LIMITS": {"PAYLOAD_LENGTH": 400_000},
    }
    from tests.listening import listening

    with Listener(meeting) as listener, listening(sink):
        assert look(sink)
        happened.send_robust(sender=None, text="x" * 390_000)
        messages = heard(listener, lambda found: len(found) >= 3)
        (outer,) = [each.content for each in messages if "shortened" in str(each.content)]
        assert outer["context"]["shortened"] is True
        assert "payload" not in outer["dispatch"]
        assert len(outer["dispatch"]["calls"]) == 2
        assert wrong(outer, SCHEMA) == []


def test_many_threads(sink: WatchSink, meeting: Place) -> None:
    """Lines of several threads do not get mixed."""
    with Listener(meeting) as listener:
        assert look(sink)
        threads = [
            threading.Thread(target=lambda: [caused.send(sender=None) for _ in range(50)])
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        assert len(dispatches(listener, 400)) == 400
        for thread in threads:
            thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_child_calls_itself(sink: WatchSink, meeting: Place) -> None:
    """A child has a line and a name of its own, and the parent's go on."""
    with Listener(meeting) as listener:
        assert look(sink)
        caused.send(sender=None)
        dispatches(listener, 1)
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            try:
                caused.send(sender=None)
            finally:
                os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        caused.send(sender=None)
        found = heard(listener, lambda messages: sum(m.kind == "dispatch" for m in messages) >= 2)
        told = [message for message in found if message.kind == "dispatch"]
        for names in (
            [message.process for message in told],
            [message.content["context"]["process"] for message in told],
        ):
            assert {name.split(",")[0] for name in names} == {f"pid {os.getpid()}", f"pid {child}"}


def test_the_process_is_named_once(
    sink: WatchSink, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What names it reads the program's arguments, which takes long in every dispatch."""
    assert look(sink)
    named: list[str] = []
    monkeypatch.setattr(sinks, "process_name", lambda: named.append("x") or "shell")
    caused.send(sender=None)
    caused.send(sender=None)
    dispatches(listener, 2)
    assert named == ["x"]


def test_what_turned_out_to_be_no_dispatch_is_not_sent(
    sink: WatchSink, listener: Listener
) -> None:
    """A method of a signal's own that had nobody to call is no failure of ours either."""
    assert look(sink)
    Chained().send_chained(None, 1)
    caused.send(sender=None)
    found = heard(listener, lambda messages: any(each.kind == "dispatch" for each in messages))
    assert sum(each.kind == "dispatch" for each in found) == 1
    assert internal_errors.counts() == {}


def test_open_directory_is_refused(sink: WatchSink, meeting: Place, home: Path) -> None:
    """Where others may write, a process sends nothing, and says why, once."""
    with Listener(meeting):
        home.chmod(0o777)
        assert not look(sink)
        assert not look(sink)
    assert internal_errors.counts() == {"the directory of watchers": 2}
    happened.send_robust(sender=None)
    home.chmod(0o700)


def test_foreign_files_are_left_alone(sink: WatchSink, meeting: Place) -> None:
    """What is no socket of a watcher is neither opened nor taken away."""
    meeting.prepare()
    file = meeting.project / "1-a.sock"
    file.write_text("")
    link = meeting.project / "2-b.sock"
    link.symlink_to(file)
    (meeting.project / "3-c.tcp").write_text("{}")
    (meeting.project / "3-c.tcp").chmod(0o600)
    (meeting.project / "notes.txt").write_text("")
    assert not look(sink)
    assert internal_errors.counts() == {
        "a foreign file in the directory of watchers": 2,
        "reading the address of a watcher": 1,
    }
    assert len(list(meeting.project.iterdir())) == 4


def test_one_that_cannot_be_called(
    sink: WatchSink, meeting: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watcher that cannot be reached keeps nobody from calling the others."""
    connect = wire.Line._connect
    with Listener(meeting) as one, Listener(meeting) as other:
        first = min(one.path, other.path)

        def refused(self: wire.Line, address: Any) -> None:
            if address == str(first):
                self.socket.close()
                raise PermissionError(13, "no")
            connect(self, address)

        monkeypatch.setattr(wire.Line, "_connect", refused)
        assert look(sink)
        caused.send(sender=None)
        heard_by = other if first == one.path else one
        assert len(dispatches(heard_by, 1)) == 1
    assert internal_errors.counts() == {"connecting to a watcher": 1}


def test_another_program_on_the_port(sink: WatchSink, meeting: Place) -> None:
    """Who does not know the answer gets no dispatch, and no sender waits for it."""
    with Listener(meeting, by_port=True) as listener, socket.create_server(("127.0.0.1", 0)) as s:
        text = listener.path.read_text()
        port = listener._socket.getsockname()[1]
        listener.path.write_text(text.replace(str(port), str(s.getsockname()[1])))
        assert look(sink)
        caused.send(sender=None)
        accepted, _ = s.accept()
        with accepted:
            accepted.settimeout(10)
            said = accepted.recv(10_000)
            assert b"hello" in said
            assert b"dispatch" not in said
            accepted.sendall(b'{"welcome":{"v":1,"answer":"a guess"}}\n')
            until(lambda: all(line.is_closed for line in sink._lines.values()))
            try:
                rest = accepted.recv(10_000)
            except ConnectionError:
                rest = b""
            assert rest == b""


def test_failure_of_ours_is_reported(sink: WatchSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while looking costs the watcher alone."""

    def broken(self: Place) -> list[Path]:
        raise PermissionError(13, "no")

    monkeypatch.setattr(Place, "watchers", broken)
    assert not look(sink)
    assert [type(r) for _, r in happened.send_robust(sender=None)] == [type(None), ValueError]
    assert internal_errors.counts() == {"looking for watchers": 1}


def test_recorded_by_others_too(sink: WatchSink, meeting: Place) -> None:
    """A capture() beside it changes nothing of what the watcher sees."""
    from signal_inspector import capture

    with Listener(meeting) as listener, capture() as captured:
        assert look(sink)
        caused.send(sender=None, name="a")
        (seen,) = dispatches(listener, 1)
        assert [str(each.id) for each in captured] == [seen["id"]]
        assert "stack" not in seen
