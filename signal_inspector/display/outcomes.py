"""How a dispatch or a receiver call ended: the same glyph and words in every room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Outcome, ReceiverCall, Unseen
from signal_inspector.display.numbers import integer, plural
from signal_inspector.display.text import last_part

#: The symbol of an icon sheet; "" shows none.
Glyph = Literal[
    "",
    "ok",
    "raised",
    "swallowed",
    "skipped",
    "cancelled",
    "running",
    "orphan",
    "notcalled",
    "rollback",
    "warn",
    "note",
    "lock",
]

#: The color, which never says anything that the words do not; "none" is inconspicuous.
Tone = Literal["ok", "bad", "warn", "none"]

#: The words of filters and legends. A cell may say more: "2 of 3 raised, swallowed".
RETURNED: Final = "returned"
RAISED: Final = "raised"
RAISED_TO_SENDER: Final = "raised to the sender"
SWALLOWED: Final = "raised, swallowed"
SKIPPED: Final = "skipped"
CANCELLED: Final = "cancelled"
RUNNING: Final = "still running"
ORPHAN: Final = "nobody received it"
PUT_OFF: Final = "put off"
NOT_CALLED: Final = "not called"


@dataclass(frozen=True, slots=True)
class OutcomeWords:
    """How something ended."""

    tone: Tone
    glyph: Glyph
    text: str  # "returned", "raised to the sender", "3 of 4,960 calls raised, swallowed"
    note: str = ""  # more about it: "stopped by check_velocity"
    value: str = ""  # the response: "shop.Order:42"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The facts that decide the words for a dispatch."""

    outcome: str  # a value of Outcome
    method: str
    receivers: int = 0
    failed: int = 0  # receivers that raised
    skipped: int = 0
    unended: int = 0  # cancelled, or still running
    not_called: int = 0  # connected, but not called
    unseen: str | None = None  # a value of Unseen

    @classmethod
    def of(cls, dispatch: Dispatch) -> Ended:
        """The facts of a recorded dispatch."""
        ends = [call.outcome for call in dispatch.calls]
        return cls(
            outcome=dispatch.outcome,
            method=dispatch.method,
            receivers=len(ends),
            failed=ends.count(Outcome.RAISED),
            skipped=ends.count(Outcome.SKIPPED),
            unended=ends.count(Outcome.CANCELLED) + ends.count(Outcome.RUNNING),
            not_called=len(dispatch.not_called),
            unseen=dispatch.unseen,
        )


def is_swallowed(method: str, outcome: str) -> bool:
    """Whether exceptions of receivers were swallowed, by the dispatch's method and outcome."""
    return "robust" in method or outcome == Outcome.RETURNED


def dispatch_outcome(ended: Ended) -> OutcomeWords:
    """The words for a dispatch."""
    if ended.outcome == Outcome.RAISED:
        note = f"{plural(ended.skipped, 'receiver')} skipped" if ended.skipped else ""
        return OutcomeWords("bad", "raised", RAISED_TO_SENDER, note)
    if ended.outcome == Outcome.CANCELLED:
        return OutcomeWords("warn", "cancelled", CANCELLED)
    if ended.outcome == Outcome.RUNNING:
        return OutcomeWords("warn", "running", RUNNING)
    if ended.failed:
        share = "" if ended.receivers == 1 else f"{part_of(ended.failed, ended.receivers)} "
        return OutcomeWords("bad", "swallowed", share + SWALLOWED)
    if ended.unseen == Unseen.PUT_OFF:
        return OutcomeWords("none", "running", PUT_OFF, f"{ended.method} called no receiver")
    if ended.unseen == Unseen.UNTOLD:
        note = "which receivers it called is not known"
        return OutcomeWords("ok", "ok", RETURNED, note)
    return _returned(ended)


def _returned(ended: Ended) -> OutcomeWords:
    if not ended.receivers:
        idle = ended.not_called
        note = f"{integer(idle)} connected, not called" if idle else ""
        return OutcomeWords("warn", "orphan", ORPHAN, note)
    left = ended.unended + ended.skipped
    if left:
        text = f"{part_of(ended.receivers - left, ended.receivers)} {RETURNED}"
        return OutcomeWords("warn", "cancelled", text)
    return all_returned(ended.receivers)


def call_outcome(
    outcome: str,
    *,
    swallowed: bool = False,
    stopper: str = "",
    skipped: int = 0,
    unseen: str | None = None,
    value: str = "",
) -> OutcomeWords:
    """The words for a receiver call.

    ``swallowed`` says whether the exception was swallowed, if the call raised: see
    ``is_swallowed``. ``stopper`` is the receiver of the same dispatch that raised, ``skipped``
    the number of receivers skipped because of it, and ``value`` the response.
    """
    if outcome == Outcome.RAISED:
        if swallowed:
            note = "returned to the sender, and logged"
            return OutcomeWords("bad", "swallowed", SWALLOWED, note)
        note = f"{plural(skipped, 'receiver')} skipped" if skipped else ""
        return OutcomeWords("bad", "raised", RAISED, note)
    if outcome == Outcome.SKIPPED:
        note = f"stopped by {last_part(stopper)}" if stopper else ""
        return OutcomeWords("none", "skipped", SKIPPED, note)
    if outcome == Outcome.CANCELLED:
        note = f"when {last_part(stopper)} raised" if stopper else ""
        return OutcomeWords("warn", "cancelled", CANCELLED, note)
    if outcome == Outcome.RUNNING:
        return OutcomeWords("warn", "running", RUNNING)
    if unseen == Unseen.UNTOLD:
        return OutcomeWords("none", "ok", "may have been called")
    return OutcomeWords("ok", "ok", RETURNED, "", value)


def recorded_call_outcome(dispatch: Dispatch, call: ReceiverCall) -> OutcomeWords:
    """The words for a recorded receiver call."""
    stopper, skipped = "", 0
    if call.outcome is Outcome.RAISED:
        skipped = sum(each.outcome is Outcome.SKIPPED for each in dispatch.calls)
    elif call.outcome is not Outcome.RETURNED:
        raised = (each.receiver for each in dispatch.calls if each.outcome is Outcome.RAISED)
        stopper = next(raised, "")
    return call_outcome(
        call.outcome,
        swallowed=is_swallowed(dispatch.method, dispatch.outcome),
        stopper=stopper,
        skipped=skipped,
        unseen=dispatch.unseen,
        value="" if call.response is None else call.response.text,
    )


def all_returned(number: int, note: str = "") -> OutcomeWords:
    """The words if everything returned: "returned", "all 3 returned"."""
    text = RETURNED if number == 1 else f"all {integer(number)} {RETURNED}"
    return OutcomeWords("ok", "ok", text, note)


def part_of(part: int, whole: int) -> str:
    """ "2 of 4,960"."""
    return f"{integer(part)} of {integer(whole)}"
