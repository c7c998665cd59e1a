"""Reading objects that are not ours without running their code.

Attributes come straight from instance and class dictionaries and from descriptors written in C,
past ``__getattr__``, ``__getattribute__``, properties and metaclasses.
"""

from __future__ import annotations

from types import CodeType, GetSetDescriptorType, MappingProxyType, MemberDescriptorType
from typing import Any, TypeGuard

from signal_inspector.core import internal_errors
from signal_inspector.names.identity import IdentityMap

_type_namespace = type.__dict__["__dict__"].__get__
_type_module = type.__dict__["__module__"].__get__
_type_qualname = type.__dict__["__qualname__"].__get__
_type_mro = type.__dict__["__mro__"].__get__

class_paths: IdentityMap[str] = IdentityMap()

#: Code, and the instruction of it that ran: the line is told when somebody reads it, as Python
#: counts through all lines of the code before it.
Place = tuple[CodeType, int]


def is_class(value: object) -> TypeGuard[type]:
    """``isinstance(value, type)``, past a ``__class__`` that says otherwise."""
    return issubclass(type(value), type)


def class_namespace(cls: type) -> MappingProxyType[str, Any]:
    """The attributes that the class itself defines."""
    namespace: MappingProxyType[str, Any] = _type_namespace(cls)
    return namespace


def class_mro(cls: type) -> tuple[type, ...]:
    """The class and its bases, in the order in which attributes are looked up."""
    mro: tuple[type, ...] = _type_mro(cls)
    return mro


def class_module(cls: type) -> str:
    """The name of the module that the class says it is from; "" when it says nothing of use."""
    try:
        module = _type_module(cls)
    except AttributeError:
        return ""
    return module if type(module) is str else ""


def class_path(cls: type) -> str:
    """The dotted name of a class: "shop.models.Order"."""
    path = class_paths.by_id.get(id(cls))
    if path is None:
        module = class_module(cls)
        qualname: str = _type_qualname(cls)
        path = f"{module}.{qualname}" if module else qualname
        class_paths.set(cls, path)
    return path


def namespace_of(obj: object) -> dict[str, Any] | None:
    """The instance dictionary of an object or module, not a copy; None when there is none.

    None, too, where a class has a property of this name, as Celery's lazy tasks have: to ask it
    runs code.
    """
    namespace = native_attribute(obj, "__dict__")
    return namespace if issubclass(type(namespace), dict) else None  # type: ignore[return-value]


def instance_attribute(obj: object, name: str) -> object | None:
    """What stands under this name in the object's own dictionary."""
    namespace = namespace_of(obj)
    return None if namespace is None else dict.get(namespace, name)


def class_attribute(cls: type, name: str) -> object | None:
    """What the class or the nearest base defines under this name, as it stands there."""
    for base in class_mro(cls):
        namespace = class_namespace(base)
        if name in namespace:
            found: object = namespace[name]
            return found
    return None


def native_attribute(obj: object, name: str) -> object | None:
    """An attribute that a slot, or a type written in C, provides."""
    descriptor: Any = class_attribute(type(obj), name)
    if not issubclass(type(descriptor), (MemberDescriptorType, GetSetDescriptorType)):
        return None
    try:
        value: object = descriptor.__get__(obj, type(obj))
    except AttributeError:  # an empty slot
        return None
    except Exception as error:  # a type with an opinion
        internal_errors.let_through(error)
        return None
    return value


def line_at(code: CodeType, instruction: int) -> int:
    """The line that a frame of this code was at, from its ``f_lasti``; 0 if it was at none."""
    for start, end, line in code.co_lines():
        if start <= instruction < end:
            return line or 0
    return 0
