"""The connections of a process as something to compare: no lines, no paths, nothing by chance."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from django.apps import apps
from django.utils import inspect as django_inspect

from signal_inspector.callers import is_third_party
from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry, describe
from signal_inspector.catalog.source_files import is_test_module
from signal_inspector.names.safe import instance_attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a snapshot is of; the project's own connections are in each."""

    apps: tuple[str, ...] = ()  # names or labels of installed apps that count as the project's own
    third_party: bool = False  # all inspected signals, whosoever they are
    bare: bool = False  # without what a server imports beyond django.setup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One connection."""

    receiver: str
    sender: str | None = None  # the only one it listens to
    dispatch_uid: str | None = None
    is_async: bool = False
    is_strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Receivers by signal: signals by name, receivers in the order of execution."""

    scope: Scope
    signals: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)


def take(scope: Scope) -> Snapshot:
    """The connections of this process now, without dead ones and those that wait for a model."""
    own = _Own(scope.apps)
    signals = {}
    for entry in describe(everything=True):
        is_whole = own.has(entry.signal) or (scope.third_party and entry.is_inspected)
        lines = tuple(
            _line(receiver)
            for receiver in _called(entry)
            if own.has(receiver.receiver) or (is_whole and _may_stand(receiver.receiver))
        )
        if (is_whole or lines) and _may_stand(entry.signal):
            signals[entry.signal] = lines
    return Snapshot(scope=scope, signals=signals)


def let_go() -> None:
    """Let receivers die that nothing but chance keeps alive: they come and go with DEBUG.

    With DEBUG Django looks at each receiver's parameters and remembers them for a while, and
    with them the receiver; a cycle of references keeps it until Python looks for such.
    """
    for name in ("_get_func_parameters", "_get_callable_parameters"):
        clear = getattr(getattr(django_inspect, name, None), "cache_clear", None)
        if clear is not None:
            clear()
    gc.collect()


def _called(entry: SignalEntry) -> Iterator[ReceiverEntry]:
    return (receiver for receiver in entry.receivers if not receiver.is_dead)


def _may_stand(name: str) -> bool:
    """Whether a name stays from one process to the next."""
    if "(anonymous)" in name or name.startswith("anonymous "):
        return False
    return not name.startswith("signal_inspector.") and not is_test_module(_module_of(name))


def _line(receiver: ReceiverEntry) -> Line:
    return Line(
        receiver=receiver.receiver,
        sender=receiver.sender,
        dispatch_uid=receiver.dispatch_uid,
        is_async=receiver.is_async,
        is_strong=receiver.is_weak is False,
    )


class _Own:
    """What belongs to the project, and to the apps that are taken in."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._apps = {
            config.name
            for config in apps.get_app_configs()
            if config.name in labels or config.label in labels
        }
        self._modules: dict[str, bool] = {}

    def has(self, name: str) -> bool:
        module = _module_of(name)
        if module not in self._modules:
            self._modules[module] = self._has_module(module)
        return self._modules[module] and _may_stand(name)

    def _has_module(self, name: str) -> bool:
        if any(name == app or name.startswith(f"{app}.") for app in self._apps):
            return True
        file = instance_attribute(sys.modules.get(name), "__file__")
        return type(file) is str and not is_third_party(file)


def _module_of(name: str) -> str:
    """The loaded module that something of this dotted name is in; "" if there is none."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return name
