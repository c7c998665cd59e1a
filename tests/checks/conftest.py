"""Worlds and projects for the tests of the checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from signal_inspector.names import forget_names
from tests.checks.worlds import Project, World, forget_modules
from tests.listening import nothing_waits_on


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with nothing_waits_on():
        yield World(tmp_path, monkeypatch)
    forget_modules()
    forget_names()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)
