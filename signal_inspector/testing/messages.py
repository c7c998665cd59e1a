"""What an assertion asks for, and the messages that show how the dispatches differ from it.

Values are shown as in the panel: no ``__repr__`` of an unknown type is called, and no query runs.
But nothing is redacted, as it is the test's own data.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from unittest.mock import ANY

from django.dispatch import Signal

from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import (
    Caller,
    Outcome,
    Query,
    ReceiverCall,
    SendMethod,
    Summary,
)
from signal_inspector.core.wrapper.django_entries import entries
from signal_inspector.core.wrapper.muting import is_receiver
from signal_inspector.display.numbers import dispatch_count
from signal_inspector.display.outcomes import recorded_call_outcome
from signal_inspector.display.text import exception_name, place
from signal_inspector.names import receiver_name, sender_name, signal_name
from signal_inspector.payload import Redactor, summarize
from signal_inspector.testing.captures import CapturedDispatch, SignalOrName, find_signal

_LIMITS: Final = replace(Limits(), payload_depth=2, payload_items=10)
_MOST: Final = 20  # the most dispatches that a message lists

_NEAREST: Final = 5  # the most dispatches of the expected signal that a message lists


class where:  # noqa: N801 - reads as a word of a payload: {"total": where(lambda t: t > 0)}
    """Equals every value for which the predicate is true; ``meaning`` describes it in messages."""

    def __init__(self, predicate: Callable[[Any], object], meaning: str = "") -> None:
        self._predicate = predicate
        self._meaning = meaning or getattr(predicate, "__qualname__", "a condition")

    def __eq__(self, other: object) -> bool:
        return bool(self._predicate(other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<where {self._meaning}>"


class _Open(Redactor):
    """Redacts nothing."""

    __slots__ = ()

    def matches_key(self, key: str) -> str | None:  # noqa: ARG002
        return None

    def redact_text(self, text: str) -> str:
        return text

    def redact_code(self, text: str) -> str:
        return text


#: For text that only the author of a test reads.
OPEN_REDACTOR: Final[Redactor] = _Open()


def words(value: Any) -> str:
    """A value as one line of text."""
    if value is ANY:
        return "anything"
    if type(value) is where:
        return repr(value)
    return _told(summarize(value, _LIMITS, OPEN_REDACTOR))


def _told(summary: Summary) -> str:
    if not summary.items:
        return summary.text
    items = ", ".join(f"{key}: {_told(item)}" for key, item in summary.items)
    return f"{summary.text} ({items})"


def dispatch_lines(number: int, sent: CapturedDispatch) -> list[str]:
    """A dispatch as lines of text: what was sent, from where, and what the receivers did."""
    caller: Caller | None = sent.record.caller
    at = "" if caller is None else f" at {place(*caller)}"
    lines = [f"{number}. {sent.name} from {sent.record.sender} by {sent.method.value}(){at}"]
    if sent.payload:
        payload = ", ".join(f"{key}={words(value)}" for key, value in sent.payload.items())
        lines.append(f"   {payload}")
    calls = sent.record.calls
    if calls:
        lines.append(
            f"   received by {', '.join(call_words(call, sent.record) for call in calls)}"
        )
    return lines


def call_words(call: ReceiverCall, sent: Dispatch) -> str:
    """The name of a receiver, and how its call ended if it did not return."""
    if call.outcome is Outcome.RETURNED:
        return call.receiver
    words = recorded_call_outcome(sent, call).text
    if call.failure is None:
        return f"{call.receiver} ({words})"
    return f"{call.receiver} ({words}: {exception_name(call.failure.exception_class)})"


def list_of(dispatches: Iterable[CapturedDispatch]) -> list[str]:
    """Dispatches as numbered lines of text; at most the first ``_MOST``."""
    dispatches = list(dispatches)
    if not dispatches:
        return ["nothing was sent"]
    lines = [
        line
        for number, sent in enumerate(dispatches[:_MOST], 1)
        for line in dispatch_lines(number, sent)
    ]
    if len(dispatches) > _MOST:
        lines.append(f"and {len(dispatches) - _MOST} more")
    return lines


def statements(queries: Iterable[Query]) -> list[str]:
    """SQL statements, each one once with how often it ran."""
    counts: dict[str, int] = {}
    for query in queries:
        counts[query.sql] = counts.get(query.sql, 0) + 1
    return [f"{count} × {sql}" for sql, count in counts.items()]


def indented(lines: Iterable[str], by: int = 2) -> str:
    """Lines as one indented block."""
    return "\n".join(" " * by + part for line in lines for part in line.split("\n"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pattern:
    """A description of a dispatch to match; what is not given may be anything."""

    signal: Signal
    sender: Any = field(default_factory=lambda: ANY)
    payload: Mapping[str, Any] = field(default_factory=dict)
    method: SendMethod | None = None

    def differences(self, sent: CapturedDispatch) -> list[str]:
        """How a dispatch of the same signal differs from the pattern, a line for each reason."""
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
        """Whether a dispatch matches the pattern."""
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
    """Make a pattern of a dispatch, for an assertion that takes several patterns."""
    return Pattern(
        signal=find_signal(signal),
        sender=sender,
        payload={} if payload is None else dict(payload),
        method=None if method is None else SendMethod(method),
    )


def _unequal(expected: Any, found: Any) -> str | None:
    """None if they are equal; otherwise "", or a note that the comparison raised."""
    if expected is found:
        return None
    try:
        return None if expected == found else ""
    except Exception as error:
        internal_errors.let_through(error)
        return f"comparing them raised {type(error).__name__}"


def _note(wrong: str, look_alike: bool) -> str:
    if wrong:
        return f" ({wrong})"
    return " (two objects that are not equal)" if look_alike else ""


def _suggestion(key: str, payload: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(key, payload, n=1)
    if close:
        return f"; it has {close[0]}={words(payload[close[0]])}"
    return "" if payload else ", because no arguments were sent with it"


def instead(dispatches: Sequence[CapturedDispatch], pattern: Pattern) -> list[str]:
    """What was sent instead: first the same signal, with the closest matches on top."""
    near = [
        (pattern.differences(sent), sent) for sent in dispatches if sent.signal is pattern.signal
    ]
    near.sort(key=lambda pair: len(pair[0]))
    others = [sent for sent in dispatches if sent.signal is not pattern.signal]
    lines = ["Sent instead:"]
    for number, (differences, sent) in enumerate(near[:_NEAREST], 1):
        lines += [indented(dispatch_lines(number, sent))]
        lines += [indented([f"but {difference}"], 5) for difference in differences]
    if len(near) > _NEAREST:
        lines.append(f"  and {len(near) - _NEAREST} more of this signal")
    if others and near:
        lines.append("Other signals:")
    if others or not near:
        lines.append(indented(list_of(others)))
    return lines


def first_out_of_place(
    asked: list[Pattern], dispatches: Sequence[CapturedDispatch]
) -> tuple[int, str] | None:
    """The index of the first pattern that was not sent in its place, and what was sent there."""
    for index, (pattern, sent) in enumerate(zip(asked, dispatches, strict=False)):
        if not pattern.matches(sent):
            return index, f"here {sent.name} was sent{_but(pattern, sent)}"
    if len(dispatches) < len(asked):
        return len(dispatches), "was not sent"
    if len(dispatches) > len(asked):
        return len(asked), f"and {dispatch_count(len(dispatches) - len(asked))} more"
    return None


def first_missing(
    asked: list[Pattern], dispatches: Sequence[CapturedDispatch]
) -> tuple[int, str] | None:
    """The index of the first pattern that was not sent after the ones before it, and why."""
    waiting = iter(dispatches)
    for index, pattern in enumerate(asked):
        if not any(pattern.matches(sent) for sent in waiting):
            earlier = any(pattern.matches(sent) for sent in dispatches)
            return index, "was sent earlier only" if earlier else "was not sent"
    return None


def _but(pattern: Pattern, sent: CapturedDispatch) -> str:
    if sent.signal is not pattern.signal:
        return ""
    return ", but " + ", ".join(pattern.differences(sent))


def why_not(
    receiver: Any, dispatches: Sequence[CapturedDispatch], others: Sequence[str]
) -> list[str]:
    """Why a receiver was not called as expected.

    ``dispatches`` are those that it might have received; ``others`` describes its calls that do
    not match.
    """
    if others:
        return ["Called instead:", *("  " + text.replace("\n", "\n  ") for text in others)]
    reasons = list(dict.fromkeys(_reasons(receiver, dispatches)))
    return [*reasons, "What was sent:", *("  " + line for line in list_of(dispatches))]


def _reasons(receiver: Any, dispatches: Sequence[CapturedDispatch]) -> Iterator[str]:
    if not dispatches:
        return
    found = False
    for sent in dispatches:
        for reason in _reasons_of(receiver, sent):
            found = True
            yield f"{sent.name}: {reason}"
    if not found:
        yield "It is not connected to any of the signals that were sent."


def _reasons_of(receiver: Any, sent: CapturedDispatch) -> Iterator[str]:
    """Why one dispatch did not reach the receiver; nothing if the two are unrelated."""
    if any(is_receiver(receiver, muted) for muted in sent.muted):
        yield "it was muted."
        return
    for call in sent.calls:
        if is_receiver(receiver, call.receiver) and not call.ran:
            first = next((each for each in sent.calls if each.exception is not None), None)
            before = "" if first is None else f" ({first.name})"
            yield f"it was skipped, because an earlier receiver{before} raised."
            return
    name = receiver_name(receiver).name
    for missed in sent.record.not_called:
        if missed.receiver == name:
            yield f"it was connected, but {missed.detail}."
            return
    if any(is_receiver(receiver, connected) for _, connected, _ in entries(sent.signal)):
        yield "it is connected now, but was not connected when the signal was sent."
