"""Why a receiver was not called, as far as the captured dispatches tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from signal_inspector.connections import entries
from signal_inspector.muting import is_receiver
from signal_inspector.names import receiver_name
from signal_inspector.testing.captured import CapturedDispatch
from signal_inspector.testing.wording import list_of


def why_not(
    receiver: Any, dispatches: Sequence[CapturedDispatch], others: Sequence[str]
) -> list[str]:
    """What to say of a receiver that was not called as asked.

    ``dispatches`` are those that it might have received; ``others`` its calls that are not as
    asked, in words.
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
        yield "It is connected to none of the signals that were sent."


def _reasons_of(receiver: Any, sent: CapturedDispatch) -> Iterator[str]:
    """Why one dispatch did not reach the receiver; nothing if it has nothing to do with it."""
    if any(is_receiver(receiver, muted) for muted in sent.muted):
        yield "it was muted."
        return
    for call in sent.calls:
        if is_receiver(receiver, call.receiver) and not call.ran:
            first = next((each for each in sent.calls if each.exception is not None), None)
            before = "" if first is None else f" ({first.name})"
            yield f"it was skipped, as an earlier receiver{before} raised."
            return
    name = receiver_name(receiver).name
    for missed in sent.record.not_called:
        if missed.receiver == name:
            yield f"it was connected, but {missed.detail}."
            return
    if any(is_receiver(receiver, connected) for _, connected, _ in entries(sent.signal)):
        yield "it is connected now, but was not when the signal was sent."
