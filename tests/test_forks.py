"""What is done when the process forks."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

import signal_inspector
from tests.listening import run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")

FORK = """
import logging, os, sys
from signal_inspector.core import forks
from signal_inspector.core import internal_errors

logging.disable()
told = []

@forks.before
def before():
    told.append("before")

@forks.in_parent
def parent():
    told.append("parent")

@forks.in_child
def broken():
    raise RuntimeError("ours")

@forks.in_child
def first():
    told.append("first")

@forks.in_child
def second():
    told.append("second")

sys.stdout.flush()
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
print(*told, internal_errors.counts(), flush=True)
if not pid:
    os._exit(0)
"""


def test_each_side_runs_its_functions_in_order() -> None:
    """Before the fork, then in the parent or the child; one that raises is reported and passed."""
    child, parent = run_python(FORK).splitlines()
    assert child == "before first second {'__main__.broken, as the process forked': 1}"
    assert parent == "before parent {}"


def test_python_is_asked_in_one_place() -> None:
    """No other module of ours registers with the interpreter."""
    package = Path(signal_inspector.__file__).parent
    asking = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bregister_at_fork\b", path.read_text())
    ]
    assert asking == ["core/forks.py"]
