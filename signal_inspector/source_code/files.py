"""Source files: which ones belong to a project, and their readings, kept while they stay."""

from __future__ import annotations

import ast
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from signal_inspector.core import internal_errors
from signal_inspector.source_code.reading import read_tree
from signal_inspector.source_code.records import Reading

_MAX_SIZE: Final = 3_000_000  # bytes: beyond it a file was made by a program
_PASSED_BY = {"__pycache__", "node_modules", "site-packages", "dist-packages"}
#: A signal of a class that is not called Signal is made by a call that has none of these; it is
#: connected or sent elsewhere.
_WORDS: Final = re.compile(rb"ignal|send|connect|receiver|providing_args")
_NAMES: Final = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")
_TEST_DIRECTORIES = {"test", "tests", "testing"}

_Stamp = tuple[str, int, int]  # module, time of change (ns), size (bytes)
_kept: dict[str, tuple[_Stamp, Reading]] = {}

_File = tuple[str, str]


def reading_of(module: str, path: str) -> Reading:
    """What a file says; read anew when it has changed. Never raises: see ``Reading.problem``."""
    try:
        stat = Path(path).stat()
    except (OSError, ValueError) as error:
        internal_errors.let_through(error)
        return Reading(module=module, path=path, problem=f"cannot be read: {_reason(error)}")
    stamp = (module, stat.st_mtime_ns, stat.st_size)
    kept = _kept.get(path)
    if kept is not None and kept[0] == stamp:
        return kept[1]
    reading = _read(module, path, stat.st_size)
    _kept[path] = (stamp, reading)
    return reading


def names_signals(path: str, about: frozenset[str] = frozenset()) -> bool:
    """Whether a file has a word without which it can neither make, send nor connect a signal.

    Or one of ``about``, the names of signals: it may hand them on to code that sends them. Also
    where it cannot be read, which is for ``reading_of`` to tell.
    """
    try:
        source = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        internal_errors.let_through(error)
        return True
    return _WORDS.search(source) is not None or (bool(about) and has_words(path, about))


def has_words(path: str, about: frozenset[str]) -> bool:
    """Whether a file has one of these words."""
    try:
        source = Path(path).read_bytes()
    except (OSError, ValueError):
        return True
    words = (word.decode("utf-8", "replace") for word in set(_NAMES.findall(source)))
    return not about.isdisjoint(words)


def forget_readings() -> None:
    """Read every file anew (for tests)."""
    _kept.clear()


def _read(module: str, path: str, size: int) -> Reading:
    problem = ""
    if size > _MAX_SIZE:
        problem = f"is too large: {size:,} bytes, at most {_MAX_SIZE:,} are read"
    else:
        try:
            tree = _parse(path)
            return read_tree(module, path, tree, is_package=Path(path).name == "__init__.py")
        except OSError as error:
            internal_errors.let_through(error)
            problem = f"cannot be read: {_reason(error)}"
        except SyntaxError as error:
            problem = f"is no Python of this version: line {error.lineno}, {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            problem = f"cannot be parsed: {_reason(error)}"
    return Reading(module=module, path=path, problem=problem)


def _parse(path: str) -> ast.Module:
    source = Path(path).read_bytes()
    with warnings.catch_warnings():  # of "\d" and the like: the import has warned of them
        warnings.simplefilter("ignore")
        return ast.parse(source, filename=path)


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def files_below(root: str, package: str, *, tests: bool, migrations: bool) -> Iterator[_File]:
    """``(module, path)`` of the Python files below a directory, in a steady order."""
    for directory, inner, files in os.walk(root):
        parts = Path(directory).relative_to(root).parts
        inner[:] = sorted(
            name
            for name in inner
            if _is_walked(Path(directory, name))
            and (tests or name not in _TEST_DIRECTORIES)
            and (migrations or name != "migrations")
        )
        for name in sorted(files):
            stem, dot, ending = name.rpartition(".")
            if ending != "py" or not dot or (not tests and _is_test(stem)):
                continue
            names = [*([package] if package else ()), *parts]
            if stem != "__init__":
                names.append(stem)
            yield ".".join(names) or stem, str(Path(directory, name))


def _is_walked(directory: Path) -> bool:
    name = directory.name
    if name.startswith(".") or name in _PASSED_BY:
        return False
    return not (directory / "pyvenv.cfg").exists()


def _is_test(stem: str) -> bool:
    return (
        stem in ("tests", "test", "conftest")
        or stem.startswith("test_")
        or (stem.endswith(("_test", "_tests")))
    )


def is_test_module(name: str) -> bool:
    """Whether a module of this dotted name is, by its name, one of tests."""
    return any(part in _TEST_DIRECTORIES or _is_test(part) for part in name.split("."))
