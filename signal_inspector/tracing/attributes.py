"""The names and attributes of spans, put together once per signal, sender and receiver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from signal_inspector.core.record.values import Caller, ReceiverName, SendMethod, Summary

Attributes: TypeAlias = dict[str, str | int | bool | float]
Described: TypeAlias = tuple[str, Attributes]

SIGNAL: Final = "django.signal.name"
METHOD: Final = "django.signal.method"
SENDER: Final = "django.signal.sender"
DISPATCH_ID: Final = "django.signal.dispatch.id"
DISPATCH_OUTCOME: Final = "django.signal.dispatch.outcome"
RECEIVER_COUNT: Final = "django.signal.receiver.count"
FAILED_COUNT: Final = "django.signal.receiver.failed_count"
SKIPPED_COUNT: Final = "django.signal.receiver.skipped_count"
RECEIVER_OUTCOME: Final = "django.signal.receiver.outcome"
PAYLOAD: Final = "django.signal.payload."
FUNCTION: Final = "code.function.name"
FILE: Final = "code.file.path"
LINE: Final = "code.line.number"
PROJECT_FUNCTION: Final = "django.signal.project.function.name"
PROJECT_FILE: Final = "django.signal.project.file.path"
PROJECT_LINE: Final = "django.signal.project.line.number"
ERROR_TYPE: Final = "error.type"

#: Names of senders that say nothing: no sender, or a string that is not an identifier.
_NO_SENDERS: Final = ("None", "str")

_MOST: Final = 2_000  # code may make receivers as it runs, without limit

_callers: dict[tuple[Caller | None, Caller | None], Attributes] = {}
_receivers: dict[tuple[str, ReceiverName], Described] = {}

#: The receivers of each signal's last dispatch: the next dispatch mostly has the same ones, and
#: comparing them takes less time than looking up each one.
_last: dict[str, tuple[Sequence[ReceiverName], list[Described]]] = {}


def of_dispatch(signal: str, sender: str, method: SendMethod, receivers: int | None) -> Described:
    """The name of a dispatch span, and its attributes at the start.

    ``receivers`` is the number of receivers; None if it is not known.
    """
    attributes: Attributes = {SIGNAL: signal, METHOD: method.value}
    if sender not in _NO_SENDERS:
        attributes[SENDER] = sender
    if receivers is not None:
        attributes[RECEIVER_COUNT] = receivers
    return f"{method.value} {signal}", attributes


def of_callers(caller: Caller | None, project: Caller | None) -> Attributes:
    """Attributes for the line that sends, and for the project's line that led to it if different.

    The returned dictionary is shared: do not change it.
    """
    key = caller, project
    known = _callers.get(key)
    if known is None:
        known = {}
        if caller is not None:
            known |= {FUNCTION: caller.function, FILE: caller.path, LINE: caller.line}
        if project is not None and project != caller:
            known |= {
                PROJECT_FUNCTION: project.function,
                PROJECT_FILE: project.path,
                PROJECT_LINE: project.line,
            }
        if len(_callers) >= _MOST:
            _callers.clear()
        _callers[key] = known
    return known


def of_receiver(signal: str, receiver: ReceiverName) -> Described:
    """The name of a receiver span and its attributes; they are shared: do not change them."""
    key = signal, receiver
    known = _receivers.get(key)
    if known is None:
        attributes: Attributes = {FUNCTION: receiver.name, SIGNAL: signal}
        if receiver.path:
            attributes[FILE] = receiver.path
            attributes[LINE] = receiver.line
        known = f"receive {receiver.name}", attributes
        if len(_receivers) >= _MOST:
            _receivers.clear()
        _receivers[key] = known
    return known


def of_receivers(signal: str, receivers: Sequence[ReceiverName]) -> list[Described]:
    """The names and attributes of the spans of all receivers of a dispatch."""
    last = _last.get(signal)
    if last is not None and last[0] == receivers:
        return last[1]
    found = [of_receiver(signal, receiver) for receiver in receivers]
    if len(_last) >= _MOST:
        _last.clear()
    _last[signal] = receivers[:], found
    return found


def of_payload(payload: Mapping[str, Summary] | None, keys: tuple[str, ...]) -> Attributes:
    """The arguments that settings name, as plain values; redacted and capped like any payload."""
    attributes: Attributes = {}
    for key in keys:
        summary = None if payload is None else payload.get(key)
        if summary is not None:
            value = summary.value if summary.kind == "plain" else None
            attributes[PAYLOAD + key] = summary.text if value is None else value
    return attributes
