"""What a list of connections does not show: what waits for a model, and what is called twice.

``post_save.connect(f, sender="shop.Order")`` waits in Django's app registry until the model is
loaded; the signal knows nothing about it. If the model is never loaded, for example because of a
typo, the connection stays there forever. A receiver is called twice if it is connected twice, or
if its module is imported twice.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import ReceiverName
from signal_inspector.core.wrapper.django_entries import Entry, hears_any_sender
from signal_inspector.display.numbers import often
from signal_inspector.display.text import listing, near
from signal_inspector.names import receiver_name
from signal_inspector.names.receivers import innermost

#: Why a receiver runs twice although each connection is of another object.
TWO_NAMES: Final = "its module was imported under two names"

Key = tuple[str | None, str | None]  # the dispatch_uid and the sender of a connection
Way = tuple[str, str]  # "without", "dispatch_uid"

if TYPE_CHECKING:
    from signal_inspector.catalog.entries import ReceiverEntry

    Pair = tuple[Entry, ReceiverEntry]

_real_path = lru_cache(maxsize=4_096)(os.path.realpath)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingConnection:
    """One ``ModelSignal.connect`` whose model is not loaded."""

    receiver: ReceiverName
    model: str  # "shop.order": Django keeps the model's name in lower case
    is_async: bool
    is_weak: bool
    dispatch_uid: str | None


def pending_connections() -> dict[int, tuple[PendingConnection, ...]]:
    """The pending connections by the signal's id, in the order in which they were made."""
    found: dict[int, list[PendingConnection]] = {}
    try:
        for model, operation in _operations():
            read = _connect_call(operation)
            if read is not None:
                signal, receiver, options = read
                found.setdefault(id(signal), []).append(_pending(model, receiver, options))
    except Exception as error:  # the registry is Django's own business
        internal_errors.report("connections waiting for a model", error)
    return {signal: tuple(waiting) for signal, waiting in found.items()}


def _operations() -> Iterator[tuple[str, Any]]:
    """The models that are waited for, and what to do when they are loaded."""
    # A copy: another thread may be loading models.
    for key, operations in list(dict.copy(apps._pending_operations).items()):
        app_label, model = key
        for operation in list(operations):
            yield f"{app_label}.{model}", operation


def _connect_call(operation: Any) -> tuple[Signal, Any, dict[str, Any]] | None:
    """The signal, the receiver and the options of a pending connect(); None for anything else.

    Pending is a function that has the partial in its attribute ``func``.
    """
    call = getattr(operation, "func", None)
    if not (isinstance(call, functools.partial) and type(call.func) is MethodType and call.args):
        return None
    method = call.func
    if not isinstance(method.__self__, Signal) or method.__name__ != "connect":
        return None
    return method.__self__, call.args[0], call.keywords


def _pending(model: str, receiver: Any, options: dict[str, Any]) -> PendingConnection:
    uid = options.get("dispatch_uid")
    return PendingConnection(
        receiver=receiver_name(receiver),
        model=model,
        is_async=iscoroutinefunction(receiver),
        is_weak=bool(options.get("weak", True)),
        dispatch_uid=str(uid) if isinstance(uid, str | int) else None,
    )


def why_pending(model: str) -> str:
    """A sentence for a person on why a model that is waited for is not loaded."""
    label, _, name = model.partition(".")
    config = apps.app_configs.get(label)
    if config is None:
        why = f"but no installed app has the label {label!r}"
        perhaps = near(label, apps.app_configs, 1)
    else:
        why = f"which the app {label!r} does not have"
        models = config.get_models(include_auto_created=True)
        perhaps = near(name, (each._meta.label for each in models), 1)
    hint = f" (did you mean {perhaps[0]}?)" if perhaps else ""
    return f"it waits for the model {model}, {why}{hint}"


def identity(receiver: object) -> object:
    """A value that is equal for the same receiver; a bound method is a new object each time."""
    if type(receiver) is MethodType:
        return id(receiver.__func__), id(receiver.__self__)
    return id(receiver)


def source(receiver: object) -> object:
    """File, line and name of a function that its file defines only once; otherwise None."""
    if type(receiver) is MethodType:
        return None  # perhaps of two objects
    function = innermost(receiver)
    if type(function) is not FunctionType or "<" in function.__qualname__:
        return None  # a lambda or a local function: each call of its maker makes another one
    code = function.__code__
    if code.co_filename.startswith("<"):
        return None  # no file: exec(), the console
    return _real_path(code.co_filename), code.co_firstlineno, function.__qualname__


def is_copy(one: object, other: object) -> bool:
    """Whether the same lines of a file made both, run twice: as two modules, or by a reload."""
    where = source(one)
    return where is not None and where == source(other) and innermost(one) is not innermost(other)


def numbered(found: Sequence[Entry]) -> list[int]:
    """For each connection 0, or a number that repeated connections of a receiver share."""
    alike: dict[object, list[int]] = {}
    for index, entry in enumerate(found):
        alike.setdefault(identity(entry.receiver), []).append(index)
        where = source(entry.receiver)
        if where is not None:
            alike.setdefault(where, []).append(index)
    numbers = [0] * len(found)
    for group in alike.values():
        for place, index in enumerate(group):
            for before in group[:place]:
                if _meet(found[index], found[before]) and _is_again(found[index], found[before]):
                    numbers[before] = numbers[index] = numbers[before] or before + 1
                    break
    return numbers


def _is_again(one: Entry, other: Entry) -> bool:
    same = identity(one.receiver) == identity(other.receiver)
    return same or innermost(one.receiver) is not innermost(other.receiver)


def _meet(one: Entry, other: Entry) -> bool:
    """Whether one send may call both."""
    if hears_any_sender(one.key) or hears_any_sender(other.key):
        return True
    return bool(one.key[1] == other.key[1])


def repeats(called: Sequence[Pair]) -> list[str]:
    """For each receiver that one send calls, describe why it is called again; "" if it is not."""
    return [_remark(pair, [other for other in called if other is not pair]) for pair in called]


def _remark(pair: Pair, others: Sequence[Pair]) -> str:
    found, entry = pair
    who = identity(found.receiver)
    same = [other for other in others if identity(other[0].receiver) == who]
    if same:
        times = often(len(same) + 1)
        return f"it is connected {times}, so it is called {times}: {_how([pair, *same])}"
    copies = [other for other in others if is_copy(other[0].receiver, found.receiver)]
    if not copies:
        return ""
    if copies[0][1].receiver != entry.receiver:
        return f"the same code is also called as {copies[0][1].receiver}: {TWO_NAMES}"
    return "another copy of it is also called: its module was loaded twice"


def _how(pairs: Sequence[Pair]) -> str:
    keys = [(entry.dispatch_uid, entry.sender) for _, entry in pairs]
    return listing(" ".join(f"{joint} {what}" for joint, what in way) for way in differences(keys))


def differences(keys: Sequence[Key]) -> list[list[Way]]:
    """Why Django takes these connections of a receiver for different ones: what is not the same.

    ("with", "dispatch_uid='again'"), ("for", "sender shop.models.Order"), or both.
    """
    differ = len({uid for uid, _ in keys}) > 1
    both = not differ or len({sender for _, sender in keys}) > 1
    return [
        [way for way, is_said in zip(key_words(*key), (differ, both), strict=True) if is_said]
        for key in keys
    ]


def key_words(dispatch_uid: str | None, sender: str | None) -> tuple[Way, Way]:
    """The key by which Django knows a connection, apart from the receiver, in words."""
    uid = "dispatch_uid" if dispatch_uid is None else f"dispatch_uid={dispatch_uid!r}"
    return ("without" if dispatch_uid is None else "with", uid), ("for", heard_sender(sender))


def heard_sender(sender: str | None) -> str:
    """The sender that a receiver listens to: "sender shop.models.Order", or "any sender"."""
    return "any sender" if sender is None else f"sender {sender}"
