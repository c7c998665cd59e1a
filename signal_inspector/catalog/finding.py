"""Signals and senders by the texts that people type for them."""

from __future__ import annotations

import sys
from typing import Any

from django.apps import apps
from django.dispatch import Signal

from signal_inspector.catalog import sources
from signal_inspector.catalog.matching import matches, near
from signal_inspector.names import anonymous_signals, class_path, loaded_signals, sender_name
from signal_inspector.names.globs import INSTANCE
from signal_inspector.names.safe import class_namespace, is_class, namespace_of

_NOBODY = "None"


class NotFoundError(LookupError):
    """What was meant is not known; its text is a sentence for the person who typed it."""


def find_signal(text: str) -> tuple[str, Signal]:
    """The name of a signal, and the signal, by its name or the end of it.

    Raises ``NotFoundError`` if there is none, or more than one.
    """
    signals = loaded_signals()
    if text in signals:
        return text, signals[text]
    found = [name for name in signals if matches(text, name)]
    if not found:
        anonymous = [(name, signal) for name, signal in anonymous_signals() if name == text]
        if len(anonymous) == 1:
            return anonymous[0]
        raise NotFoundError(_no_signal(text, list(signals), len(anonymous)))
    if len(found) > 1:
        raise NotFoundError(f"{text!r} may be {_listed(sorted(found))}. Say which.")
    return found[0], signals[found[0]]


def _no_signal(text: str, names: list[str], anonymous: int) -> str:
    if anonymous:
        return f"{anonymous} signals are called {text!r}: no module holds one that could be named."
    made = [
        (creation, module.module)
        for module in sources.project_sources()
        for creation in module.creations
        if matches(text, creation.signal)
    ]
    for creation, module_name in made:
        if module_name not in sys.modules:
            return (
                f"{creation.signal} is made in {creation.path}:{creation.line}, but this process "
                f"has not imported {module_name}: nothing can be connected to it."
            )
    perhaps = near(text, names)
    hint = f" Did you mean {_listed(perhaps)}?" if perhaps else ""
    return f"No signal is called {text!r}.{hint}"


def find_sender(text: str, known: tuple[str, ...] = ()) -> Any:
    """The sender that is meant: "shop.Order", a dotted class, a module, "'a text'", or "None".

    Nothing is imported for it. ``known`` are names to suggest. Raises ``NotFoundError``.
    """
    if text == _NOBODY:
        return None
    if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"":
        # A receiver is connected to one text object; that of a literal is the interned one.
        return sys.intern(text[1:-1])
    found = _model(text)
    if found is None:
        found = _loaded(text)
    if found is None:
        raise NotFoundError(_no_sender(text, known))
    return found


def _model(text: str) -> type | None:
    if text.count(".") != 1:
        return None
    try:
        return apps.get_model(text)
    except LookupError:
        return None


def _loaded(text: str) -> Any:
    """A loaded module, or by its dotted name what one holds and a signal may be sent from.

    That is a class, a function, a member of an enumeration, or a signal.
    """
    if text in sys.modules:
        return sys.modules[text]
    module = text
    while module and module not in sys.modules:
        module = module.rpartition(".")[0]
    if not module:
        return None
    found: Any = None
    namespace: Any = namespace_of(sys.modules[module])
    *outer, last = text[len(module) + 1 :].split(".")
    for part in outer:
        found = None if namespace is None else namespace.get(part)
        if not is_class(found):
            return None
        namespace = class_namespace(found)
    members = None if found is None else namespace.get("_member_map_")
    found = members.get(last) if type(members) is dict and last in members else namespace.get(last)
    is_other = found is None or type(found) is str or sender_name(found).endswith(INSTANCE)
    return None if is_other else found


def _no_sender(text: str, known: tuple[str, ...]) -> str:
    models = apps.get_models(include_auto_created=True, include_swapped=True)
    names = {name for model in models for name in (model._meta.label, class_path(model))}
    perhaps = near(text, sorted(names | set(known)))
    hint = f" Did you mean {_listed(perhaps)}?" if perhaps else ""
    return (
        f"No model, loaded class or module is called {text!r}.{hint} "
        "A text that is the sender itself stands in quotes: \"'checkout'\"."
    )


def _listed(names: list[str]) -> str:
    """ "a", "a or b", "a, b or c"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
