"""A meeting place of its own for each test, and watchers in the process of the test."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from signal_inspector.watch import WatchSink
from signal_inspector.watch.listening import Listener, Message
from signal_inspector.watch.wire import Place, place
from tests.listening import listening

PATIENCE = 60  # seconds until something that does not come is a failure


@pytest.fixture
def home() -> Iterator[Path]:
    """Short, as the path of a socket has to be."""
    directory = Path(tempfile.mkdtemp(prefix="si-", dir="/tmp"))
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def meeting(home: Path, settings: Any) -> Place:
    """The place where sinks and watchers of this test meet."""
    settings.SIGNAL_INSPECTOR = {"WATCH": {"DIRECTORY": str(home)}}
    return place()


@pytest.fixture
def sink(meeting: Place) -> Iterator[WatchSink]:
    """A sink that looks at every dispatch, and is alone at first."""
    made = WatchSink()
    with listening(made):
        yield made
        made.close()


@pytest.fixture(params=["socket", "port"])
def listener(request: pytest.FixtureRequest, meeting: Place) -> Iterator[Listener]:
    """A watcher, reached in either way."""
    with Listener(meeting, by_port=request.param == "port") as made:
        yield made


def look(sink: WatchSink) -> bool:
    """Have the sink look for watchers now; whether there are any."""
    sink._next_look = 0.0
    return not sink.is_idle()


def heard(listener: Listener, enough: Callable[[list[Message]], bool]) -> list[Message]:
    """What came until that is enough."""
    found: list[Message] = []
    deadline = time.monotonic() + PATIENCE
    while not enough(found):
        assert time.monotonic() < deadline, found
        found += listener.messages(0.05)
    return found


def dispatches(listener: Listener, count: int) -> list[dict[str, Any]]:
    """The next so many dispatches, without what is around them."""

    def told(messages: list[Message]) -> list[dict[str, Any]]:
        return [message.content["dispatch"] for message in messages if message.kind == "dispatch"]

    return told(heard(listener, lambda messages: len(told(messages)) >= count))


def until(happened: Callable[[], bool]) -> None:
    """Wait until something has happened."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)
