"""Reading classes and instances without running a line of their code.

``isinstance`` asks ``__class__``, which proxies answer by loading what they stand for; ``getattr``
runs properties and deferred fields; even a class used as a dict key runs its metaclass's
``__hash__``. The readers here go to the C slots of ``type`` and the plain instance dict instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, Final

from signal_inspector.payload.text import one_line

MISSING: Final = object()
_NAME_LENGTH = 200

_type_slots: Mapping[str, Any] = type.__dict__
mro: Callable[[type], tuple[type, ...]] = _type_slots["__mro__"].__get__
namespace: Callable[[type], Mapping[str, Any]] = _type_slots["__dict__"].__get__
_module: Callable[[type], object] = _type_slots["__module__"].__get__
_qualname: Callable[[type], str] = _type_slots["__qualname__"].__get__


def type_name(cls: type) -> str:
    """The dotted name of a class; builtins by their bare name."""
    module = _module(cls)
    name = one_line(_qualname(cls), _NAME_LENGTH)
    if type(module) is not str or module == "builtins":
        return name
    return f"{one_line(module, _NAME_LENGTH)}.{name}"


def short_name(cls: type) -> str:
    """The last part of a class's name."""
    return one_line(_qualname(cls).rpartition(".")[2], _NAME_LENGTH)


def derives(cls: type, base: type) -> bool:
    """``issubclass`` without ``__subclasscheck__``."""
    return any(ancestor is base for ancestor in mro(cls))


def class_attribute(cls: type, name: str) -> Any:
    """What a class or its bases hold under a name, unbound, or ``MISSING``."""
    for ancestor in mro(cls):
        found = namespace(ancestor).get(name, MISSING)
        if found is not MISSING:
            return found
    return MISSING


def instance_dict_of(cls: type) -> Callable[[object], dict[str, Any]] | None:
    """What reads the dict of the class's instances past any ``__dict__`` of their own."""
    for ancestor in mro(cls):
        found = namespace(ancestor).get("__dict__")
        if type(found) is GetSetDescriptorType:
            reader: Callable[[object], dict[str, Any]] = found.__get__
            return reader
    return None


def attribute(value: object, name: str) -> Any:
    """What an instance's dict or slot holds under a name, or ``MISSING``; never a property."""
    read = instance_dict_of(type(value))
    if read is not None:
        stored = dict.get(read(value), name, MISSING)
        if stored is not MISSING:
            return stored
    slot = class_attribute(type(value), name)
    if type(slot) is MemberDescriptorType:
        try:
            return slot.__get__(value)
        except AttributeError:
            return MISSING
    return MISSING
