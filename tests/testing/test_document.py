"""docs/testing.md: its examples run as they stand there, its tables are complete."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from signal_inspector import testing
from signal_inspector.testing import CapturedDispatches
from signal_inspector.testing.assertions import Assertions
from tests.listening import ROOT

TEXT = (ROOT / "docs" / "testing.md").read_text()
EXAMPLES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
MESSAGE = """
from shop.services import Checkout
from shop.signals import order_placed

def test_message(dispatches):
    Checkout(user="grace").place()
    dispatches.assert_sent(order_placed, payload={"user": "grace", "chanel": "web"})
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The shop of the examples, and each example in a file of its own."""
    shutil.copytree(Path(__file__).parent / "project", tmp_path, dirs_exist_ok=True)
    for name, source in EXAMPLES.items():
        (tmp_path / name).write_text(source)
    return tmp_path


def run(project: Path, *arguments: str) -> tuple[int, str]:
    """Run Python in the project; how it ended, and what it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(project), str(ROOT))),
        "DJANGO_SETTINGS_MODULE": "shop.settings",
    }
    finished = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    return finished.returncode, finished.stdout


def run_pytest(project: Path, *arguments: str, more: str = "") -> tuple[int, str]:
    options = f"[pytest]\nasyncio_default_fixture_loop_scope = function\n{more}"
    (project / "pytest.ini").write_text(options)
    return run(project, "-m", "pytest", "-p", "no:cacheprovider", *arguments)


def test_the_examples_pass(project: Path) -> None:
    """Every example passes under pytest, with nothing swallowed, and by the settings it shows."""
    [settings] = re.findall(r"^```ini\n\[pytest\]\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    code, printed = run_pytest(project, *sorted(EXAMPLES), more=settings)
    assert code == 0, printed
    assert "slowest 10 receivers of signals" in printed


def test_the_test_case_passes(project: Path) -> None:
    """The example of Django's test cases passes under its own runner, also in processes."""
    for options in ([], ["--parallel", "2"]):
        code, printed = run(project, "-m", "django", "test", "tests", *options)
        assert code == 0, printed
        assert "Ran 1 test" in printed


def test_the_message_is_as_shown(project: Path) -> None:
    """The message of a failed assertion is that of the document, to the letter."""
    [shown] = re.findall(r"^```\nAssertionError: (.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    (project / "test_message.py").write_text(MESSAGE)
    code, printed = run_pytest(project, "test_message.py")
    assert code == 1
    lines = [line.removeprefix("E").strip() for line in printed.splitlines()]
    start = next(i for i, line in enumerate(lines) if "AssertionError: Expected" in line)
    told = [line.removeprefix("AssertionError: ") for line in lines[start:]]
    expected = [line.strip() for line in shown.splitlines()]
    assert told[: len(expected)] == expected


def test_the_assertions_are_those_of_the_code() -> None:
    """The table of assertions has each of them."""
    told = set(re.findall(r"^\| `(assert_\w+)\(", TEXT, re.MULTILINE))
    assert told == {name for name in vars(Assertions) if name.startswith("assert_")}


@pytest.mark.parametrize("name", testing.__all__)
def test_the_public_names_are_told(name: str) -> None:
    """Each public name is in the document, but for the classes that it describes."""
    described = ("CapturedCall", "CapturedDispatch", CapturedDispatches.__name__)
    assert name in described or f"`{name}" in TEXT or f"{name}(" in TEXT
