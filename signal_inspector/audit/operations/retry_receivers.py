"""Find the signal, the sender and the receiver of a record among the objects of this process.

A dotted name is looked up only in modules that are loaded already: nothing is imported.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from django.apps import apps
from django.db import router
from django.db.models import Model
from django.dispatch import Signal

from signal_inspector import catalog
from signal_inspector.audit.sanitize import name_text
from signal_inspector.core.wrapper import django_entries
from signal_inspector.display.text import place
from signal_inspector.names import (
    class_path,
    loaded_signals,
    receiver_name,
    sender_name,
    signal_name,
    unmarked,
)
from signal_inspector.names.safe import class_namespace, derives, is_class, namespace_of
from signal_inspector.names.senders import INSTANCE

_MOST_PARTS = 50

NOBODY: Final = "None"  # what the log has as the sender if there was none


def loaded_object(path: str) -> object | None:
    """The object that loaded modules and classes hold in their dicts under this dotted name.

    A module's ``__getattr__``, properties and metaclasses are not used, so the lookup runs no
    code. None if there is no such object.
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
    """The loaded class under this dotted name, if this is also the name it was defined with."""
    found = loaded_object(path)
    return found if is_class(found) and class_path(found) == path else None


def loaded_member(path: str) -> object | None:
    """The member of a loaded enumeration, such as "shop.Color.RED"."""
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


class NotFoundError(Exception):
    """What the record names does not exist, or is ambiguous; the message tells a person why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A receiver that is connected now."""

    function: Any
    is_async: bool
    place: str  # "shop/receivers.py:18"; "" if it is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundReceiver:
    """Everything that a call needs, except its arguments."""

    signal: Signal
    sender: Any
    receiver: Receiver

    @property
    def sender_alias(self) -> str | None:
        """The database to which the sender is written, if that is a model."""
        return router.db_for_write(self.sender) if _is_model(self.sender) else None


def find(signal: str, sender: str, receiver: str) -> FoundReceiver:
    """The objects that these names of the log stand for now; raises ``NotFoundError``."""
    live_signal = find_signal(signal)
    live_sender = find_sender(sender)
    live_receiver = find_receiver(live_signal, live_sender, receiver, signal)
    return FoundReceiver(signal=live_signal, sender=live_sender, receiver=live_receiver)


def find_signal(name: str) -> Signal:
    """The signal that a loaded module holds under this name."""
    found = loaded_object(name)
    if issubclass(type(found), Signal) and name_text(signal_name(found)) == name:  # type: ignore[arg-type]
        return found  # type: ignore[return-value]
    for each, signal in loaded_signals().items():  # a signal in a dict has the key in its name
        if name_text(each) == name:
            return signal
    raise NotFoundError(f"no signal {name} is loaded")


def find_sender(name: str) -> Any:
    """The sender: None, a text, a model, or an object in a module of an installed app.

    Such an object is a class, a function, a member of an enumeration, a signal, or a module.
    """
    if name == NOBODY:
        return None
    if name[:1] == name[-1:] == "'" and len(name) > 2:
        # Django compares senders by id(), so the string has to be the same object. Literals that
        # look like identifiers are interned by Python.
        return sys.intern(name[1:-1])
    if name.endswith(INSTANCE):
        why = f"the sender was an instance of {unmarked(name)}, and the log does not say which one"
        raise NotFoundError(why)
    for model in apps.get_models(include_auto_created=True, include_swapped=True):
        if name_text(class_path(model)) == name:
            return model
    if apps.get_containing_app_config(name) is not None:
        for found in (loaded_object(name), loaded_member(name), loaded_module(name)):
            if found is not None and name_text(sender_name(found)) == name:
                return found
    raise NotFoundError(f"no sender {name} was found among the models and in the installed apps")


def find_receiver(signal: Signal, sender: Any, name: str, signal_text: str) -> Receiver:
    """The only receiver of this name that a send from this sender would reach now."""
    mine = django_entries.lookup_key(None, sender, None)[1]
    reached: dict[object, Receiver] = {}
    others = 0
    for key, function, is_async in django_entries.entries(signal):
        told = None if function is None else receiver_name(function)
        if told is None or name_text(told.name) != name:
            continue
        if not django_entries.hears_any_sender(key) and key[1] != mine:
            others += 1
            continue
        reached[django_entries.lookup_key(function, None, None)[0]] = Receiver(
            function=function,
            is_async=is_async,
            place=place(told.path, told.line),
        )
    if len(reached) == 1:
        return next(iter(reached.values()))
    if reached:
        why = (
            f"{len(reached)} receivers of this name are connected, and the log does not say "
            "which one it was"
        )
        raise NotFoundError(why)
    raise NotFoundError(_why_not(signal, name, signal_text, others))


def _why_not(signal: Signal, name: str, signal_text: str, others: int) -> str:
    if others:
        return "it is connected for another sender only"
    entries = catalog.receivers_of(signal)
    if any(entry.is_dead and name_text(entry.receiver) == name for entry in entries):
        return "it was garbage collected"
    return f"it is not connected to {signal_text} in this process"


def _is_model(sender: object) -> bool:
    return is_class(sender) and derives(sender, Model)
