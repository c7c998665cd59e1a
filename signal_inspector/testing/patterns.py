"""What an assertion asks for, and how a dispatch differs from it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import ANY

from django.dispatch import Signal

from signal_inspector import trouble
from signal_inspector.names import sender_name, signal_name
from signal_inspector.records import SendMethod
from signal_inspector.testing.captured import CapturedDispatch
from signal_inspector.testing.wanted import SignalOrName, find_signal
from signal_inspector.testing.wording import words


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pattern:
    """A dispatch as somebody asks for it: what is not said may be anything."""

    signal: Signal
    sender: Any = field(default_factory=lambda: ANY)
    payload: Mapping[str, Any] = field(default_factory=dict)
    method: SendMethod | None = None

    def differences(self, sent: CapturedDispatch) -> list[str]:
        """What a dispatch of the same signal has that is not as asked, a line each."""
        return list(self._differences(sent))

    def _differences(self, sent: CapturedDispatch) -> Iterator[str]:
        wrong = _unequal(self.sender, sent.sender)
        if wrong is not None:
            asked, found = sender_name(self.sender), sent.record.sender
            yield f"sender is {found}, not {asked}{_note(wrong, asked == found)}"
        if self.method is not None and sent.method is not self.method:
            yield f"sent by {sent.method.value}(), not {self.method.value}()"
        for key, expected in self.payload.items():
            if key not in sent.payload:
                yield f"has no {key}{_suggestion(key, sent.payload)}"
                continue
            wrong = _unequal(expected, sent.payload[key])
            if wrong is not None:
                asked, found = words(expected), words(sent.payload[key])
                yield f"{key} is {found}, not {asked}{_note(wrong, asked == found)}"

    def matches(self, sent: CapturedDispatch) -> bool:
        """Whether a dispatch is one of those that are asked for."""
        return sent.signal is self.signal and not self.differences(sent)

    def __str__(self) -> str:
        parts = [] if self.sender is ANY else [f"from {sender_name(self.sender)}"]
        if self.method is not None:
            parts.append(f"by {self.method.value}()")
        if self.payload:
            told = ", ".join(f"{key}={words(value)}" for key, value in self.payload.items())
            parts.append(f"with {told}")
        return " ".join([signal_name(self.signal), *parts])


def sending(
    signal: SignalOrName,
    *,
    sender: Any = ANY,
    payload: Mapping[str, Any] | None = None,
    method: SendMethod | str | None = None,
) -> Pattern:
    """A dispatch to ask for, where an assertion takes several."""
    return Pattern(
        signal=find_signal(signal),
        sender=sender,
        payload={} if payload is None else dict(payload),
        method=None if method is None else SendMethod(method),
    )


def _unequal(expected: Any, found: Any) -> str | None:
    """None if they are equal, else "" or what the comparison raised."""
    if expected is found:
        return None
    try:
        return None if expected == found else ""
    except Exception as error:
        trouble.let_through(error)
        return f"comparing them raised {type(error).__name__}"


def _note(wrong: str, look_alike: bool) -> str:
    if wrong:
        return f" ({wrong})"
    return " (two objects that are not equal)" if look_alike else ""


def _suggestion(key: str, payload: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, payload, n=1)
    if close:
        return f"; it has {close[0]}={words(payload[close[0]])}"
    return "" if payload else ", as nothing was sent with it"
