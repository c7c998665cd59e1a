"""Reads the user's objects without running their code, and keeps values by object.

Attributes come straight from instance and class dictionaries and from descriptors written in C,
bypassing ``__getattr__``, ``__getattribute__``, properties and metaclasses. Values for an object
are kept by its identity, bypassing its ``__eq__`` and ``__hash__``.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType, GetSetDescriptorType, MappingProxyType, MemberDescriptorType
from typing import Any, Final, Generic, TypeGuard, TypeVar, overload

from signal_inspector.core import internal_errors

#: Bound here, because a test may replace ``weakref.ref`` to see how Django calls it.
_weak = weakref.ref

V = TypeVar("V")
D = TypeVar("D")

#: Stands for a missing value where None may be a value.
MISSING: Final = object()

_type: Mapping[str, Any] = type.__dict__
_type_module = _type["__module__"].__get__
_type_qualname: Callable[[type], str] = _type["__qualname__"].__get__

#: The attributes that a class itself defines.
class_namespace: Callable[[type], MappingProxyType[str, Any]] = _type["__dict__"].__get__

#: A class and its bases, in the order in which attributes are looked up.
class_mro: Callable[[type], tuple[type, ...]] = _type["__mro__"].__get__

#: A code object, and the instruction in it that ran. The line is only computed when it is read,
#: because Python goes through all earlier lines of the code for that.
Place = tuple[CodeType, int]


class IdentityMap(Generic[V]):
    """Values by the identity of an object, for as long as that object lives.

    Unlike ``WeakKeyDictionary``, it never calls the object's ``__eq__`` or ``__hash__``. It is
    thread-safe without a lock: every entry of ``by_id`` has a weak reference, which is only
    removed when its object dies, so that a reused id never finds its predecessor's value.
    """

    __slots__ = ("__weakref__", "_refs", "by_id")

    def __init__(self) -> None:
        #: For hot paths: ``map.by_id.get(id(obj))``, while ``obj`` is alive. Read only.
        self.by_id: dict[int, V] = {}
        self._refs: dict[int, tuple[weakref.ref[object], weakref.ref[object]]] = {}

    @overload
    def get(self, obj: object) -> V | None: ...
    @overload
    def get(self, obj: object, default: D) -> V | D: ...
    def get(self, obj: object, default: D | None = None) -> V | D | None:
        """The value kept for ``obj``."""
        return self.by_id.get(id(obj), default)

    def set(self, obj: object, value: V) -> bool:
        """Keep ``value`` while ``obj`` lives; False if it cannot be weakly referenced."""
        key = id(obj)
        refs = self._refs.get(key)
        if refs is None or refs[0]() is not obj:
            # Python calls these before it frees the object, so the id cannot be in use again yet.
            # They are not our functions, because what a signal handler raises in a callback would
            # be lost. Each is called with the reference, which pop() takes as its default.
            forget, let_go = partial(self.by_id.pop, key), partial(self._refs.pop, key)
            try:
                # The reference that was made last is called first.
                self._refs[key] = _weak(obj, let_go), _weak(obj, forget)
            except TypeError:
                return False
        self.by_id[key] = value
        return True

    @overload
    def pop(self, obj: object) -> V | None: ...
    @overload
    def pop(self, obj: object, default: D) -> V | D: ...
    def pop(self, obj: object, default: D | None = None) -> V | D | None:
        """Remove and return the value kept for ``obj``."""
        return self.by_id.pop(id(obj), default)

    def clear(self) -> None:
        """Remove all values."""
        # The references stay, because a thread in the middle of set() relies on one it found.
        self.by_id.clear()

    def objects(self) -> list[object]:
        """The live objects that have a value."""
        found = [(key, refs[0]()) for key, refs in list(self._refs.items())]
        return [obj for key, obj in found if obj is not None and key in self.by_id]

    def __contains__(self, obj: object) -> bool:
        return id(obj) in self.by_id

    def __len__(self) -> int:
        return len(self.by_id)


class_paths: IdentityMap[str] = IdentityMap()


def is_class(value: object) -> TypeGuard[type]:
    """``isinstance(value, type)``, bypassing a ``__class__`` that says otherwise."""
    return issubclass(type(value), type)


def derives(cls: type, base: type) -> bool:
    """``issubclass``, bypassing ``__subclasscheck__``."""
    return any(ancestor is base for ancestor in class_mro(cls))


def class_module(cls: type) -> str:
    """The name of the module that the class says it is from; "" if that is not a usable name."""
    try:
        module = _type_module(cls)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def plain_text(text: str) -> str:
    """The text as a plain ``str``: a subclass of ``str`` may have the user's methods."""
    return text if type(text) is str else str.__str__(text)


def class_qualname(cls: type) -> str:
    """The name of a class inside its module: "Order.Meta"."""
    return plain_text(_type_qualname(cls))


def class_path(cls: type) -> str:
    """The dotted name of a class: "shop.models.Order"."""
    path = class_paths.by_id.get(id(cls))
    if path is None:
        module = class_module(cls)
        qualname = class_qualname(cls)
        path = f"{module}.{qualname}" if module else qualname
        class_paths.set(cls, path)
    return path


def namespace_of(obj: object) -> dict[str, Any] | None:
    """The instance dictionary of an object or module, not a copy; None if there is none.

    Also None if the class has a property named ``__dict__``, as Celery's lazy tasks have, because
    reading that would run code.
    """
    namespace = native_attribute(obj, "__dict__")
    return namespace if issubclass(type(namespace), dict) else None  # type: ignore[return-value]


def instance_attribute(obj: object, name: str) -> object | None:
    """The value of this name in the object's own dictionary."""
    namespace = namespace_of(obj)
    return None if namespace is None else dict.get(namespace, name)


def stored_attribute(obj: object, name: str) -> Any:
    """The value of this name in the object's dictionary or slot, or ``MISSING``."""
    read = instance_dict_of(type(obj))
    if read is not None:
        stored = dict.get(read(obj), name, MISSING)
        if stored is not MISSING:
            return stored
    slot = class_attribute(type(obj), name)
    if type(slot) is MemberDescriptorType:
        try:
            return slot.__get__(obj)
        except AttributeError:
            return MISSING
    return MISSING


def instance_dict_of(cls: type) -> Callable[[object], dict[str, Any]] | None:
    """A reader of the instances' dictionaries, bypassing any ``__dict__`` that they define."""
    for base in class_mro(cls):
        found = class_namespace(base).get("__dict__")
        if type(found) is GetSetDescriptorType:
            reader: Callable[[object], dict[str, Any]] = found.__get__
            return reader
    return None


def class_attribute(cls: type, name: str, default: object = None) -> Any:
    """What the class or the nearest base defines under this name, unbound."""
    for base in class_mro(cls):
        found = class_namespace(base).get(name, MISSING)
        if found is not MISSING:
            return found
    return default


def native_attribute(obj: object, name: str) -> object | None:
    """An attribute that a slot, or a type written in C, provides."""
    descriptor = class_attribute(type(obj), name)
    if not issubclass(type(descriptor), (MemberDescriptorType, GetSetDescriptorType)):
        return None
    try:
        value: object = descriptor.__get__(obj, type(obj))
    except AttributeError:  # an empty slot
        return None
    except Exception as error:  # a type that refuses
        internal_errors.let_through(error)
        return None
    return value


def line_at(code: CodeType, instruction: int) -> int:
    """The line that a frame of this code was at, from its ``f_lasti``; 0 if there is none."""
    for start, end, line in code.co_lines():
        if start <= instruction < end:
            return line or 0
    return 0
