"""docs/graph.md: its examples print what stands there, its tables name what the code knows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from django.dispatch import Signal

from signal_inspector.core import registry
from signal_inspector.graph import as_json, building, model
from signal_inspector.graph.building import project_graph
from signal_inspector.graph.model import Known
from signal_inspector.management.signals.graph import FORMATS
from tests.graph.graphs_made import cascade

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "docs" / "graph.md").read_text(encoding="utf-8")
_CONSOLE = re.compile(
    r"^```console\n\$ python manage.py (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FIRST_CELLS = re.compile(r"^\| `(-*\w[\w-]*)[^|]*\|", re.MULTILINE)


def section(heading: str) -> str:
    """The text from a heading to the next one of its kind."""
    return re.split(r"^#+ ", TEXT.partition(f"\n{heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[
        0
    ]


@pytest.mark.programs
@pytest.mark.parametrize(("arguments", "printed"), _CONSOLE.findall(TEXT))
def test_the_commands_print_what_stands_there(
    tmp_path: Path, arguments: str, printed: str
) -> None:
    """Run in the example shop, each command prints what the document shows, or writes its file."""
    words = arguments.replace("--output ", f"--output {tmp_path}/").split()
    environment = {key: it for key, it in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT / "example_project",
        env=environment | {"SHOP_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed
    if "--output" in words:
        assert (tmp_path / "signals.html").read_text().startswith("<!DOCTYPE html>")


def test_the_python_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both run, and what they say is registered is asked."""
    monkeypatch.setattr(registry, "_sent_on", {})
    order_placed, stock_low = Signal(), Signal()

    def passes_on(**kwargs: Any) -> None:
        stock_low.send(None)

    order_placed.connect(passes_on)
    capturing, drawing = _PYTHON.findall(TEXT)
    exec(capturing, {"order_placed": order_placed})
    assert [it.receiver.rpartition(".")[2] for it in registry.sent_on()] == ["passes_on"]
    names: dict[str, Any] = {}
    exec(drawing, names)
    assert names["text"].startswith("flowchart LR")
    assert len(names["loops"]) == len(project_graph(recorded=False).cycles)


def test_the_options_are_those_of_the_command() -> None:
    """Every option has a row, and every row is an option."""
    parser = load_command_class("signal_inspector", "signals").create_parser(
        "manage.py", "signals"
    )
    [parts] = [action for action in parser._actions if action.dest == "subcommand"]
    known = {
        option
        for action in parts.choices["graph"]._actions  # type: ignore[index]
        for option in action.option_strings
        if option.startswith("--") and action.help != "==SUPPRESS==" and option != "--help"
    }
    told = set(_FIRST_CELLS.findall(TEXT.partition("## How to read it")[0]))
    assert {each for each in told if each.startswith("--")} == known
    assert {each for each in told if not each.startswith("--")} == set(FORMATS)


def test_the_json_is_told_in_full() -> None:
    """Every list has a row, and the ways in which sending on is known are told."""
    lists = {key for key, value in as_json(cascade()).items() if isinstance(value, list)}
    assert set(_FIRST_CELLS.findall(section("## JSON"))) == lists
    told = set(_FIRST_CELLS.findall(section("## How it is known")))
    assert told == {known.value for known in Known}


def test_the_example_has_every_field() -> None:
    """The JSON that is shown has the fields of the records, and nothing else."""
    shown = json.loads(_CONSOLE.findall(TEXT)[-1][1])
    for key, record, more in (
        ("signals", model.SignalNode, set()),
        ("functions", model.Function, set()),
        ("receives", model.Receiving, {"is_cyclic"}),
        ("sends_on", model.SendingOn, {"is_cyclic"}),
    ):
        assert set(shown[key][0]) == {field.name for field in fields(record)} | more


def test_the_number_of_calls_is_the_code_s() -> None:
    """The document says how far calls are followed."""
    words = {8: "eight"}
    assert f"at most {words[building.MOST_CALLS]} calls" in TEXT
