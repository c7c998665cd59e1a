"""Receivers that only Django's weak reference holds: those that died, and those that will."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any, Final

from signal_inspector.checks.facts import Connected, Facts
from signal_inspector.checks.findings import Finding, Kind, at
from signal_inspector.checks.holders import unheld
from signal_inspector.names.safe import class_module, class_path, instance_attribute, is_class

_HINT: Final = (
    "Connect a function of a module, keep what you connect in a variable that lasts, "
    "or connect it with weak=False."
)


def dead(facts: Facts) -> Iterator[Finding]:
    """W012: a receiver that is gone already."""
    for each in facts.own:
        if each.is_dead:
            yield _finding(
                Kind.DEAD,
                each,
                "{name} has gone away and is never called: it was connected to {signal}{at}, and "
                "signals hold their receivers by weak reference, so that one which nothing else "
                "holds goes away at once.",
            )


def fleeting(facts: Facts) -> Iterator[Finding]:
    """W013: a receiver that only a cache of Django's keeps, or that the next collection takes.

    Under DEBUG Django looks at the parameters of each receiver, and remembers them beside it.
    """
    for each in unheld([each for each in facts.own if _is_suspect(each)]):
        yield _finding(
            Kind.FLEETING,
            each,
            "{name} will go away and be called no more: it is connected to {signal}{at} by "
            "weak reference, and nothing that lasts holds it. For the time being a cache of "
            "Django's does, as DEBUG is on, or a collection of garbage is due.",
        )


def _finding(kind: Kind, each: Connected, message: str) -> Finding:
    where = each.connected_at
    what = each.name.name
    if what.endswith("<lambda>"):
        name = "A lambda"
    elif each.receiver is None or isinstance(each.receiver, FunctionType | MethodType):
        name = "The receiver"
    else:
        name = f"A {class_path(type(each.receiver)).rpartition('.')[2]}"
    return Finding(
        kind=kind,
        subject=what,
        message=message.format(name=name, signal=each.signal, at=at(where.path, where.line)),
        hint=_HINT,
        names=(what, each.signal),
        path=where.path or each.name.path,
        line=where.line or each.name.line,
    )


def _is_suspect(each: Connected) -> bool:
    """Whether it is held weakly, and not found under its own name in a module."""
    if each.is_dead or each.connection is None or not each.connection.is_weak:
        return False
    return not _is_in_module(each.receiver)


def _is_in_module(receiver: Any) -> bool:
    if type(receiver) is MethodType:
        receiver = receiver.__self__
    if is_class(receiver):
        module = class_module(receiver)
        path = class_path(receiver).removeprefix(f"{module}.")
    elif type(receiver) is FunctionType:
        module, path = receiver.__module__, receiver.__qualname__
    else:
        return False
    found: object = sys.modules.get(module)
    for name in path.split("."):
        found = instance_attribute(found, name)
    return found is receiver
