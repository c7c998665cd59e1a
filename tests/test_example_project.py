"""The example shop: its own tests, and a start from nothing, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.programs

ROOT = Path(__file__).resolve().parent.parent


def manage(data_dir: Path, *arguments: str, **environment: str) -> str:
    """Run a command of the shop, with warnings as errors; returns what it printed."""
    own = {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, "-W", "error", "example_project/manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **own, "SHOP_DATA_DIR": str(data_dir), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


@pytest.mark.parametrize("bare", ["0", "1"], ids=["inspected", "bare"])
def test_the_shops_own_tests_pass(tmp_path: Path, bare: str) -> None:
    """The shop behaves in the same way with the inspector and without it."""
    printed = manage(tmp_path, "test", SHOP_WITHOUT_INSPECTOR=bare)
    ran = re.search(r"^Ran (\d+) tests", printed, re.MULTILINE)
    assert ran is not None, printed
    assert int(ran[1]) >= 50, printed


def test_a_start_from_nothing(tmp_path: Path) -> None:
    """migrate and demo_data fill an empty directory, and demo_data may run twice."""
    manage(tmp_path, "migrate", "--verbosity", "0")
    for _ in range(2):
        assert "The shop is filled." in manage(tmp_path, "demo_data")
    assert (tmp_path / "db.sqlite3").exists()
    dispatches = exported(tmp_path)
    placed = [each for each in dispatches if each["signal"] == "shop.signals.order_placed"]
    outcomes = ["rolled back", "committed", "committed", "committed"]
    assert [each["transaction_outcome"] for each in placed] == outcomes
    assert {each["origin_name"] for each in dispatches} == {"manage.py demo_data"}


def exported(data_dir: Path) -> list[dict[str, Any]]:
    """The audit of a shop, each dispatch with its context, the oldest first."""
    file = data_dir / "audit.jsonl"
    manage(data_dir, "signal_audit", "export", "--output", str(file))
    lines = file.read_text().splitlines()
    return [{**each["dispatch"], **each["context"]} for each in map(json.loads, lines)]


def test_nothing_to_complain_about(tmp_path: Path) -> None:
    """Django's checks, the toolbar's and the audit's find nothing, and no migration is missing.

    What those of signals find is on purpose: see tests/checks/test_real_projects.py.
    """
    told = re.findall(r"\((\w+)\.[A-Z]\d+\)", manage(tmp_path, "check"))
    assert set(told) == {"signal_inspector"}
    assert "No changes detected" in manage(tmp_path, "makemigrations", "--check", "--dry-run")
