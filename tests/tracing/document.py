"""The examples of docs/tracing.md, so that tests can run them as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.tracing.processes import ROOT

TEXT = (ROOT / "docs" / "tracing.md").read_text()
_BLOCK = re.compile(r"^```python\n# (shop/\w+\.py)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(name: str) -> list[str]:
    """The examples of a file of this name, in the order of the document."""
    return [source for path, source in _BLOCK.findall(TEXT) if path == name]


def settings() -> list[dict[str, Any]]:
    """What each example of settings defines."""
    defined: list[dict[str, Any]] = []
    for source in examples("shop/settings.py"):
        names: dict[str, Any] = {}
        exec(source, names)
        defined.append({name: value for name, value in names.items() if name.isupper()})
    return defined


def write_project(directory: Path, *names: str) -> None:
    """Make a package ``shop`` of the examples of these names, and the settings they need."""
    first = settings()[0]
    apps = [app for app in first["INSTALLED_APPS"] if app is not ...]
    (directory / "shop").mkdir()
    (directory / "shop" / "settings.py").write_text(
        "from tests.tracing.project.settings import *\n"
        f"INSTALLED_APPS = [*{apps!r}, 'tests.tracing.project']\n"
        f"SIGNAL_INSPECTOR = {first['SIGNAL_INSPECTOR']!r}\n"
    )
    for name in names:
        [source] = examples(name)
        (directory / name).write_text(source)
