"""What is done when the process forks, and what it forgets when it is reset."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest
from django.dispatch import Signal

import signal_inspector
from signal_inspector import conf, names
from signal_inspector.core import internal_errors, process_state
from tests.listening import run_python

has_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")

FORK = """
import logging, os, sys
from signal_inspector.core import process_state
from signal_inspector.core import internal_errors

logging.disable()
told = []

@process_state.before
def before():
    told.append("before")

@process_state.in_parent
def parent():
    told.append("parent")

@process_state.in_child
def broken():
    raise RuntimeError("ours")

@process_state.in_child
def first():
    told.append("first")

@process_state.in_child
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


@has_forks
def test_each_side_runs_its_functions_in_order() -> None:
    """Before the fork, then in the parent or the child; one that raises is reported and passed."""
    child, parent = run_python(FORK).splitlines()
    assert child == "before first second {'__main__.broken, as the process forked': 1}"
    assert parent == "before parent {}"


@has_forks
def test_python_is_asked_in_one_place() -> None:
    """No other module of ours registers with the interpreter."""
    package = Path(signal_inspector.__file__).parent
    asking = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"\bregister_at_fork\b", path.read_text())
    ]
    assert asking == ["core/process_state.py"]


LOCKED = """
import os, sys
from signal_inspector.core import process_state

lock = process_state.lock()
with lock:
    pid = os.fork()
if pid:
    os.waitpid(pid, 0)
print(lock._is_owned(), flush=True)
if not pid:
    os._exit(0)
"""


@has_forks
def test_a_lock_that_the_forking_thread_holds_stays_its_own() -> None:
    """A signal handler may fork: the child lets go of what it came with, as the parent does."""
    assert run_python(LOCKED).split() == ["False", "False"]


SETTLING = """
import os, threading
import django
from django.conf import settings

settings.configure(INSTALLED_APPS=["signal_inspector"])
django.setup()

from django.dispatch import Signal
from signal_inspector.core.wrapper.connection_log import _Notes, known_connections

def first(**kwargs): ...
def second(**kwargs): ...

signal = Signal()
signal.connect(first)
begun, going_on = threading.Event(), threading.Event()
work_out = _Notes._work_out

def slowly(notes, signal, events):
    begun.set()
    going_on.wait()
    work_out(notes, signal, events)

_Notes._work_out = slowly
thread = threading.Thread(target=known_connections, args=[signal])
thread.start()
begun.wait()
pid = os.fork()
_Notes._work_out = work_out
if pid:
    going_on.set()
    thread.join()
    os.waitpid(pid, 0)
signal.connect(second)
print(len(known_connections(signal)), flush=True)
if not pid:
    os._exit(0)
"""


@has_forks
def test_connections_are_known_in_a_child_though_a_thread_was_reading_them() -> None:
    """What a thread of the parent was about to work out is worked out in the child."""
    assert run_python(SETTLING).split() == ["2", "2"]


def test_what_is_remembered_is_forgotten_by_one_call() -> None:
    """Settings, names and counts of failures are read, given and counted anew."""
    sent = Signal()
    config = conf.get_config()
    names.signal_name(sent)
    internal_errors.tell("a failure", "It failed.")
    assert conf.get_config() is config
    process_state.reset()
    assert conf.get_config() is not config
    assert sent not in names.signal_names
    assert internal_errors.counts() == {}


def test_what_modules_can_forget_is_part_of_it() -> None:
    """A function ``forget_...`` of a module is registered, or part of one that is."""
    package = Path(signal_inspector.__file__).parent
    found = {
        node.name: any(
            ast.unparse(each) == "process_state.at_reset" for each in node.decorator_list
        )
        for path in package.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("forget_")
    }
    assert len(found) > 5
    assert {name for name, is_registered in found.items() if not is_registered} == {
        "forget_receiver_names",  # by forget_names
        "forget_signal_names",  # by forget_names
        "forget_tallies",  # deletes rows
    }


def test_a_reset_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else is remembered is forgotten all the same."""

    def broken() -> None:
        raise RuntimeError("ours")

    forgotten: list[str] = []
    functions = [broken, lambda: forgotten.append("all")]
    monkeypatch.setattr(process_state, "_at_reset", functions)
    process_state.reset()
    assert forgotten == ["all"]
    assert list(internal_errors.counts().values()) == [1]
