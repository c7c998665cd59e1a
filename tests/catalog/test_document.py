"""docs/catalog.md: its examples are what the commands print, its tables what the code knows."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class

from signal_inspector.catalog import Standing, State
from signal_inspector.catalog.snapshots import parse
from tests.test_example_project import ROOT, manage

TEXT = (ROOT / "docs" / "catalog.md").read_text()
SHOP = ROOT / "example_project"
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLAIN = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sessions() -> list[tuple[list[str], str]]:
    """The arguments of each command of the document, and what it prints there."""
    found = []
    for block in _CONSOLE.findall(TEXT):
        first, _, printed = block.partition("\n")
        found.append((first.removeprefix("$ python manage.py ").split(), printed))
    return found


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [each for each in sessions() if each[1]],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_examples_print_what_stands_there(
    tmp_path: Path, arguments: list[str], printed: str
) -> None:
    """Run in the example shop, each command prints what the document shows, but for lines."""
    finished = shop(tmp_path, *arguments)
    assert without_lines(finished.stdout) == without_lines(printed)


def without_lines(text: str) -> str:
    """A change of the shop elsewhere in a file is no change of what is told."""
    return re.sub(r"(\.py):\d+", r"\1:LINE", text)


def shop(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that is run where the shop's manage.py is, as a reader would."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=SHOP,
        env=environment(data_dir),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def environment(data_dir: Path) -> dict[str, str]:
    own = {"DJANGO_SETTINGS_MODULE": "config.settings", "SHOP_DATA_DIR": str(data_dir)}
    return {**os.environ, **own, "PYTHONPATH": str(ROOT)}


def test_commands_can_be_typed() -> None:
    """Each command of the document has the options that it is given there."""
    parser = load_command_class("signal_inspector", "signals").create_parser("m", "signals")
    assert len(sessions()) >= 5
    for arguments, _ in sessions():
        assert arguments[0] == "signals"
        assert parser.parse_args(arguments[1:]).subcommand == arguments[1]


@pytest.mark.parametrize("subcommand", ["list", "explain", "snapshot"])
def test_options_are_all_told(subcommand: str) -> None:
    """Every option that --help lists stands in the section of its command."""
    parser = load_command_class("signal_inspector", "signals").create_parser("m", "signals")
    [parts] = [action for action in parser._actions if action.dest == "subcommand"]
    assert isinstance(parts.choices, dict)
    ours = [
        action.option_strings[0]
        for action in parts.choices[subcommand]._actions
        if action.option_strings and action.help not in (None, "==SUPPRESS==")
    ]
    section = TEXT.partition(f"\n## {subcommand.title()}\n")[2].partition("\n## ")[0]
    common = TEXT.partition("\n## List\n")[2].partition("\n## ")[0] + TEXT.partition("## JSON")[2]
    missing = [name for name in ours if name not in section and name not in common]
    assert [name for name in missing if name != "-h"] == []


def test_the_snapshot_of_the_document_is_the_shops() -> None:
    """Each signal that the document shows has the lines that the committed snapshot has."""
    [shown] = [text for text in _PLAIN.findall(TEXT) if text.startswith("# signal snapshot")]
    committed = parse((SHOP / "signals.txt").read_text())
    for signal, lines in parse(shown).signals.items():
        assert committed.signals[signal] == lines


def test_the_change_of_the_document_is_told_so(tmp_path: Path) -> None:
    """From a snapshot that was another one, the command says what the document shows."""
    [shown] = [text for text in _PLAIN.findall(TEXT) if "is out of date" in text]
    text = (SHOP / "signals.txt").read_text()
    log, award = "    shop.receivers.log_order\n", "    loyalty.receivers.award_points\n"
    captured = "payments.signals.payment_captured\n"
    changes = {
        " | sender inventory.models.SeasonalStockItem": "",
        captured: f"{captured}    accounting.receivers.book\n",
        log + award: award + log,
    }
    for now, before in changes.items():
        assert text.count(now) == 1
        text = text.replace(now, before)
    file = tmp_path / "signals.txt"
    file.write_text(text)
    finished = shop(tmp_path, "signals", "snapshot", "--check", str(file))
    assert finished.returncode == 1
    assert finished.stdout.replace(str(file), "signals.txt") == shown


def test_the_example_of_code_runs(tmp_path: Path) -> None:
    """What explain() says of the shop is what the document asserts."""
    [source] = _PYTHON.findall(TEXT)
    (tmp_path / "example.py").write_text(f"import django\ndjango.setup()\n{source}")
    finished = subprocess.run(
        [sys.executable, str(tmp_path / "example.py")],
        env={**environment(tmp_path), "PYTHONPATH": f"{SHOP}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


def cells(heading: str) -> set[str]:
    """What stands in backticks in the first cells of the table with this head."""
    table = TEXT.partition(f"| {heading} |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_states_and_standings_are_all_told() -> None:
    """The tables have every state of a connection, and every standing of a receiver."""
    assert cells("state") == {state.value for state in State}
    assert cells("standing") == {standing.value for standing in Standing}


def test_keys_of_json_are_all_told(tmp_path: Path) -> None:
    """The tables have every key of both outputs, and no other."""
    listed: dict[str, Any] = json.loads(manage(tmp_path, "signals", "list", "--json"))
    explained: dict[str, Any] = json.loads(
        manage(tmp_path, "signals", "explain", "order_placed", "--json")
    )
    signal = listed["signals"][0]
    called = explained["called"][0]
    assert cells("key of `list`") == set(listed)
    assert cells("key of a signal") == set(signal)
    assert cells("key of a receiver") == set(signal["receivers"][0]) | set(called)
    own = set(explained) - (set(signal) - {"receivers"})
    assert cells("key of `explain`, besides those of a signal") == own
