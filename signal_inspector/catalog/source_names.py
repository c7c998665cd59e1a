"""Which names of the sources are signals: imports and re-exports are followed through all of them.

What is loaded knows best: a name that leads to a Signal in ``sys.modules`` is that signal, under
the name it goes by at run time. Nothing is imported for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Final

from django.dispatch import Signal

from signal_inspector.catalog.source_readings import Meanings, Reading
from signal_inspector.names import signal_name
from signal_inspector.names.safe import class_attribute, class_mro, instance_attribute, is_class

_MOST_STEPS = 50  # from a name to what it stands for
_NOTHING: Final = object()

_SIGNAL_CLASSES = {
    "django.dispatch.Signal",
    "django.dispatch.dispatcher.Signal",
    "django.db.models.signals.ModelSignal",
}
_RECEIVER = {"django.dispatch.receiver", "django.dispatch.dispatcher.receiver"}
#: Modules in which every public name that is written small is a signal, loaded or not.
_DJANGO_SIGNALS = {
    "django.contrib.auth.signals",
    "django.core.signals",
    "django.db.backends.signals",
    "django.db.models.signals",
    "django.test.signals",
}


class Names:
    """What the dotted names of many readings stand for."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self.modules = {reading.module: reading for reading in readings}
        self.signal = lru_cache(maxsize=None)(self._signal)
        self.function = lru_cache(maxsize=None)(self._function)
        self._created = {
            creation.signal
            for reading in self.modules.values()
            for creation in reading.creations
            if any(self.is_signal_class(each) for each in creation.classes)
        }

    def signals(self, found: Meanings) -> list[str]:
        """The signals among what a name may stand for, by the names they go by."""
        names = [name for each in found if (name := self.signal(each)) is not None]
        return list(dict.fromkeys(names))

    def functions(self, found: Meanings) -> list[str]:
        """The functions, methods and classes among what a name may stand for."""
        names = [name for each in found if (name := self.function(each)) is not None]
        return list(dict.fromkeys(names))

    def is_receiver_decorator(self, found: Meanings) -> bool:
        """Whether this may be ``django.dispatch.receiver``."""
        return any(name in _RECEIVER for each in found for name in self._same(each))

    def is_signal_class(self, dotted: str) -> bool:
        """Whether this is ``Signal`` or inherits from it."""
        return any(
            name in _SIGNAL_CLASSES or (is_class(it := loaded(name)) and Signal in class_mro(it))
            for name in self._lineage(dotted)
        )

    def takes_providing_args(self, classes: Meanings) -> bool:
        """Whether arguments go to Django's own ``Signal.__init__``, which knows them no more."""
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
        """All that a class is called, and the same of its bases."""
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
            found = loaded(name)
            if issubclass(type(found), Signal):
                return signal_name(found)  # type: ignore[arg-type]
            if name in self._created or _is_djangos(name):
                return name
        return None

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
        """A name, and all the names that it stands for, nearest first."""
        waiting, seen = [dotted], set[str]()
        while waiting and len(seen) < _MOST_STEPS:
            name = waiting.pop(0)
            if name not in seen:
                seen.add(name)
                yield name
                waiting.extend(self._elsewhere(name))

    def _elsewhere(self, dotted: str) -> Iterator[str]:
        module, path = self._split(dotted)
        if module is None:
            return
        head, dot, rest = path.partition(".")
        for other in module.names.get(head, ()):
            yield f"{other}{dot}{rest}"
        if head not in module.names:
            for star in module.stars:
                yield f"{star}.{path}"
        owner, _, attribute = path.rpartition(".")
        if owner in module.classes:
            for meanings in module.classes[owner].bases:
                for base in meanings:
                    yield f"{base}.{attribute}"

    def _split(self, dotted: str) -> tuple[Reading | None, str]:
        """The module that a name is in, and its path there; (None, "") of what was not read."""
        end = len(dotted)
        while (end := dotted.rfind(".", 0, end)) > 0:
            module = self.modules.get(dotted[:end])
            if module is not None:
                return module, dotted[end + 1 :]
        return None, ""


def loaded(dotted: str) -> object:
    """What stands in the loaded modules under this name; none of its code runs."""
    end = len(dotted)
    while (end := dotted.rfind(".", 0, end)) > 0:
        found: object = sys.modules.get(dotted[:end], _NOTHING)
        if found is not _NOTHING:
            for attribute in dotted[end + 1 :].split("."):
                found = _attribute(found, attribute)
            return found
    return None


def _attribute(owner: object, name: str) -> object:
    if issubclass(type(owner), ModuleType):
        return instance_attribute(owner, name)
    found = class_attribute(owner, name) if is_class(owner) else None
    return found.__func__ if isinstance(found, staticmethod | classmethod) else found


def _is_djangos(dotted: str) -> bool:
    module, _, name = dotted.rpartition(".")
    return module in _DJANGO_SIGNALS and name.islower() and not name.startswith("_")
