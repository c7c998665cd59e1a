"""Check what the documents point at: files, headings, make targets and names in the package.

A document that names a target or a class that is gone misleads worse than one that is silent.
"""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)[^)]*\)")
SOURCE = re.compile(r"""<img[^>]+src="([^"]+)\"""")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TARGET = re.compile(r"\bmake ([a-z][a-z-]+)(?=[`\s]|$)")
NAME = re.compile(r"`(signal_inspector(?:\.\w+)+)(?:\(\))?`")
HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def anchors(document: Path) -> set[str]:
    """The fragments under which a forge shows a document's headings."""
    headings = HEADING.findall(FENCE.sub("", document.read_text()))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def broken_links(document: Path, text: str) -> list[str]:
    found = []
    prose = FENCE.sub("", text)
    for link in LINK.findall(prose) + SOURCE.findall(prose):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists():
            found.append(f"no file {path}")
        elif fragment and target.suffix == ".md" and fragment not in anchors(target):
            found.append(f"no heading #{fragment} in {target.name}")
    return found


def unknown_targets(text: str) -> list[str]:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    spans = re.findall(r"`[^`\n]+`", text) + FENCE.findall(text)
    named = {name for span in spans for name in TARGET.findall(span)}
    return [f"no target `make {name}`" for name in sorted(named - targets)]


def unknown_names(text: str) -> list[str]:
    return [f"no {name}" for name in sorted(set(NAME.findall(text))) if not resolves(name)]


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[cut:]:
            fields = getattr(found, "__dataclass_fields__", {})
            if not hasattr(found, attribute):
                return attribute in fields
            found = getattr(found, attribute)
        return True
    return False


def main() -> int:
    sys.path.insert(0, str(ROOT))
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    count = 0
    for document in documents():
        text = document.read_text()
        problems = broken_links(document, text) + unknown_targets(text) + unknown_names(text)
        count += len(problems)
        for problem in problems:
            print(f"{document.relative_to(ROOT)}: {problem}")
    print(f"{len(documents())} documents, {count} problems")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
