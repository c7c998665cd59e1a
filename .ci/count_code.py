"""``python .ci/count_code.py [REVISION]``: how large and how simple the package is, as counts.

Modules without migrations, their median length, lines with and without docstrings, classes,
``global`` statements, settings and options of commands.
"""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "signal_inspector"


def sources(revision: str) -> Iterator[tuple[str, str]]:
    """Path and text of each module; of the working copy without a revision."""
    if not revision:
        for path in sorted((ROOT / PACKAGE).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()
        return
    listed = _git("ls-tree", "-r", "--name-only", revision, PACKAGE)
    for name in filter(lambda name: name.endswith(".py"), listed.split()):
        yield name, _git("show", f"{revision}:{name}")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def docstring_lines(tree: ast.Module) -> set[int]:
    """The numbers of the lines that docstrings take."""
    found: set[int] = set()
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, owners) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            found.update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return found


def settings_in(trees: list[ast.Module]) -> int:
    """The keys of ``SIGNAL_INSPECTOR``, sections counted by their keys."""
    sections = {"Config", "Limits", "Toolbar"}
    classes: list[ast.ClassDef] = []
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "register_section":
            sections.update(each.id for each in node.args if isinstance(each, ast.Name))
        elif isinstance(node, ast.ClassDef) and node.decorator_list:
            classes.append(node)
    keys = [
        ast.unparse(each)
        for node in classes
        if node.name in sections
        for each in node.body
        if isinstance(each, ast.AnnAssign)
    ]
    no_keys = ("fixed(", "'internal'", "default_factory=")
    return sum(not any(word in key for word in no_keys) for key in keys)


def options_in(tree: ast.Module) -> int:
    """The options that a module gives to commands."""
    return sum(
        isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "add_argument"
        and any(str(getattr(each, "value", "")).startswith("--") for each in node.args)
        for node in ast.walk(tree)
    )


def counted(revision: str) -> dict[str, float]:
    """All counts of the sources, by what they are."""
    lengths: list[int] = []
    trees: list[ast.Module] = []
    counts: Counter[str] = Counter()
    classes: Counter[tuple[str, str]] = Counter()
    for name, text in sources(revision):
        if "/migrations/" in name:
            continue
        counts["modules with __init__"] += 1
        if not name.endswith("__init__.py"):
            lengths.append(len(text.splitlines()))
        tree = ast.parse(text)
        docs = docstring_lines(tree)
        for number, line in enumerate(text.splitlines(), 1):
            if number in docs:
                counts["lines of docstrings"] += bool(line.strip())
            elif line.strip() and not line.lstrip().startswith("#"):
                counts["lines of code"] += 1
        for node in ast.walk(tree):
            counts["global statements"] += isinstance(node, ast.Global)
            if isinstance(node, ast.ClassDef):
                classes[name.split("/")[1], node.name] += node.name != "Meta"  # Django's own form
        trees.append(tree)
        counts["options of commands"] += options_in(tree)
    return {
        "modules": len(lengths),
        "median lines of a module": statistics.median(lengths),
        "longest": max(lengths),
        "modules under 40 lines": sum(length < 40 for length in lengths),
        **counts,
        "settings": settings_in(trees),
        "classes": classes.total(),
        "class names twice in a room": sum(count > 1 for count in classes.values()),
    }


if __name__ == "__main__":
    for what, count in counted(sys.argv[1] if len(sys.argv) > 1 else "").items():
        print(f"{what:30} {count:>10,}")
