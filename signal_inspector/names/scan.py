"""Where signals are held: attributes of the loaded modules and of their classes."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.dispatch import Signal

from signal_inspector.names.identity import IdentityMap
from signal_inspector.names.safe import (
    class_module,
    class_namespace,
    instance_attribute,
    namespace_of,
)

_MIN_PAUSE = 1.0  # seconds between full scans
_MAX_SHARE = 1 / 50  # of the time may go into full scans


class Place(NamedTuple):
    """An attribute that is a signal."""

    module: str
    path: str  # within the module: "order_placed" or "Order.placed"
    at_home: bool  # False: on a class that says it is from another module


class _Class(NamedTuple):
    cls: type
    path: str
    at_home: bool


def places_in_module(
    name: str, module: object, seen: set[int], strangers: list[tuple[str, _Class]]
) -> Iterator[tuple[Signal, Place]]:
    """The signals of one module and of the classes that are defined in it.

    Classes from elsewhere are added to ``strangers``, to be walked in case nobody else does:
    their own module is the better place to meet them. ``seen`` holds ids of walked classes.
    """
    namespace = namespace_of(module)
    if namespace is None:
        return
    waiting: deque[_Class] = deque()
    yield from _signals(dict.copy(namespace), name, "", True, waiting)
    while waiting:
        found = waiting.popleft()
        if id(found.cls) in seen:
            continue
        if class_module(found.cls) != name:
            strangers.append((name, found))
            continue
        seen.add(id(found.cls))
        attributes = class_namespace(found.cls).copy()
        yield from _signals(attributes, name, f"{found.path}.", found.at_home, waiting)


def places_in_class(
    module: str, stranger: _Class, seen: set[int]
) -> Iterator[tuple[Signal, Place]]:
    """The signals of a class from elsewhere, and of the classes nested in it."""
    waiting: deque[_Class] = deque([stranger])
    while waiting:
        found = waiting.popleft()
        if id(found.cls) in seen:
            continue
        seen.add(id(found.cls))
        attributes = class_namespace(found.cls).copy()
        yield from _signals(attributes, module, f"{found.path}.", False, waiting)


def _signals(
    attributes: dict[str, object],
    module: str,
    prefix: str,
    at_home: bool,
    classes: deque[_Class],
) -> Iterator[tuple[Signal, Place]]:
    """The signals among these attributes; classes are added to the queue."""
    for name, value in attributes.items():
        kind = type(value)  # not isinstance(), which asks lazy objects for their __class__
        if issubclass(kind, type):
            classes.append(_Class(value, f"{prefix}{name}", at_home))  # type: ignore[arg-type]
        elif issubclass(kind, Signal) and type(name) is str:
            yield value, Place(module, f"{prefix}{name}", at_home)  # type: ignore[misc]


def walk(modules: Mapping[str, object], seen: set[int]) -> Iterator[tuple[Signal, Place]]:
    """The signals of these modules, by name, and of their classes, wherever these are from."""
    strangers: list[tuple[str, _Class]] = []
    for name, module in modules.items():
        yield from places_in_module(name, module, seen, strangers)
    for name, stranger in strangers:
        yield from places_in_class(name, stranger, seen)


def by_name(modules: Mapping[str, object]) -> dict[str, object]:
    """Each module once: by its own name if it is loaded under that too, or else by its key."""
    names: dict[int, str] = {}
    for key, module in modules.items():
        name = instance_attribute(module, "__name__")
        own = name if type(name) is str and modules.get(name) is module else key
        names.setdefault(id(module), own)
    return {name: modules[name] for name in names.values()}


class Index:
    """The places of every signal in the loaded modules; knows when to look again."""

    def __init__(self) -> None:
        self._places: IdentityMap[list[Place]] = IdentityMap()
        self._modules: dict[str, int] = {}  # ids of the walked modules by their names
        self._loaded = 0  # len(sys.modules) when they were walked
        self._classes: set[int] = set()  # ids of the walked classes
        self._next_full_scan = 0.0  # time.monotonic()

    def places(self, signal: Signal) -> list[Place]:
        """Where this signal is held, in the order of discovery; scans if it is unknown."""
        found = self._places.get(signal)
        if found is None:
            self._refresh()
            found = self._places.get(signal)
        return found or []

    def _refresh(self) -> None:
        started = time.monotonic()
        if started >= self._next_full_scan:
            self._places.clear()
            self._modules.clear()
            self._classes.clear()
            self._walk_new_modules()
            now = time.monotonic()
            self._next_full_scan = now + max(_MIN_PAUSE, (now - started) / _MAX_SHARE)
        elif len(sys.modules) != self._loaded:
            self._walk_new_modules()

    def _walk_new_modules(self) -> None:
        modules = dict.copy(sys.modules)
        self._loaded = len(modules)
        named = by_name(modules)
        new = {name: it for name, it in named.items() if self._modules.get(name) != id(it)}
        self._modules = {name: id(module) for name, module in named.items()}
        for signal, place in walk(new, self._classes):
            places = self._places.get(signal)
            if places is None:
                self._places.set(signal, [place])
            else:
                places.append(place)
