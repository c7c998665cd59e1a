"""Finds where signals are held: in attributes of the loaded modules and of their classes.

Items of dicts, lists and tuples, and attributes of objects, in these attributes are searched too.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from types import (
    BuiltinFunctionType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    ModuleType,
    NoneType,
    WrapperDescriptorType,
)
from typing import Any, Final, NamedTuple, TypeVar

from django.dispatch import Signal

from signal_inspector.core.record.ids import monotonic
from signal_inspector.names.safe import (
    IdentityMap,
    class_module,
    class_mro,
    class_namespace,
    class_path,
    instance_attribute,
    is_class,
    namespace_of,
    native_attribute,
)

_MIN_PAUSE = 1.0  # seconds between full scans
_MAX_SHARE = 1 / 50  # of the time may be spent on full scans
_MOST_ITEMS: Final = 500  # of a dict, a list, a tuple or an object are searched
_MAX_KEY: Final = 80  # characters
_slots_of: Final[IdentityMap[tuple[str, ...]]] = IdentityMap()

#: Most attributes are of these types, which hold no signal.
_LEAVES: Final = frozenset(
    {
        BuiltinFunctionType,
        FunctionType,
        GetSetDescriptorType,
        MemberDescriptorType,
        MethodDescriptorType,
        ModuleType,
        NoneType,
        TypeVar,
        WrapperDescriptorType,
        bool,
        bytes,
        classmethod,
        float,
        frozenset,
        int,
        property,
        re.Pattern,
        set,
        staticmethod,
        str,
    }
)


class Place(NamedTuple):
    """An attribute that is a signal, or an item of one."""

    module: str
    path: str  # within the module: "order_placed", "Order.placed", "REGISTRY['paid']"
    at_home: bool  # False: on a class that says it is from another module
    is_inside: bool = False  # in the value of an attribute


class _Class(NamedTuple):
    cls: type
    path: str
    at_home: bool


def places_in_module(
    name: str, module: object, seen: set[int], strangers: list[tuple[str, _Class]]
) -> Iterator[tuple[Signal, Place]]:
    """The signals of one module and of the classes that are defined in it.

    Classes from elsewhere are added to ``strangers``, to be walked later if they are not found in
    their own module, which is the better place. ``seen`` holds the ids of walked classes.
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
        kind = type(value)  # not isinstance(), which reads the __class__ of lazy objects
        if kind in _LEAVES:
            continue
        if issubclass(kind, type):
            classes.append(_Class(value, f"{prefix}{name}", at_home))  # type: ignore[arg-type]
        elif type(name) is not str or name.startswith("__"):
            continue
        elif issubclass(kind, Signal):
            yield value, Place(module, f"{prefix}{name}", at_home)  # type: ignore[misc]
        else:
            for inside, signal in _inside(value, kind):
                yield signal, Place(module, f"{prefix}{name}{inside}", at_home, is_inside=True)


def _inside(value: Any, kind: type) -> Iterator[tuple[str, Signal]]:
    """The signals that an object holds, each with its access: ``['paid']``, ``[0]``, ``.done``.

    Searches one level deep, and runs none of the object's own code.
    """
    if issubclass(kind, list | tuple):
        items = (list if issubclass(kind, list) else tuple).__getitem__(value, slice(None))
        if _has_signals(items):
            yield from ((f"[{index}]", it) for index, it in _held(dict(enumerate(items))))
        return
    if issubclass(kind, dict):
        yield from ((f"[{shown}]", it) for key, it in _held(value) if (shown := _key(key)))
    elif issubclass(kind, threading.local):  # reading its dict may initialize it
        return
    namespace = namespace_of(value)
    if namespace:
        yield from ((f".{name}", it) for name, it in _held(namespace) if type(name) is str)
    for name in _slots(kind):
        slot = native_attribute(value, name)
        if issubclass(type(slot), Signal):
            yield f".{name}", slot  # type: ignore[misc]


def _slots(kind: type) -> tuple[str, ...]:
    """The slots of a class that Python code defines; slots of C code hold no signals."""
    found = _slots_of.get(kind)
    if found is None:
        namespaces = [class_namespace(base) for base in class_mro(kind)]
        found = tuple(
            name
            for namespace in namespaces
            if "__slots__" in namespace
            for name, it in namespace.items()
            if type(it) is MemberDescriptorType
        )
        _slots_of.set(kind, found)
    return found


def _held(values: dict[Any, Any]) -> list[tuple[Any, Signal]]:
    # Not dict.copy(), which calls the keys() of a subclass.
    try:
        if not _has_signals(dict.values(values)):
            return []
        items = tuple(dict.items(values))
    except RuntimeError:  # it changed meanwhile; a later scan may succeed
        return []
    return [(key, item) for key, item in items if issubclass(type(item), Signal)]


def _has_signals(values: Any) -> bool:
    """Whether there are signals among the values; a quick test.

    A container with very many items is taken for a table, which holds no signals.
    """
    if len(values) > _MOST_ITEMS:
        return False
    return any(issubclass(kind, Signal) for kind in set(map(type, values)))


def _key(key: object) -> str:
    """A dict's key as it is written in code; "" if it is not a plain value."""
    kind = type(key)
    if kind in (int, bool) or key is None:
        return repr(key)
    if kind is str:
        return repr(key) if len(key) <= _MAX_KEY else ""  # type: ignore[arg-type]
    if is_class(key):
        return class_path(key)
    if issubclass(kind, Enum):
        name = instance_attribute(key, "_name_")
        return f"{kind.__name__}.{name}" if type(name) is str else ""
    if kind is tuple:
        parts = [_key(part) for part in key]  # type: ignore[attr-defined]
        return ", ".join(parts) if parts and all(parts) else ""
    return ""


def walk(modules: Mapping[str, object], seen: set[int]) -> Iterator[tuple[Signal, Place]]:
    """The signals of these modules, by name, and of their classes, even if from elsewhere."""
    strangers: list[tuple[str, _Class]] = []
    for name, module in modules.items():
        yield from places_in_module(name, module, seen, strangers)
    for name, stranger in strangers:
        yield from places_in_class(name, stranger, seen)


def by_name(modules: Mapping[str, object]) -> dict[str, object]:
    """Each module once: by its own name if it is loaded under that too, otherwise by its key."""
    names: dict[int, str] = {}
    for key, module in modules.items():
        name = instance_attribute(module, "__name__")
        own = name if type(name) is str and modules.get(name) is module else key
        names.setdefault(id(module), own)
    return {name: modules[name] for name in names.values()}


class Index:
    """The places of every signal in the loaded modules; knows when to scan again."""

    def __init__(self) -> None:
        self._places: IdentityMap[list[Place]] = IdentityMap()
        self._modules: dict[str, int] = {}  # ids of the walked modules by their names
        self._loaded = 0  # len(sys.modules) when they were walked
        self._classes: set[int] = set()  # ids of the walked classes
        self._next_full_scan = 0.0  # monotonic()

    def places(self, signal: Signal) -> list[Place]:
        """Where this signal is held, in the order of discovery; scans if it is unknown."""
        found = self._places.get(signal)
        if found is None:
            self._refresh()
            found = self._places.get(signal)
        return found or []

    def _refresh(self) -> None:
        started = monotonic()
        if started >= self._next_full_scan:
            self._places.clear()
            self._modules.clear()
            self._classes.clear()
            self._walk_new_modules()
            now = monotonic()
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
