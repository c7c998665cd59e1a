"""docs/checks.md and the CHECKS part of docs/settings.md: examples are judged as they say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import override_settings

from signal_inspector.checks.findings import Checks, Kind
from signal_inspector.checks.signals import FROM_CONNECTIONS, FROM_SOURCE
from signal_inspector.conf import config_problems
from signal_inspector.setting_rules import keys
from tests.checks.worlds import ROOT, Project, World

CHECKS = (ROOT / "docs" / "checks.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^### ([WI]\d+): (.+)$", re.MULTILINE)


def sections() -> dict[str, str]:
    """The text under each heading of an id."""
    parts = re.split(r"^##+ ", CHECKS, flags=re.MULTILINE)
    return {part[:4]: part for part in parts if re.match(r"[WI]\d{3}: ", part)}


def examples(mark: str) -> list[Any]:
    """The blocks with this mark, by id."""
    return [
        pytest.param(Kind[kind.name], block, id=kind.number)
        for kind in Kind
        for block in BLOCK.findall(sections()[kind.number])
        if block.startswith(f"# {mark}\n")
    ]


def judged(world: World, kind: Kind, block: str) -> list[Kind]:
    """What the checks find of this kind in an example."""
    head = "from django.dispatch import Signal, receiver\n"
    if "order_placed" in block and "order_placed = " not in block:
        head += "order_placed = Signal()\n"
    with override_settings(DEBUG=kind is Kind.FLEETING):
        world.load(head + block)
        found = world.find(*FROM_CONNECTIONS, *FROM_SOURCE)
    return [each.kind for each in found if each.kind is kind]


@pytest.mark.usefixtures("all_objects_seen")
@pytest.mark.parametrize(("kind", "block"), examples("found"))
def test_what_is_told_to_be_found_is(world: World, kind: Kind, block: str) -> None:
    """The example of a mistake gives one message of its id."""
    assert judged(world, kind, block) == [kind]


@pytest.mark.usefixtures("all_objects_seen")
@pytest.mark.parametrize(("kind", "block"), examples("better"))
def test_what_is_told_to_be_better_is(world: World, kind: Kind, block: str) -> None:
    """The example of what to write instead gives none."""
    assert judged(world, kind, block) == []


def test_every_id_has_its_section() -> None:
    """In order, under the title that the code has; and in the table."""
    assert HEADING.findall(CHECKS) == [(kind.number, kind.value.title) for kind in Kind]
    listed = re.findall(r"^\| \[`([WI]\d+)`\]\(\S+\) \| (.+) \|$", CHECKS, re.MULTILINE)
    assert listed == [(kind.number, kind.value.title) for kind in Kind]


def test_every_id_is_in_the_table() -> None:
    """Those of settings and of the panel too, which have no section."""
    sources = (ROOT / "signal_inspector").rglob("*.py")
    text = "".join(path.read_text() for path in sources)
    given = set(re.findall(r"signal_inspector\.([WI]\d+)", text)) | {kind.number for kind in Kind}
    table = CHECKS.partition("| id | finds |")[2].partition("\n\n")[0]
    told = set(re.findall(r"`([WI]\d+)`", table))
    assert told >= given - {"W002"}  # which is between W001 and W003


def test_the_examples_of_settings_are_right() -> None:
    """No check of the settings finds anything in them."""
    blocks = [block for block in BLOCK.findall(CHECKS) if block.startswith("SIGNAL_INSPECTOR")]
    assert blocks
    for block in blocks:
        names: dict[str, Any] = {}
        exec(block, names)
        assert config_problems(names["SIGNAL_INSPECTOR"]) == []


def test_the_default_settings_are_those_of_the_code() -> None:
    """The dict in settings.md has every key of CHECKS with its default, and the table has it."""
    names: dict[str, Any] = {}
    exec(next(block for block in BLOCK.findall(SETTINGS) if block.startswith("SIGNAL")), names)
    told = names["SIGNAL_INSPECTOR"]["CHECKS"]
    defaults = {key: getattr(Checks(), each.name) for key, each in keys(Checks).items()}
    plain = {key: list(it) if isinstance(it, tuple) else it for key, it in defaults.items()}
    assert told == plain | {"IGNORE": {}}
    section = SETTINGS.partition("## CHECKS")[2]
    rows = re.findall(r"^\| (`.+?`) \|", section, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(told)


def test_the_command_says_what_is_told(project: Project) -> None:
    """`python -m signal_inspector.checks` prints the lines of the document."""
    block = CHECKS.partition("$ python -m signal_inspector.checks shop\n")[2].partition("```")[0]
    project.write(
        {
            "shop/signals.py": """
                from django.dispatch import Signal

                order_placed = Signal()
                order_completed = Signal(providing_args=["order", "user"])
                """
        }
    )
    done = project.python("-m", "signal_inspector.checks", "shop", DJANGO_SETTINGS_MODULE="")
    assert done.stdout == block
    assert done.returncode == 1
