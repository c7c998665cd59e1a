"""How dispatches and receiver calls ended, in words: the last column of the timeline."""

from __future__ import annotations

from collections.abc import Sequence

from signal_inspector.records import Outcome, ReceiverCall, Unseen
from signal_inspector.toolbar.parts import OutcomeCell
from signal_inspector.toolbar.stored import StoredDispatch
from signal_inspector.toolbar.wording import integer, last, plural


def call_outcome(dispatch: StoredDispatch, call: ReceiverCall) -> OutcomeCell:
    """Of one receiver."""
    if call.outcome is Outcome.RAISED:
        return _raised(dispatch)
    if call.outcome is Outcome.SKIPPED:
        stopper = _stopper(dispatch)
        note = f"stopped by {last(stopper.receiver)}" if stopper else ""
        return OutcomeCell(glyph="skipped", tone="skip", text="skipped", note=note)
    if call.outcome is Outcome.CANCELLED:
        stopper = _stopper(dispatch)
        note = f"when {last(stopper.receiver)} raised" if stopper else ""
        return OutcomeCell(glyph="cancelled", tone="skip", text="cancelled", note=note)
    if call.outcome is Outcome.RUNNING:
        return _RUNNING
    if dispatch.unseen is Unseen.UNTOLD:
        return OutcomeCell(glyph="ok", tone="skip", text="may have been called")
    value = "" if call.response is None else call.response.text
    return OutcomeCell(glyph="ok", tone="ok", text="returned", value=value)


_RUNNING = OutcomeCell(
    glyph="running", tone="warn", text="still running", note="when the response was made"
)


def _raised(dispatch: StoredDispatch) -> OutcomeCell:
    if dispatch.method.is_robust:
        note = "returned to the sender, and logged"
        return OutcomeCell(glyph="swallowed", tone="bad", text="raised, swallowed", note=note)
    skipped = sum(call.outcome is Outcome.SKIPPED for call in dispatch.calls)
    note = f"{plural(skipped, 'receiver')} skipped" if skipped else ""
    return OutcomeCell(glyph="raised", tone="bad", text="raised", note=note)


def _stopper(dispatch: StoredDispatch) -> ReceiverCall | None:
    return next((call for call in dispatch.calls if call.outcome is Outcome.RAISED), None)


def dispatch_outcome(dispatch: StoredDispatch) -> OutcomeCell:
    """Of one dispatch."""
    calls = dispatch.calls
    ended = sum(call.outcome is not Outcome.SKIPPED for call in calls)
    if dispatch.outcome is Outcome.RAISED:
        note = f"{ended} of {plural(len(calls), 'receiver')} ran" if len(calls) > 1 else ""
        return OutcomeCell(glyph="raised", tone="bad", text="raised to the sender", note=note)
    if dispatch.outcome is Outcome.CANCELLED:
        return OutcomeCell(glyph="cancelled", tone="skip", text="cancelled")
    if dispatch.outcome is Outcome.RUNNING:
        return _RUNNING
    if dispatch.unseen is Unseen.PUT_OFF:
        note = f"{dispatch.method.value} called no receiver"
        return OutcomeCell(glyph="running", tone="skip", text="put off", note=note)
    if dispatch.is_orphan:
        idle = len(dispatch.not_called)
        note = f"{integer(idle)} connected, not called" if idle else ""
        return OutcomeCell(glyph="orphan", tone="orphan", text="nobody received it", note=note)
    return _returned(dispatch)


def _returned(dispatch: StoredDispatch) -> OutcomeCell:
    calls = dispatch.calls
    failed = sum(call.outcome is Outcome.RAISED for call in calls)
    if failed:
        text = "raised, swallowed" if len(calls) == 1 else f"{failed} of {len(calls)} failed"
        note = f"swallowed by {dispatch.method}"
        return OutcomeCell(glyph="swallowed", tone="bad", text=text, note=note)
    returned = sum(call.outcome is Outcome.RETURNED for call in calls)
    if returned < len(calls):
        text = f"{returned} of {len(calls)} returned"
        return OutcomeCell(glyph="cancelled", tone="skip", text=text)
    if dispatch.unseen is Unseen.UNTOLD:
        note = "which receivers it called is not known"
        return OutcomeCell(glyph="ok", tone="ok", text="returned", note=note)
    text = "returned" if returned == 1 else f"all {returned} returned"
    return OutcomeCell(glyph="ok", tone="ok", text=text)


def group_outcome(members: Sequence[StoredDispatch]) -> OutcomeCell:
    """Of a group of dispatches."""
    many = integer(len(members))
    raised = sum(member.outcome is Outcome.RAISED for member in members)
    if raised:
        text = f"{integer(raised)} of {many} raised to the sender"
        return OutcomeCell(glyph="raised", tone="bad", text=text)
    calls = [call for member in members for call in member.calls]
    failed = sum(call.outcome is Outcome.RAISED for call in calls)
    if failed:
        text = f"{integer(failed)} of {plural(len(calls), 'call')} failed"
        note = f"swallowed by {members[0].method}"
        return OutcomeCell(glyph="swallowed", tone="bad", text=text, note=note)
    orphans = sum(member.is_orphan for member in members)
    if orphans:
        text = "nobody received them" if orphans == len(members) else ""
        text = text or f"{integer(orphans)} of {many} received by nobody"
        return OutcomeCell(glyph="orphan", tone="orphan", text=text)
    put_off = sum(member.unseen is Unseen.PUT_OFF for member in members)
    if put_off:
        text = "put off" if put_off == len(members) else f"{integer(put_off)} of {many} put off"
        return OutcomeCell(glyph="running", tone="skip", text=text)
    ended = sum(member.outcome is Outcome.RETURNED for member in members)
    if ended < len(members) or any(call.outcome is not Outcome.RETURNED for call in calls):
        return OutcomeCell(
            glyph="cancelled", tone="skip", text=f"{integer(ended)} of {many} ended"
        )
    sizes = {len(member.calls) for member in members}
    note = f"{plural(sizes.pop(), 'receiver')} each" if len(sizes) == 1 else ""
    return OutcomeCell(glyph="ok", tone="ok", text=f"all {many} returned", note=note)
