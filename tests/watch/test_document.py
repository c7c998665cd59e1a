"""docs/watch.md: its examples run, and its tables say what the code does."""

from __future__ import annotations

import argparse
import re
from typing import Any

import pytest

from signal_inspector.conf import config_problems
from signal_inspector.core.listening.sinks import load_sinks
from signal_inspector.management.signals import watch
from signal_inspector.watch import WatchSink, sink, terminal, watcher, wire
from signal_inspector.watch.listening import PATIENCE
from signal_inspector.watch.terminal import cells
from tests.tracing.processes import ROOT

TEXT = (ROOT / "docs" / "watch.md").read_text()
EXAMPLES = re.findall(
    r"^```python\n# shop/settings\.py\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
)
[SESSION] = re.findall(
    r"^```\n(\$ python manage.py signals watch\n.*?)^```$", TEXT, re.MULTILINE | re.DOTALL
)


def parser() -> Any:
    made: Any = argparse.ArgumentParser()
    watch.Watch.add_arguments(made)
    return made


@pytest.mark.parametrize("source", EXAMPLES)
def test_settings(source: str) -> None:
    """The settings of the document are right, and name the sink."""
    defined: dict[str, Any] = {}
    exec(source, defined)
    settings = defined["SIGNAL_INSPECTOR"]
    assert config_problems(settings) == []
    [made] = load_sinks(settings["SINKS"])
    assert isinstance(made, WatchSink)


def test_options() -> None:
    """Every option is in the table, and none that there is not."""
    named = set(re.findall(r"^\| `(--[a-z-]+)", TEXT, re.MULTILINE))
    known = {action.option_strings[-1] for action in parser()._actions if action.dest != "help"}
    assert named == known


def test_signs() -> None:
    """The table of signs is that of the code."""
    told = re.findall(r"^\| (\S) \| ", TEXT, re.MULTILINE)
    outcomes = ("ok", "raised", "swallowed", "skipped", "cancelled", "orphan", "running")
    assert told == [terminal._SIGNS[outcome][0] for outcome in outcomes]


def test_session() -> None:
    """The session that is shown fits into 80 columns, and shows no sign that is not explained."""
    shown = SESSION.splitlines()
    assert max(map(cells, shown)) <= 80
    rows = [line for line in shown if re.search(r"  (?:< )?\d+\.\d ms$", line)]
    assert len(rows) == 7
    assert len({cells(row) for row in rows}) == 1


def test_numbers() -> None:
    """Times and sizes are those of the code."""
    assert (wire.MOST_WAITING, sink.INTERVAL, PATIENCE, watcher._HINT) == (2_000_000, 1, 2, 10)
    for words in ("2 MB", "once a second", "two seconds", "ten seconds"):
        assert words in " ".join(TEXT.split())


def test_example_of_filters() -> None:
    """The command line that is shown can be read."""
    [given] = re.findall(r"^python manage.py signals watch (.*?) \|", TEXT, re.MULTILINE)
    options = parser().parse_args(given.split())
    assert (options.failures, options.json) == (True, True)
