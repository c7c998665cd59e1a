"""What a sender is called."""

from __future__ import annotations

from types import ModuleType

from signal_inspector.names.safe import class_path, class_paths, instance_attribute, is_class

_MAX_TEXT = 80


def sender_name(sender: object) -> str:
    """A short, stable name of a sender; none of the sender's own code runs.

    A class: its dotted name. None: "None". A module: its name. A str that looks like a dotted
    identifier of at most 80 characters: itself in quotes, as in "'checkout'"; any other str:
    "str", as it may hold anything. Everything else: the dotted name of its class.
    """
    path = class_paths.by_id.get(id(sender))
    if path is not None:
        return path
    if sender is None:
        return "None"
    if is_class(sender):
        return class_path(sender)
    if type(sender) is str:
        return f"'{sender}'" if _is_dotted_identifier(sender) else "str"
    if issubclass(type(sender), ModuleType):
        name = instance_attribute(sender, "__name__")
        if type(name) is str:
            return name
    return class_path(type(sender))


def _is_dotted_identifier(text: str) -> bool:
    return len(text) <= _MAX_TEXT and all(part.isidentifier() for part in text.split("."))
