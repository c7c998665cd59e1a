"""Connections that wait for a model: ``post_save.connect(f, sender="shop.Order")``.

Django keeps them in the app registry until the model is loaded; the signal knows nothing about
them. If the model is never loaded, for example because of a typo, they stay there forever.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from types import MethodType
from typing import Any

from asgiref.sync import iscoroutinefunction
from django.apps import apps
from django.dispatch import Signal

from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import ReceiverName
from signal_inspector.display.text import near
from signal_inspector.names import receiver_name


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
        internal_errors.report("connections that wait for a model", error)
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
