"""The picture of the house: every module has its place among the layers, and on the page."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "signal_inspector"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
#: What Python and Django look for by these names, and what is no code.
SLOTS = {"__init__.py", "__pycache__", "static", "templates", "locale"}


def modules() -> list[Path]:
    """What lies in the package and in the folders of the core, module or folder."""
    core = [PACKAGE / "core", *(each for each in (PACKAGE / "core").iterdir() if each.is_dir())]
    found = [each for folder in (PACKAGE, *core) for each in folder.iterdir()]
    return [
        each
        for each in found
        if each.name not in SLOTS
        and each not in core
        and (each.suffix == ".py" or (each / "__init__.py").exists())
    ]


@pytest.mark.parametrize("module", modules(), ids=lambda each: each.name)
def test_each_module_has_its_place(module: Path) -> None:
    """A module that no layer names could import what it likes."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    [layers] = [each["layers"] for each in contracts if each["type"] == "layers"]
    named = {name for layer in layers for name in re.split(r"[ |]+", layer)}
    dotted = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    assert dotted in named


@pytest.mark.parametrize("module", modules(), ids=lambda each: each.name)
def test_each_module_is_on_the_page(module: Path) -> None:
    """Every module of the core and every folder of the rest is named, with what it knows."""
    name = module.relative_to(PACKAGE).as_posix()
    assert f"`{name}`" in PAGE or f"`{name}/" in PAGE


def test_what_the_page_names_exists() -> None:
    """The first tables name no module that is gone."""
    table = PAGE.split("## Two ways through the wrapper")[0]
    cells = "\n".join(re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE))
    named = re.findall(r"`([a-z_/]+(?:\.py|/))`", cells)
    assert len(named) > 30
    assert [each for each in named if not (PACKAGE / each).exists()] == []


def test_every_file_that_the_page_names_exists() -> None:
    """Also in the tables of the rooms, which name the files of their own folder."""
    there = {path.name for path in PACKAGE.rglob("*.py")}
    named = {name.rpartition("/")[2] for name in re.findall(r"`(?!tests/)([a-z_/]+\.py)`", PAGE)}
    assert named - there == set()
