"""``python -m signal_inspector.checks [PATH ...]``: check only the source, without Django.

This is for code that ``manage.py check`` cannot check: if a module that it imports still uses
``providing_args``, ``django.setup()`` raises TypeError.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from signal_inspector.checks.sending import removed
from signal_inspector.display.text import place
from signal_inspector.source_code.project import read_directory, read_module
from signal_inspector.source_code.records import ModuleSource

_FOUND, _UNUSABLE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each finding.

    The exit code is 0 without findings, 1 with findings, and 2 if a path does not exist or a file
    cannot be read.
    """
    parser = argparse.ArgumentParser(
        prog="python -m signal_inspector.checks",
        description="Find providing_args, which Django 4.0 removed, without importing anything.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="*", default=["."], help="default: .")
    paths = parser.parse_args(arguments).paths
    missing = [path for path in paths if not Path(path).exists()]
    for path in missing:
        print(f"{path}: no such file or directory", file=sys.stderr)
    sources = {source.path: source for path in paths for source in _sources(path)}
    found, unusable = False, bool(missing)
    for source in sources.values():
        if source.problem:
            unusable = True
            print(f"{place(source.path, 0)}: not checked: it {source.problem}", file=sys.stderr)
        for finding in removed(source.creations):
            found = True
            where = place(finding.path, finding.line)
            print(f"{where}: {finding.kind.id} {finding.message}\n    HINT: {finding.hint}")
    if unusable:
        return _UNUSABLE
    return _FOUND if found else 0


def _sources(path: str) -> list[ModuleSource]:
    file = Path(path)
    if file.is_file():
        return [read_module(file.stem, str(file.absolute()))]
    return read_directory(path) if file.is_dir() else []


if __name__ == "__main__":
    sys.exit(main())
