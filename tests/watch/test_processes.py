"""Real servers, and a real terminal beside them."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.tracing.processes import ask, serving
from tests.watch.conftest import until
from tests.watch.terminals import Terminal, environment, terminal

pytestmark = pytest.mark.programs

SIGNALS = "tests.tracing.project.signals"
GUNICORN = ["-m", "gunicorn", "--bind", "fd://{fd}", "--log-level", "warning"]
WSGI = "django.core.wsgi:get_wsgi_application()"
UVICORN = ["-m", "uvicorn", "--fd", "{fd}", "--log-level", "warning", "--lifespan", "off"]
ASGI = ["--factory", "django.core.asgi:get_asgi_application"]


def by_process(watcher: Terminal, name: str, since: datetime) -> Counter[str]:
    """How many dispatches of one signal came from which process. Their token is redacted."""
    ids = [each["id"] for each in watcher.dispatches]
    assert len(ids) == len(set(ids))
    return Counter(
        each["process"].removeprefix("pid ").partition(",")[0]
        for each in sent_since(watcher, since)
        if each["signal"] == f"{SIGNALS}.{name}"
    )


def sent_since(watcher: Terminal, since: datetime) -> list[dict[str, Any]]:
    """What came of what was sent from then on."""
    return [
        each for each in watcher.dispatches if datetime.fromisoformat(each["started_at"]) >= since
    ]


def calls(watcher: Terminal) -> int:
    """How many processes have called the watcher."""
    return sum("has connected" in line for line in list(watcher.said))


@pytest.mark.parametrize("options", [(), ("--preload",), ("--threads", "4")], ids=" ".join)
def test_gunicorn(options: tuple[str, ...], tmp_path: Path, home: Path) -> None:
    """Each dispatch of two workers arrives once, from the worker that sent it."""
    env = environment(tmp_path, home)
    served: Counter[str] = Counter()
    with (
        serving([*GUNICORN, "--workers", "2", *options, WSGI], env) as url,
        terminal("--json", env=env) as watcher,
    ):
        # While one thread calls the watcher, what the others send is not seen yet.
        until(lambda: bool(ask([f"{url}/place/first"] * 16)) and calls(watcher) == 2)
        since = datetime.now(UTC)
        while len(served) < 2:
            served.update(map(str, ask([f"{url}/place/order"] * 16)))
        watcher.wait(lambda: len(sent_since(watcher, since)) >= 2 * served.total())
        assert watcher.end() == 0
    placed = by_process(watcher, "placed", since)
    assert placed == by_process(watcher, "counted", since) == served
    summary = watcher.said[-1]
    assert f"{len(watcher.lines)} dispatches" in summary
    assert "from 2 processes" in summary
    failed = sum(each["signal"] == f"{SIGNALS}.placed" for each in watcher.dispatches)
    assert f"{failed} failed" in summary
    assert not list(home.rglob("*.sock"))


def test_uvicorn(tmp_path: Path, home: Path) -> None:
    """Async receivers arrive too, and what they sent stands below them."""
    env = environment(tmp_path, home, COLUMNS="100")
    with serving([*UVICORN, *ASGI], env) as url, terminal("--no-color", env=env) as watcher:
        assert ask([f"{url}/ship/a{number}" for number in range(3)])
        watcher.wait(lambda: sum(f"{SIGNALS}.shipped" in line for line in watcher.lines) == 3)
        watcher.wait(lambda: sum(f"→ ✓ {SIGNALS}.counted" in line for line in watcher.lines) == 3)
        assert watcher.end(signal.SIGTERM) == 0
    text = "".join(watcher.lines)
    assert f"  ✓ {SIGNALS}.announce  async" in text
    assert "asend_robust from None" in text
    assert max(len(line.rstrip("\n")) for line in watcher.lines) <= 100


def test_watchers_come_and_go(tmp_path: Path, home: Path) -> None:
    """A server that runs is found by who comes later; one that is killed is forgotten."""
    env = environment(tmp_path, home)
    with serving([*GUNICORN, WSGI], env) as url:
        assert ask([f"{url}/place/before"])
        with terminal("--json", env=env) as first:
            until(lambda: bool(ask([f"{url}/place/first"]) and first.lines))
            first.kill()
            assert len(list(home.rglob("*.sock"))) == 1
        assert ask([f"{url}/place/nobody"])
        with terminal("--json", "--signal", "placed", "--failures", env=env) as second:
            assert len(list(home.rglob("*.sock"))) == 1
            until(lambda: bool(ask([f"{url}/place/second"]) and second.lines))
            assert second.end() == 0
    assert {each["payload"]["token"]["kind"] for each in second.dispatches} == {"redacted"}
    assert not {each["id"] for each in first.dispatches} & {
        each["id"] for each in second.dispatches
    }
    assert {each["signal"] for each in second.dispatches} == {f"{SIGNALS}.placed"}
    assert not list(home.rglob("*.sock"))


def test_hint_when_nothing_comes(tmp_path: Path, home: Path) -> None:
    """Who sees nothing for a while is told where processes are looked for."""
    with terminal(env=environment(tmp_path, home)) as watcher:
        watcher.wait(lambda: any(str(home) in line for line in watcher.said))
        assert watcher.end() == 0
    assert watcher.said[-1].startswith("0 dispatches in ")
