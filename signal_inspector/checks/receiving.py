"""Receivers that cannot be called as intended, or whose failure cannot be logged."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from types import CellType, FunctionType, MemberDescriptorType, MethodType
from typing import Final

from django.db.models.signals import ModelSignal
from django.dispatch import Signal

from signal_inspector.checks.facts import Connected, Facts
from signal_inspector.checks.findings import Finding, Kind, at
from signal_inspector.display.text import last_part, listing
from signal_inspector.names.receivers import innermost
from signal_inspector.names.safe import (
    class_attribute,
    class_path,
    instance_attribute,
    is_class,
    namespace_of,
    native_attribute,
)
from signal_inspector.source_code.records import Connect, Send

_NAME: Final = "__qualname__"
_MOST_DECORATORS: Final = 20  # the most decorators on one function


def without_kwargs(facts: Facts) -> Iterator[Finding]:
    """W011: receivers without ``**kwargs``, which Django itself refuses only with DEBUG."""
    for each in facts.own:
        if each.is_dead or accepts_kwargs(each.receiver) is not False:
            continue
        name = each.name.name
        yield Finding(
            kind=Kind.NO_KWARGS,
            subject=name,
            message=(
                f"The receiver{at(each.name.path, each.name.line)} does not accept **kwargs. "
                f"{each.signal} calls it with signal=, sender= and every argument that is sent: "
                "it raises TypeError as soon as one is added, and with DEBUG on Django refuses "
                "to connect it."
            ),
            hint="Add **kwargs to the end of its parameters.",
            names=(name, each.signal),
            path=each.name.path,
            line=each.name.line,
        )


def unloggable(facts: Facts) -> Iterator[Finding]:
    """W022: receivers without ``__qualname__``: if one fails, ``send_robust`` itself raises."""
    for each in facts.own:
        if each.is_dead or has_qualname(each.receiver):
            continue
        sends = facts.sends.get(each.signal, [])
        robust = [send for send in sends if send.method.is_robust]
        if not robust and (sends or each.signal not in facts.own_signals):
            continue
        where = each.connected_at
        what = last_part(class_path(type(each.receiver)))
        sent = f"{robust[0].method.value}{at(robust[0].path, robust[0].line)}" if robust else ""
        yield Finding(
            kind=Kind.UNLOGGABLE,
            subject=each.name.name,
            message=(
                f"A {what} without __qualname__ is connected to {each.signal}"
                f"{at(where.path, where.line)}. If it raises, Django cannot log the failure: "
                f"{sent or 'send_robust'} itself raises AttributeError, and the remaining "
                "receivers are not called."
            ),
            hint=(
                "Connect a function or method that calls it. For a partial, "
                "functools.update_wrapper() copies the name of its function."
            ),
            names=(each.name.name, each.signal),
            path=where.path,
            line=where.line,
        )


def below_decorator(facts: Facts) -> Iterator[Finding]:
    """W019: a connected function is not the one in its module, which a decorator has wrapped."""
    for each in facts.own:
        if each.is_dead or type(each.receiver) is not FunctionType:
            continue
        found = _named_so(each.receiver)
        if found is None or found is each.receiver or not _wraps(found, each.receiver):
            continue
        name = each.name.name
        yield Finding(
            kind=Kind.BELOW_DECORATOR,
            subject=name,
            message=(
                f"The receiver{at(each.name.path, each.name.line)} of {each.signal} was "
                "connected before the decorators above @receiver were applied. The signal calls "
                "the undecorated function, so these decorators have no effect."
            ),
            hint="Put @receiver above all other decorators.",
            names=(name, each.signal),
            path=each.name.path,
            line=each.name.line,
        )


def text_as_sender(facts: Facts) -> Iterator[Finding]:
    """W028: a string as sender: model signals resolve it, others compare senders by identity."""
    for connect in facts.connects:
        signal = facts.signals.get(connect.signal)
        if signal is None or type(signal) is not Signal or not facts.is_own_place(connect.path):
            continue
        text = _text(connect.sender)
        if text is None or _may_be_same(text, connect, facts):
            continue
        name = connect.receiver or connect.signal
        yield Finding(
            kind=Kind.TEXT_AS_SENDER,
            subject=name,
            message=(
                f"It is connected to {connect.signal} for the sender {connect.sender}"
                f"{at(connect.path, connect.line)}. A signal compares senders by identity, and "
                "an equal string may be another object: then this receiver is not called."
            ),
            hint=(
                "Use the object that sends, such as a class or a model. Only the signals of "
                "django.db.models accept the label of a model."
            ),
            names=(name, connect.signal),
            path=connect.path,
            line=connect.line,
        )


def unsent_parameter(facts: Facts) -> Iterator[Finding]:
    """W029: receivers that would raise TypeError for every send in the source."""
    for each in facts.own:
        needed = [] if each.is_dead else required(each.receiver)
        needed = [name for name in needed if name not in ("signal", "sender")]
        sends = facts.sends.get(each.signal, [])
        if not needed or not sends or each.signal not in facts.own_signals:
            continue
        if type(facts.signals[each.signal]) not in (Signal, ModelSignal):
            continue  # a subclass may add arguments
        if any(send.is_open for send in sends) or facts.handed_on(each.signal):
            continue  # there may be other sends, or other arguments
        sent = {name for send in sends for name in send.arguments}
        missing = [name for name in needed if name not in sent]
        if missing:
            yield _unsent(each, missing, sends[0])


def _unsent(each: Connected, missing: list[str], send: Send) -> Finding:
    sent = list(send.arguments)
    given = f"passes {listing(sent)}" if sent else "passes only the sender"
    return Finding(
        kind=Kind.UNSENT_PARAMETER,
        subject=each.name.name,
        message=(
            f"The receiver{at(each.name.path, each.name.line)} requires {listing(missing)}, but "
            f"no send of {each.signal} passes that: {send.method.value}"
            f"{at(send.path, send.line)} {given}. The call raises TypeError."
        ),
        hint="Pass it when you send the signal, or give the parameter a default.",
        names=(each.name.name, each.signal),
        path=each.name.path,
        line=each.name.line,
    )


def required(receiver: object) -> list[str]:
    """The parameters of a plain function or method that have no default."""
    function, skipped = receiver, 0
    if type(receiver) is MethodType:
        function, skipped = receiver.__func__, 1
    if type(function) is not FunctionType:
        return []
    code = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    without = positional[skipped : len(positional) - len(function.__defaults__ or ())]
    named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    defaults = function.__kwdefaults__ or {}
    return [*without, *(name for name in named if name not in defaults)]


def _named_so(receiver: FunctionType) -> object:
    """What the function's module has under its name; None for a local function."""
    found: object = sys.modules.get(receiver.__module__)
    for name in receiver.__qualname__.split("."):
        found = (
            class_attribute(found, name) if is_class(found) else instance_attribute(found, name)
        )
        if isinstance(found, staticmethod | classmethod):
            found = found.__func__
    return found


def _wraps(wrapper: object, function: FunctionType) -> bool:
    """Whether an object wraps a function, as the result of a decorator does.

    Either ``functools.wraps`` says so, or the object holds the function.
    """
    for _ in range(_MOST_DECORATORS):
        held = [instance_attribute(wrapper, "__wrapped__")]
        if type(wrapper) is FunctionType:
            held += [cell.cell_contents for cell in wrapper.__closure__ or () if _is_filled(cell)]
        else:
            held += list((namespace_of(wrapper) or {}).values())
            held.append(native_attribute(wrapper, "func"))
        if any(each is function for each in held):
            return True
        wrapper = next((each for each in held if type(each) is FunctionType), None)
        if wrapper is None:
            return False
    return False


def _is_filled(cell: CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - reading it is the question
    except ValueError:
        return False
    return True


def _text(source: str) -> str | None:
    """The value of a string literal in the source; None for anything else."""
    if source[:1] not in ("'", '"'):
        return None
    try:
        value = ast.literal_eval(source)
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(value, str) else None


def _may_be_same(text: str, connect: Connect, facts: Facts) -> bool:
    """Whether this string may be the same object as the string that is sent as sender.

    Python makes equal literals in one file a single object, and equal literals that are
    identifiers anywhere.
    """
    sends = facts.sends.get(connect.signal, [])
    unknown = not sends or facts.handed_on(connect.signal) != []
    equal = [send for send in sends if _text(send.sender) == text]
    named = [send for send in sends if send.sender.replace(".", "").isidentifier()]
    if text.isidentifier():
        return bool(equal or unknown or named)
    return any(send.path == connect.path for send in equal)


def accepts_kwargs(receiver: object) -> bool | None:
    """Whether a receiver has ``**kwargs``, by Django's rules; None if that cannot be known.

    This does not use Django's own function, whose cache keeps a receiver alive that nothing else
    holds, nor ``inspect.signature``, which runs code of the user's objects.
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
    """Whether ``receiver.__qualname__`` exists; True if only running its code could tell."""
    if type(receiver) is MethodType:
        receiver = receiver.__func__
    kind = type(receiver)
    if is_class(receiver) or kind is FunctionType:
        return True
    own = (instance_attribute(receiver, _NAME), native_attribute(receiver, _NAME))
    of_class = class_attribute(kind, _NAME)
    if type(of_class) is MemberDescriptorType:
        of_class = None  # a slot, which native_attribute has already read
    if any(each is not None for each in (*own, of_class)):
        return True
    mock = sys.modules.get("unittest.mock")
    if mock is not None and issubclass(kind, mock.NonCallableMock):
        return False  # its __getattr__ answers only for other names
    computed = (class_attribute(kind, name) for name in ("__getattr__", "__getattribute__"))
    return any(type(each) is FunctionType for each in computed)
