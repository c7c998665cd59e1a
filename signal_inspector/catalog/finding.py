"""Finds signals, senders and receivers by the texts that people type for them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.dispatch import Signal

from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry
from signal_inspector.display.text import did_you_mean, listing, place
from signal_inspector.names import (
    anonymous_signals,
    class_path,
    loaded_signals,
    matches,
    sender_name,
)
from signal_inspector.names.safe import class_namespace, is_class, namespace_of
from signal_inspector.names.senders import INSTANCE
from signal_inspector.source_code import project

_NOBODY = "None"


def app_label_of(name: str) -> str:
    """The label of the installed app that an object of this dotted name is in; "" if none."""
    config = apps.get_containing_app_config(name)
    return "" if config is None else config.label


def sender_names(text: str) -> set[str]:
    """The names in an entry that this text for a sender may mean.

    A text of the form ``app_label.Model`` means the model, and also the text itself in lower
    case, which is the sender of a connection that waits for the model.
    """
    names = {text, f"'{text}'"}
    if text.count(".") == 1:
        names.add(text.lower())
        with contextlib.suppress(LookupError):
            names.add(class_path(apps.get_model(text)))
    return names


class NotFoundError(LookupError):
    """It is not known what was meant; the message is a sentence for the person who typed it."""


def find_signal(text: str) -> tuple[str, Signal]:
    """The name of a signal, and the signal, given its name or the end of it.

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
        raise NotFoundError(
            f"{text!r} is ambiguous: it may be {listing(sorted(found), joint='or')}. Use the "
            "full name."
        )
    return found[0], signals[found[0]]


def _no_signal(text: str, names: list[str], anonymous: int) -> str:
    if anonymous:
        return (
            f"{anonymous} signals are called {text!r}, but none of them is an attribute of a "
            "module, so none can be named."
        )
    made = [
        (creation, module.module)
        for module in project.project_sources()
        for creation in module.creations
        if matches(text, creation.signal)
    ]
    for creation, module_name in made:
        if module_name not in sys.modules:
            return (
                f"{creation.signal} is created in {place(creation.path, creation.line)}, but "
                f"this process has not imported {module_name}, so nothing is connected to it."
            )
    return f"No signal is called {text!r}.{did_you_mean(text, names)}"


def find_sender(text: str, known: tuple[str, ...] = ()) -> Any:
    """The sender that is meant: "shop.Order", a dotted class, a module, "'a text'", or "None".

    Nothing is imported for it. ``known`` are names to suggest. Raises ``NotFoundError``.
    """
    if text == _NOBODY:
        return None
    if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"":
        # A receiver is connected to one string object; that of a literal is interned.
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
    """A loaded module, or an object in a loaded module that may be a sender, by its dotted name.

    Such an object is a class, a function, a member of an enumeration, or a signal.
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
    hint = did_you_mean(text, names.union(known))
    return (
        f"No model, loaded class or module is called {text!r}.{hint} If the sender is a string, "
        "write it in quotes: \"'checkout'\"."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The conditions of a search; an empty text is no condition."""

    app: str = ""  # label or name of an installed app that defines the signal or a receiver
    signal: str = ""
    receiver: str = ""
    sender: str = ""  # the sender that a receiver is limited to

    def has_signal(self, entry: SignalEntry) -> bool:
        """Whether the signal meets the conditions, apart from those on receivers."""
        return not self.signal or matches(self.signal, entry.signal)

    def has_receiver(self, signal: SignalEntry, receiver: ReceiverEntry) -> bool:
        """Whether this receiver, of a signal that meets the conditions, meets them too."""
        if self.receiver and not matches(self.receiver, receiver.receiver):
            return False
        if self.sender and not self._has_sender(receiver):
            return False
        return not self.app or self._is_of_app(signal.signal) or self._is_of_app(receiver.receiver)

    def has_bare(self, entry: SignalEntry) -> bool:
        """Whether the signal is wanted even if none of its receivers is."""
        if self.receiver or self.sender:
            return False
        return not self.app or self._is_of_app(entry.signal)

    def _is_of_app(self, name: str) -> bool:
        config = apps.get_containing_app_config(name)
        return config is not None and self.app in (config.label, config.name)

    def _has_sender(self, receiver: ReceiverEntry) -> bool:
        if receiver.sender is None:
            return False
        if receiver.sender in sender_names(self.sender):
            return True
        return not receiver.is_pending and matches(self.sender, receiver.sender)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """A signal, and those of its receivers that are wanted."""

    entry: SignalEntry
    #: With the place in the order of execution, from 1 on; None if it is not called.
    receivers: tuple[tuple[int | None, ReceiverEntry], ...]
    left_out: int  # the number of receivers that are not wanted


def select(entries: Sequence[SignalEntry], wanted: Wanted) -> Iterator[Selected]:
    """The signals that are wanted, with their wanted receivers."""
    for entry in entries:
        if not wanted.has_signal(entry):
            continue
        everyone = list(in_order(entry))
        receivers = tuple(pair for pair in everyone if wanted.has_receiver(entry, pair[1]))
        if receivers or wanted.has_bare(entry):
            yield Selected(
                entry=entry, receivers=receivers, left_out=len(everyone) - len(receivers)
            )


def in_order(entry: SignalEntry) -> Iterator[tuple[int | None, ReceiverEntry]]:
    """All receivers of a signal with their places; first those that are called."""
    place = 0
    for receiver in entry.receivers:
        place += not receiver.is_dead
        yield (None if receiver.is_dead else place), receiver
    for receiver in (*entry.senderless, *entry.taken_out, *entry.pending):
        yield None, receiver
