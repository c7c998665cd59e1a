"""What stands under a dotted name in modules that are loaded already. Nothing is imported."""

from __future__ import annotations

import sys
from types import ModuleType

from signal_inspector.names import class_path
from signal_inspector.names.safe import class_namespace, is_class, namespace_of

_MOST_PARTS = 50


def loaded_object(path: str) -> object | None:
    """What the dicts of loaded modules and classes hold under this dotted name.

    Neither a module's ``__getattr__`` nor a property or metaclass is asked, so looking runs no
    code. None where there is nothing.
    """
    parts = path.split(".")
    if len(parts) > _MOST_PARTS:
        return None
    for end in range(len(parts) - 1, 0, -1):
        module = loaded_module(".".join(parts[:end]))
        if module is not None:
            return _inside(module, parts[end:])
    return None


def loaded_class(path: str) -> type | None:
    """The loaded class of this dotted name, if it goes by that name itself."""
    found = loaded_object(path)
    return found if is_class(found) and class_path(found) == path else None


def loaded_member(path: str) -> object | None:
    """The member of a loaded enumeration: "shop.Color.RED"."""
    cls = loaded_class(path.rpartition(".")[0])
    members = None if cls is None else class_namespace(cls).get("_member_map_")
    return dict.get(members, path.rpartition(".")[2]) if type(members) is dict else None


def loaded_module(name: str) -> ModuleType | None:
    """The loaded module of this name."""
    module = sys.modules.get(name)
    return module if issubclass(type(module), ModuleType) else None


def _inside(module: ModuleType, parts: list[str]) -> object | None:
    found: object | None = module
    for number, part in enumerate(parts):
        if number and not is_class(found):
            return None
        namespace = class_namespace(found) if is_class(found) else namespace_of(found)
        found = None if namespace is None else namespace.get(part)
    return found
