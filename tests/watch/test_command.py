"""``signals watch``: which way it takes, and what it says where there is none."""

from __future__ import annotations

import argparse
import io
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from signal_inspector.core import registry
from signal_inspector.management.signals import watch
from signal_inspector.watch import WatchSink
from signal_inspector.watch.wire import Place
from tests.listening import listening


class Empty:
    """A source of nothing, which is interrupted at once."""

    interval = 1.0
    closed = 0

    def __init__(self, asked: registry.Asked) -> None:
        self.asked = asked

    def look(self) -> list[dict[str, Any]]:
        raise KeyboardInterrupt

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[registry.Asked]:
    """What the source in place of the audit was asked for."""
    asked: list[registry.Asked] = []

    def opens(wanted: registry.Asked) -> Empty:
        asked.append(wanted)
        return Empty(wanted)

    monkeypatch.setattr(registry, "_watch_sources", {"audit": opens})
    monkeypatch.setattr(Empty, "closed", 0)
    return asked


def run(*options: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("signals", "watch", *options, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_nothing_to_watch_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the sink and without the audit it says what to add to the settings."""
    monkeypatch.setattr(registry, "_watch_sources", {})
    with pytest.raises(CommandError, match=r"signal_inspector\.watch\.WatchSink") as error:
        run()
    assert "signal_inspector.audit" in str(error.value)


def test_socket_without_the_sink(opened: list[registry.Asked]) -> None:
    """The socket that was asked for is not replaced by another way."""
    with pytest.raises(CommandError, match="No process with these settings"):
        run("--via", "socket")
    assert opened == []


def test_audit_that_is_not_installed(meeting: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the audit."""
    monkeypatch.setattr(registry, "_watch_sources", {})
    with listening(WatchSink()), pytest.raises(CommandError, match="no log to watch"):
        run("--via", "audit")


def test_audit_where_there_is_no_sink(opened: list[registry.Asked]) -> None:
    """Without the sink the log is watched; it ends with a summary, and the source is closed."""
    out, err = run()
    assert out == ""
    assert "Waiting for dispatches in the audit log" in err
    assert err.endswith("0 dispatches in 0 s, 0 failed.\n")
    assert (len(opened), Empty.closed) == (1, 1)


def test_socket_where_there_is_a_sink(
    meeting: Place, opened: list[registry.Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the sink the processes themselves are heard."""
    from signal_inspector.watch.listening import Listener

    def interrupted(self: Listener, seconds: float) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(Listener, "messages", interrupted)
    with listening(WatchSink()):
        _, err = run()
    assert "Waiting for dispatches of tests.settings" in err
    assert opened == []
    assert list(meeting.project.iterdir()) == []


def test_refused_directory(meeting: Place, home: Any) -> None:
    """A directory that others may enter is a clear error, with the setting that helps."""
    home.chmod(0o755)
    with listening(WatchSink()), pytest.raises(CommandError, match="0755") as error:
        run()
    assert '["WATCH"]["DIRECTORY"]' in str(error.value)


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ([], registry.Asked()),
        (["--signal", "shop.*"], registry.Asked(signal="shop.*")),
        (["--signal", "shop.*", "--signal", "b.*"], registry.Asked()),
        (["--signal", "order_placed"], registry.Asked(signal="order_placed")),
        (["--failures"], registry.Asked(failures=True)),
    ],
)
def test_what_the_source_may_leave_out(
    opened: list[registry.Asked], options: list[str], asked: registry.Asked
) -> None:
    """The source is told of filters as far as it can use them."""
    run("--via", "audit", *options)
    assert opened == [asked]


@pytest.mark.parametrize("text", ["-1", "x", "nan", "inf", "1e99"])
def test_no_milliseconds(text: str) -> None:
    """What is no time is refused."""
    with pytest.raises(argparse.ArgumentTypeError, match="not a number of milliseconds"):
        watch._milliseconds(text)


def test_source_that_is_away(
    opened: list[registry.Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again later, and that is said."""
    looks: list[int] = []

    def look(self: Empty) -> list[dict[str, Any]]:
        looks.append(1)
        if len(looks) == 1:
            raise registry.SourceAwayError("The database is unavailable: no route.")
        raise KeyboardInterrupt

    monkeypatch.setattr(Empty, "look", look)
    monkeypatch.setattr(Empty, "interval", 0.01)
    _, err = run("--via", "audit")
    assert "The database is unavailable: no route. Trying again in 0 s." in err
    assert len(looks) == 2
