"""Receivers that cannot be called, or not be logged, as Django means to."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from types import FunctionType, MemberDescriptorType, MethodType
from typing import Final

from signal_inspector.checks.facts import Facts
from signal_inspector.checks.findings import Finding, Kind, at
from signal_inspector.names.receivers import innermost
from signal_inspector.names.safe import (
    class_attribute,
    instance_attribute,
    is_class,
    native_attribute,
)

_NAME: Final = "__qualname__"


def without_kwargs(facts: Facts) -> Iterator[Finding]:
    """W011: Django itself looks only where DEBUG is on, and then refuses to connect."""
    for each in facts.own:
        if each.is_dead or accepts_kwargs(each.receiver) is not False:
            continue
        name = each.name.name
        yield Finding(
            kind=Kind.NO_KWARGS,
            subject=name,
            message=(
                f"The receiver{at(each.name.path, each.name.line)} does not accept **kwargs. "
                f"{each.signal} calls it with signal=, sender= and all that is sent: at one "
                "argument more it raises TypeError, and with DEBUG Django refuses to connect it."
            ),
            hint="Add **kwargs to the end of its parameters.",
            names=(name, each.signal),
            path=each.name.path,
            line=each.name.line,
        )


def unloggable(facts: Facts) -> Iterator[Finding]:
    """W022: what has no ``__qualname__`` makes ``send_robust`` itself raise when it fails."""
    for each in facts.own:
        if each.is_dead or has_qualname(each.receiver):
            continue
        sends = facts.sends.get(each.signal, [])
        robust = [send for send in sends if send.method.is_robust]
        if not robust and (sends or each.signal not in facts.own_signals):
            continue
        where = each.connected_at
        sent = f"{robust[0].method.value}{at(robust[0].path, robust[0].line)}" if robust else ""
        yield Finding(
            kind=Kind.UNLOGGABLE,
            subject=each.name.name,
            message=(
                f"A {type(each.receiver).__qualname__} without __qualname__ is connected to "
                f"{each.signal}{at(where.path, where.line)}. If it raises, Django cannot log the "
                f"failure: {sent or 'send_robust'} itself raises AttributeError, and the "
                "receivers after it are not called."
            ),
            hint=(
                "Connect a function or method that calls it; of a partial, "
                "functools.update_wrapper() keeps the name of its function."
            ),
            names=(each.name.name, each.signal),
            path=where.path,
            line=where.line,
        )


def accepts_kwargs(receiver: object) -> bool | None:
    """Whether there is a ``**kwargs``, as Django judges it; None if that cannot be told.

    Not by Django's own function: it remembers what it was asked, and so keeps a receiver alive
    that nothing else holds. Nor by ``inspect.signature``, which asks the user's objects.
    """
    target = innermost(receiver)
    if is_class(target):
        target = innermost(class_attribute(target, "__init__"))
    elif type(target) is not FunctionType:
        target = innermost(class_attribute(type(target), "__call__"))
    if type(target) is not FunctionType:
        return None
    return bool(target.__code__.co_flags & inspect.CO_VARKEYWORDS)


def has_qualname(receiver: object) -> bool:
    """Whether ``receiver.__qualname__`` is there; True where only running its code would tell."""
    if type(receiver) is MethodType:
        receiver = receiver.__func__
    kind = type(receiver)
    if is_class(receiver) or kind is FunctionType:
        return True
    own = (instance_attribute(receiver, _NAME), native_attribute(receiver, _NAME))
    of_class = class_attribute(kind, _NAME)
    if type(of_class) is MemberDescriptorType:
        of_class = None  # a slot, and native_attribute has looked into it
    if any(each is not None for each in (*own, of_class)):
        return True
    mock = sys.modules.get("unittest.mock")
    if mock is not None and issubclass(kind, mock.NonCallableMock):
        return False  # its __getattr__ answers for other names
    computed = (class_attribute(kind, name) for name in ("__getattr__", "__getattribute__"))
    return any(type(each) is FunctionType for each in computed)
