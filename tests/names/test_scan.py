"""How modules are walked for signals."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
import types
from typing import Any

import pytest
from django.db.models.signals import post_save
from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.record import ids
from signal_inspector.names import loaded_signals, scan, signal_name, signals
from signal_inspector.names.scan import Index
from tests.names.conftest import World


class Holder:
    """A class that holds a signal in a nested class."""

    class Inner:
        closed = Signal()


def test_unknown_signals_do_not_scan_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand signals of which nothing is known cost one scan, as long as no module loads."""
    scans: list[int] = []
    walk = Index._walk_new_modules

    def walking(index: Index) -> None:
        scans.append(1)
        walk(index)

    monkeypatch.setattr(Index, "_walk_new_modules", walking)
    now = ids.monotonic()
    monkeypatch.setattr(scan, "monotonic", lambda: now)
    monkeypatch.setattr(signals, "monotonic", lambda: now)
    made = [Signal() for _ in range(1000)]
    signals._creations.clear()
    assert {signal_name(signal) for signal in made} == {
        "anonymous django.dispatch.dispatcher.Signal"
    }
    assert len(scans) == 1


def test_a_scan_is_quick() -> None:
    """All loaded modules (Django, its admin, pytest) are walked in well under a second of CPU."""
    started = time.thread_time()
    Index().places(post_save)
    assert time.thread_time() - started < 0.5


def test_lazy_modules_stay_lazy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that loads itself at the first look into it is not loaded by us."""
    world({"sleepy": "raise AssertionError('loaded')\n"})
    spec = importlib.util.find_spec("sleepy")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "sleepy", module)
    spec.loader.exec_module(module)
    assert signal_name(post_save) == "django.db.models.signals.post_save"
    assert "django.db.models.signals.post_save" in loaded_signals()
    assert internal_errors.counts() == {}


class HostileModule(types.ModuleType):
    """A module that breaks whoever asks it for anything."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")


class HostileDict:
    """Stands in for a module, and lies about its namespace."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no namespace")


class OddDict:
    """Stands in for a module, and has a number for a namespace."""

    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return 3


class HostileValue:
    """A value that breaks whoever asks it for its class or compares it."""

    @property
    def __class__(self) -> Any:  # type: ignore[override]
        raise AssertionError("asked for its class")

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    def __hash__(self) -> int:
        raise AssertionError("hashed")


class HostileMeta(type):
    """Makes classes that break whoever reads an attribute."""

    def __getattribute__(cls, name: str) -> Any:
        raise AssertionError(f"{name} was read")


class HostileClass(metaclass=HostileMeta):
    """A class that cannot be asked anything, and holds a signal all the same."""

    kept = Signal()


def test_misbehaving_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules, classes and values that resist are walked past; what they hold is found."""
    hostile = HostileModule("hostile")
    placed = Signal()
    types.ModuleType.__setattr__(hostile, "placed", placed)
    values = types.ModuleType("values")
    vars(values).update({"value": HostileValue(), "weird": HostileClass, "x": values, "n": None})
    vars(values)[3] = placed  # type: ignore[index]
    for name, module in {
        "hostile": hostile,
        "values": values,
        "no_namespace": HostileDict(),
        "odd_namespace": OddDict(),
        "blocked": None,
        "a_number": 3,
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert signal_name(placed) == "hostile.placed"
    kept = type.__getattribute__(HostileClass, "kept")
    assert signal_name(kept) == f"{__name__}.HostileClass.kept"
    assert loaded_signals()["hostile.placed"] is placed
    assert internal_errors.counts() == {}


def test_a_namespace_in_place_of_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object put into sys.modules is walked like a module."""
    placed = Signal()
    monkeypatch.setitem(sys.modules, "shop_api", types.SimpleNamespace(placed=placed))
    assert signal_name(placed) == "shop_api.placed"


def test_a_module_under_two_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is loaded under an alias too is called by its own name."""
    module = types.ModuleType("zeta")
    module.placed = placed = Signal()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "alias", module)
    monkeypatch.setitem(sys.modules, "zeta", module)
    assert signal_name(placed) == "zeta.placed"


def test_a_module_that_lies_about_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module is called by the key it is loaded under, if its own name leads elsewhere."""
    module = types.ModuleType("os")
    module.placed = placed = Signal()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_api", module)
    assert signal_name(placed) == "shop_api.placed"


def test_loaded_signals(world: World) -> None:
    """Every signal that a module or a class holds is listed once, by its name."""
    world(
        {
            "shop.signals": "from django.dispatch import Signal\n"
            "placed = Signal()\nclass Api:\n    done = Signal()\n"
        }
    )
    module = importlib.import_module("shop.signals")
    found = loaded_signals()
    assert found["shop.signals.placed"] is module.placed
    assert found["shop.signals.Api.done"] is module.Api.done
    assert found[f"{__name__}.Holder.Inner.closed"] is Holder.Inner.closed
    assert found["django.db.models.signals.post_save"] is post_save
    assert len({id(signal) for signal in found.values()}) == len(found)
