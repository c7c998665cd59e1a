"""Worlds: packages written for one test, imported, and gone after it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from signal_inspector.core import process_state
from signal_inspector.names import IdentityMap, signals

World = Callable[[dict[str, str]], None]


@pytest.fixture(autouse=True)
def _fresh_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No name is known, nor where any signal was created."""
    monkeypatch.setattr(signals, "_creations", IdentityMap())
    process_state.reset()
    yield
    process_state.reset()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Writes modules, given as {"shop.signals": source}; packages come by themselves."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def write(sources: dict[str, str]) -> None:
        for name in sources:
            folder = tmp_path
            for package in name.split(".")[:-1]:
                folder /= package
                folder.mkdir(exist_ok=True)
                (folder / "__init__.py").touch()
        for name, source in sources.items():
            place = tmp_path.joinpath(*name.split("."))
            file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            file.write_text(source)
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def unnoted(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module as if nobody had seen the creation of its signals."""

    def load(name: str) -> ModuleType:
        module = importlib.import_module(name)
        monkeypatch.setattr(signals, "_creations", IdentityMap())
        process_state.reset()
        return module

    return load
