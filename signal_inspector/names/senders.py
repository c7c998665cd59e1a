"""The name of a sender, and whether a name is the one that a person means."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from enum import Enum
from fnmatch import fnmatchcase
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Final

from django.dispatch import Signal

from signal_inspector.names.receivers import PARTIAL, receiver_name, task_of
from signal_inspector.names.safe import (
    IdentityMap,
    class_path,
    class_paths,
    instance_attribute,
    is_class,
)
from signal_inspector.names.signals import signal_name

#: The end of the name of a sender that is named by its class.
INSTANCE: Final = " instance"

#: Names by class, for senders that are named by their class.
instance_names: IdentityMap[str] = IdentityMap()

_MAX_TEXT = 80
_WILDCARD = re.compile(r"[*?\[]")
_FUNCTIONS: Final = (
    FunctionType,
    MethodType,
    BuiltinFunctionType,
    functools.partial,
    functools._lru_cache_wrapper,
)


def sender_name(sender: object) -> str:
    """A short, stable name of a sender; none of the sender's own code runs.

    A class: its dotted name. None: "None". A module: its name. A function, a bound method, a task
    of Celery: its dotted name. A member of an enumeration: "shop.Color.RED". Another signal: its
    name. A str that looks like a dotted identifier of at most 80 characters: itself in quotes, as
    in "'checkout'"; any other str: "str", because it may contain anything. Everything else is
    named by its class: "shop.views.View instance".
    """
    path = class_paths.by_id.get(id(sender))
    if path is not None:
        return path
    if sender is None:
        return "None"
    if is_class(sender):
        return class_path(sender)
    kind = type(sender)
    if kind is str:
        return f"'{sender}'" if _is_dotted_identifier(sender) else "str"  # type: ignore[arg-type]
    name = instance_names.by_id.get(id(kind))
    if name is None:
        own = _own_name(sender, kind)
        if own:
            return own
        name = f"{class_path(kind)}{INSTANCE}"
        if own is None:
            instance_names.set(kind, name)
    return name


def unmarked(name: str) -> str:
    """Only the dotted name of "shop.views.View instance" and "shop.receivers.log (partial)"."""
    return name.removesuffix(INSTANCE).removesuffix(PARTIAL)


def ends_with(name: str, text: str) -> bool:
    """Whether a text is a dotted name or its last parts, as a person types it, with case.

    "order_placed" and "signals.order_placed" both mean shop.signals.order_placed. "View" means
    "shop.views.View instance", too, and "log" a partial of it.
    """
    dotted = f".{text}"
    return any(each == text or each.endswith(dotted) for each in (name, unmarked(name)))


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern is a dotted name or its last parts, or a glob that matches either."""
    if ends_with(name, pattern):
        return True
    return _WILDCARD.search(pattern) is not None and any(
        fnmatchcase(part, pattern) for each in {name, unmarked(name)} for part in _endings(each)
    )


def _endings(name: str) -> Iterator[str]:
    parts = name.split(".")
    for start in range(len(parts)):
        yield ".".join(parts[start:])


def _own_name(sender: object, kind: type) -> str | None:
    """The name of an object that has one, or "" if it should have; None for all others."""
    if issubclass(kind, ModuleType):
        name = instance_attribute(sender, "__name__")
        return name if type(name) is str else ""
    if issubclass(kind, Signal):
        return signal_name(sender)  # type: ignore[arg-type]
    if issubclass(kind, Enum):
        name = instance_attribute(sender, "_name_")
        # Combined flags are named "RED|BLUE", and there may be very many combinations.
        is_one = type(name) is str and name.isidentifier()
        return f"{class_path(kind)}.{name}" if is_one else ""
    if issubclass(kind, _FUNCTIONS) or task_of(sender) is not None:
        return receiver_name(sender).name
    return None


def _is_dotted_identifier(text: str) -> bool:
    return len(text) <= _MAX_TEXT and all(part.isidentifier() for part in text.split("."))
