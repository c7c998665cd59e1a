"""What tests of the core listen with."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.dispatch import Signal

from signal_inspector import Dispatch, Sink
from signal_inspector.core.listening.sinks import Observer, process_sinks, use_sinks
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import instrument

ROOT = Path(__file__).resolve().parent.parent

#: Django 6.1 runs the async receivers of a dispatch in one context and cancels the siblings of
#: one that failed; before, each has a copy of the context, and siblings run on.
SHARES_CONTEXT = django.VERSION >= (6, 1)


class Quiet(Sink):
    """Hears of whole dispatches, which asks least of the wrapper."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.threads: list[int] = []

    def hear(self, *what: Any) -> None:
        self.heard.append(what)
        self.threads.append(threading.get_ident())

    def dispatch_started(self, dispatch: Dispatch) -> None:
        self.hear("started", dispatch.signal)

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        self.hear("finished", dispatch.signal)


class Live(Quiet):
    """Hears of each receiver too, as it runs."""

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        return Hearing(self)


class ObservedBy(Sink):
    """Each of its dispatches is observed by what this makes."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        return self.make()  # type: ignore[no-any-return]


class Chained(Signal):
    """Sends by a method of its own name, which hands a value on, and puts the others off."""

    def send_chained(self, sender: object, value: Any, **named: Any) -> Any:
        for each in self._live_receivers(sender)[0]:
            value = each(signal=self, sender=sender, value=value, **named)
        return value

    def send(self, sender: Any, **named: Any) -> Any:
        """Waits for better times."""


class Hearing(Observer):
    """Tells a ``Live`` what one dispatch does."""

    def __init__(self, sink: Live) -> None:
        self.hear = sink.hear

    def entered(self, index: int | None) -> None:
        if index is not None:
            self.hear("entered", index)

    def left(self, index: int | None, ended: bool) -> None:
        if index is not None:
            self.hear("left", index, self.dispatch.end_of(index)[0].value if ended else None)


@contextmanager
def listening(*sinks: Sink) -> Iterator[None]:
    """Make these the sinks of the process for a while."""
    before = process_sinks()
    use_sinks(sinks)
    try:
        yield
    finally:
        use_sinks(before)


@contextmanager
def nothing_waits_on() -> Iterator[None]:
    """What is connected inside to models that never come waits no longer than this."""
    waiting = apps._pending_operations  # type: ignore[attr-defined]
    before = {model: list(functions) for model, functions in waiting.items()}
    try:
        yield
    finally:
        waiting.clear()
        waiting.update(before)


def around(original: Callable[..., Any]) -> Callable[..., Any]:
    """The patch of another tool."""

    def foreign(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    return foreign


@contextmanager
def unknown_django() -> Iterator[None]:
    """Install for a Django whose loop is not known: each dispatch goes the async path."""
    known = instrument.KNOWN_DJANGO
    instrument.uninstall()
    instrument.KNOWN_DJANGO = ()  # type: ignore[assignment,misc]
    try:
        instrument.install()
        yield
    finally:
        instrument.uninstall()
        instrument.KNOWN_DJANGO = known  # type: ignore[misc]
        instrument.install()


def run_python(source: str, **environment: str) -> str:
    """Run a script in a fresh process with only the package in reach; what it printed."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        **environment,
    }
    done = subprocess.run(
        [sys.executable, "-c", source],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class OwnName(str):
    """A name whose methods are the user's code."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    def __hash__(self) -> int:
        raise AssertionError

    def __format__(self, spec: str) -> str:
        raise AssertionError
