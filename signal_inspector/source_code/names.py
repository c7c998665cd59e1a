"""Finds out which names in the sources are signals, following all imports and re-exports.

Loaded modules take precedence: a name that leads to a Signal in ``sys.modules`` is that signal,
under its name at run time. Nothing is imported for this.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from types import FunctionType
from typing import Any, Final

from django.dispatch import Signal

from signal_inspector.names import signal_name
from signal_inspector.names.safe import (
    class_attribute,
    class_mro,
    instance_attribute,
    is_class,
    native_attribute,
)
from signal_inspector.source_code.records import Meanings, ReadCall, ReadFunction, Reading
from signal_inspector.source_code.scopes import ANY, any_key

_MOST_STEPS = 50  # from a name to what it stands for
_MOST_WAYS = 5_000  # the same, over all calls of a function that sends its argument
_LONGEST_NAME = 500  # characters; a name that leads back to itself grows with each step
_MOST_ITEMS = 1000  # of a loaded container
_PART_ENDS: Final = re.compile(r"[.(\[]")
_STEPS: Final = re.compile(r"\[[^\]]*\]|[^.\[\]]+")
_NOTHING: Final = object()

_SIGNAL_CLASSES = {
    "django.dispatch.Signal",
    "django.dispatch.dispatcher.Signal",
    "django.db.models.signals.ModelSignal",
}
_RECEIVER = {"django.dispatch.receiver", "django.dispatch.dispatcher.receiver"}
#: Modules in which every public name in lower case is a signal, whether loaded or not.
_DJANGO_SIGNALS = {
    "django.contrib.auth.signals",
    "django.core.signals",
    "django.db.backends.signals",
    "django.db.models.signals",
    "django.test.signals",
}


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """A call that passes a signal to a function."""

    function: str  # the function that sends its argument
    call: ReadCall
    path: str  # of the file with the call
    steps: int  # calls on the way from the signal's name to the function that sends it


class Names:
    """Resolves the dotted names in many readings."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self.modules = {reading.module: reading for reading in readings}
        self.signal = lru_cache(maxsize=None)(self._signal)
        self.function = lru_cache(maxsize=None)(self._function)
        self.is_signal_class = lru_cache(maxsize=None)(self._is_signal_class)
        self._here = lru_cache(maxsize=None)(self._signals_here)
        self._calls_of = lru_cache(maxsize=None)(self._calls_of_function)
        self._below: dict[str, list[str]] | None = None
        self._stores: dict[str, Meanings] = {}
        for reading in self.modules.values():
            for way, found in reading.stores.items():
                self._stores[way] = (*self._stores.get(way, ()), *found)
        self._created = {
            creation.signal
            for reading in self.modules.values()
            for creation in reading.creations
            if any(self.is_signal_class(each) for each in creation.classes)
        }
        #: The last parts of the names of signals, and what holds signals: modules and classes.
        self._short = {each.rpartition(".")[2] for each in self._created}
        self._holders = {each.rpartition(".")[0] for each in self._created}

    def signals(self, found: Meanings) -> list[str]:
        """The names of the signals among what a name may stand for."""
        return list(dict.fromkeys(signal for signal, _ in self.given(found, "")))

    def given(self, found: Meanings, function: str) -> list[tuple[str, Given | None]]:
        """The same, each with the call that passes it to the function whose code uses it.

        The call is None if the signal does not come from a parameter of the function.
        """
        waiting: deque[tuple[str, Given | None, str]] = deque((it, None, function) for it in found)
        seen = set[tuple[str, Given | None]]()
        signals: dict[tuple[str, Given | None], None] = {}
        while waiting and len(seen) < _MOST_WAYS:
            name, by, inside = waiting.popleft()
            if (name, by) in seen or len(name) > _LONGEST_NAME:
                continue
            seen.add((name, by))
            here = self._here(name)
            for signal in here:
                signals[signal, by] = None
            if here:
                continue
            waiting.extend((other, by, inside) for other in self._elsewhere(name))
            for owner, call, path, meanings in self._passed(name):
                if inside == owner or inside.startswith(f"{owner}.<locals>."):
                    further = Given(owner, call, path, 1 if by is None else by.steps + 1)
                    waiting.extend((each, further, call.function) for each in meanings)
                else:
                    waiting.extend((each, by, inside) for each in meanings)
        return list(signals)

    def mentioned(self, dotted: str) -> list[str]:
        """The signals that a name stands for, or the holder of signals, if it is one."""
        if dotted in self._holders:
            return [dotted]
        return self.signals((dotted,)) if dotted.rpartition(".")[2] in self._short else []

    def functions(self, found: Meanings) -> list[str]:
        """The functions, methods and classes among what a name may stand for."""
        names = [name for each in found if (name := self.function(each)) is not None]
        return list(dict.fromkeys(names))

    def parameters(self, function: str) -> tuple[str, ...]:
        """The names of a function's parameters."""
        module, path = self._split(function)
        if module is None or path not in module.functions:
            return ()
        return (*module.functions[path].positional, *module.functions[path].named)

    def is_receiver_decorator(self, found: Meanings) -> bool:
        """Whether this may be ``django.dispatch.receiver``."""
        return any(name in _RECEIVER for each in found for name in self._same(each))

    def _is_signal_class(self, dotted: str) -> bool:
        """Whether this is ``Signal`` or inherits from it."""
        return any(
            name in _SIGNAL_CLASSES or (is_class(it := loaded(name)) and Signal in class_mro(it))
            for name in self._lineage(dotted)
        )

    def takes_providing_args(self, classes: Meanings) -> bool:
        """Whether arguments go to Django's ``Signal.__init__``, which no longer accepts them."""
        for dotted in classes:
            for name in self._lineage(dotted):
                if name in _SIGNAL_CLASSES:
                    return True
                if self._has_init(name):
                    return False
        return False

    def _has_init(self, dotted: str) -> bool:
        module, path = self._split(dotted)
        if module is not None and path in module.classes:
            return module.classes[path].has_init
        cls = loaded(dotted)
        if not is_class(cls):
            return False
        inits = (Signal.__dict__["__init__"], None)
        return class_attribute(cls, "__init__") not in inits

    def _lineage(self, dotted: str) -> Iterator[str]:
        """All names of a class and of its bases."""
        waiting, seen = [dotted], set[str]()
        while waiting and len(seen) < _MOST_STEPS:
            for name in self._same(waiting.pop(0)):
                if name in seen:
                    continue
                seen.add(name)
                yield name
                module, path = self._split(name)
                if module is not None and path in module.classes:
                    bases = module.classes[path].bases
                    waiting.extend(each for meanings in bases for each in meanings)

    def _signal(self, dotted: str) -> str | None:
        for name in self._same(dotted):
            found = self._here(name)
            if found:
                return found[0]
        return None

    def _signals_here(self, name: str) -> tuple[str, ...]:
        """What has exactly this name: a signal, or the signals in a loaded container."""
        found = loaded(name)
        if issubclass(type(found), Signal):
            return (signal_name(found),)  # type: ignore[arg-type]
        if name in self._created or _is_djangos(name):
            return (name,)
        if name.endswith(ANY):
            inside = _items(loaded(name.removesuffix(ANY)))
            return tuple(dict.fromkeys(map(signal_name, inside)))
        return ()

    def _function(self, dotted: str) -> str | None:
        for name in self._same(dotted):
            module, path = self._split(name)
            if module is not None and (path in module.functions or path in module.classes):
                return name
            found = loaded(name)
            if type(found) is FunctionType:
                return f"{found.__module__}.{found.__qualname__}"
        return None

    def _same(self, dotted: str) -> Iterator[str]:
        """A name, and all names that it stands for, nearest first."""
        waiting, seen = [dotted], set[str]()
        while waiting and len(seen) < _MOST_STEPS:
            name = waiting.pop(0)
            if name not in seen:
                seen.add(name)
                yield name
                waiting.extend(self._elsewhere(name))

    def _elsewhere(self, dotted: str) -> Iterator[str]:
        """What this name is bound to, one step further."""
        module, path = self._split(dotted)
        if module is None:
            return
        for end in _ends(path):
            start, rest = path[:end], path[end:]
            bound = (*module.names.get(start, ()), *self._stored(module, start))
            for other in bound:
                yield f"{other}{rest}"
            if not bound and start.endswith("]") and not start.endswith(ANY):
                yield f"{module.module}.{start[: start.rindex('[')]}{ANY}{rest}"
            if start in module.classes:
                yield from self._of_class(module, start, rest)
        head = path[: next(iter(_ends(path)))]
        if head not in module.names and not _is_module_below(module, head):
            for star in module.stars:
                yield f"{star}.{path}"

    def _stored(self, module: Reading, path: str) -> Meanings:
        return self._stores.get(f"{module.module}.{path}", ())

    def _of_class(self, module: Reading, path: str, rest: str) -> Iterator[str]:
        """What an attribute of a class, or of an instance of it, stands for."""
        cls = f"{module.module}.{path}"
        if rest.startswith("()"):
            yield f"{cls}{rest[2:]}"
        elif rest.startswith("(self)"):
            yield f"{cls}{rest[6:]}"
            for below in self._classes_below(cls):
                yield f"{below}{rest[6:]}"
        elif rest.startswith("."):
            attribute = rest[: next(iter(_ends(rest[1:]))) + 1]
            if f"{path}{attribute}" not in module.names:  # else the class has its own
                for meanings in module.classes[path].bases:
                    for base in meanings:
                        yield f"{base}{rest}"

    def _classes_below(self, cls: str) -> list[str]:
        """The classes that inherit from a class, as far as they have been read."""
        if self._below is None:
            self._below = {}  # empty for recursive calls meanwhile
            found: dict[str, list[str]] = {}
            for reading in self.modules.values():
                for path in reading.classes:
                    below = f"{reading.module}.{path}"
                    for name in self._lineage(below):
                        if name != below:
                            found.setdefault(name, []).append(below)
            self._below = found
        return self._below.get(cls, [])

    def _passed(self, dotted: str) -> Iterator[tuple[str, ReadCall, str, Meanings]]:
        """If this is a parameter: its function, and the calls with what they pass for it."""
        module, path = self._split(dotted)
        start, opened, rest = path.partition("(")
        name, _, way = rest.partition(")")
        if module is None or not opened or not name or start not in module.functions:
            return
        function = module.functions[start]
        owner = f"{module.module}.{start}"
        for reading, call in self._calls_of(owner):
            for place, inside, meanings in call.given:
                further = _further(function, place, inside, name, way)
                if further is not None:
                    found = tuple(f"{each}{further}" for each in meanings)
                    yield owner, call, reading.path, found

    def _calls_of_function(self, function: str) -> list[tuple[Reading, ReadCall]]:
        """The calls that pass something to a function, or to the class whose init it is."""
        cls, _, short = function.rpartition(".")
        names = {short}
        makes = {cls, *self._classes_below(cls)} if short == "__init__" else set[str]()
        names.update(each.rpartition(".")[2] for each in makes)
        wanted = {function, *makes}
        return [
            (reading, call)
            for name in sorted(names)
            for reading, call in self._calls.get(name, ())
            if not wanted.isdisjoint(self.functions(call.targets))
        ]

    @cached_property
    def _calls(self) -> dict[str, list[tuple[Reading, ReadCall]]]:
        """The calls that pass something, by the last part of the name that they call."""
        found: dict[str, list[tuple[Reading, ReadCall]]] = {}
        for reading in self.modules.values():
            for call in reading.calls:
                for short in {it.rpartition(".")[2] for it in call.targets} if call.given else ():
                    found.setdefault(short, []).append((reading, call))
        return found

    def _split(self, dotted: str) -> tuple[Reading | None, str]:
        """The module that a name is in, and its path there; (None, "") if it was not read."""
        end = len(dotted)
        while (end := dotted.rfind(".", 0, end)) > 0:
            module = self.modules.get(dotted[:end])
            if module is not None:
                return module, dotted[end + 1 :]
        return None, ""


def loaded(dotted: str) -> object:
    """The object with this name in the loaded modules; none of its code runs."""
    end = len(dotted)
    while (end := dotted.rfind(".", 0, end)) > 0:
        found: object = sys.modules.get(dotted[:end], _NOTHING)
        if found is not _NOTHING:
            for step in _STEPS.findall(dotted[end + 1 :]):
                found = _item(found, step) if step[0] == "[" else _attribute(found, step)
            return found
    return None


def _item(container: object, step: str) -> object:
    """The item of a plain dict, list or tuple for ``['paid']`` or ``[0]``."""
    key = ast.literal_eval(step[1:-1]) if step != ANY else None
    kind = type(container)
    if issubclass(kind, dict) and key is not None:
        every = islice(list[Any](dict.items(container)), _MOST_ITEMS)  # type: ignore[arg-type]
        return next((it for own, it in every if type(own) is type(key) and own == key), None)
    if kind in (list, tuple) and type(key) is int and key < len(container):  # type: ignore[arg-type]
        found: object = container[key]  # type: ignore[index]
        return found
    return None


def _attribute(owner: object, name: str) -> object:
    if not is_class(owner):
        found = instance_attribute(owner, name)
        return native_attribute(owner, name) if found is None else found
    found = class_attribute(owner, name)
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found


def _items(container: object) -> list[Signal]:
    """The signals in a plain dict, list, tuple or set."""
    kind = type(container)
    if issubclass(kind, dict):
        container = list(dict.values(container))  # type: ignore[arg-type]
    elif kind not in (list, tuple, set, frozenset):
        return []
    found = islice(iter(container), _MOST_ITEMS)  # type: ignore[call-overload]
    return [each for each in found if issubclass(type(each), Signal)]


def _is_module_below(package: Reading, head: str) -> bool:
    """Whether this is a module of the package that was not read; usually a star import leads here.

    Following the package's star imports for its names would lengthen the name each time.
    """
    name = f"{package.module}.{head}"
    return name in sys.modules or any(f"{star}.".startswith(f"{name}.") for star in package.stars)


def _ends(path: str) -> Iterator[int]:
    """Where the parts of a path end; for ``Cart(self).all['paid']``, five positions."""
    for match in _PART_ENDS.finditer(path):
        if match.start():
            yield match.start()
    yield len(path)


def _further(
    function: ReadFunction, place: int | str, inside: str, name: str, way: str
) -> str | None:
    """The rest of the way from an argument to what is meant; None for another parameter."""
    if isinstance(place, int):
        if place < len(function.positional):
            place = function.positional[place]
        elif function.rest == name and way.startswith("["):
            place, way = name, way[way.index("]") + 1 :]
    if place != name:
        return None
    if way.startswith(inside):
        return way[len(inside) :]
    way, inside = any_key(way), any_key(inside)
    return way[len(inside) :] if way.startswith(inside) else None


def _is_djangos(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    return module in _DJANGO_SIGNALS and name.isidentifier() and name.islower() and name[0] != "_"
