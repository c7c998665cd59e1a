"""Numbers, names and outcomes as the panel writes them.

None of it follows the locale of the request.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.utils.safestring import SafeString, mark_safe

from signal_inspector.dispatches import Dispatch
from signal_inspector.records import Outcome, ReceiverCall, Summary, Unseen
from signal_inspector.toolbar.parts import ErrorLine, Name, OutcomeCell, Segment

_ONE_LINE = 160  # characters of a payload's line

_RUNNING = OutcomeCell(
    glyph="running", tone="warn", text="still running", note="when the response was made"
)


def printable(page: str) -> SafeString:
    """A rendered page without what cannot be encoded, or has no place in HTML.

    Names and messages are anybody's: one lone surrogate among them would fail the encoding of
    the whole response.
    """
    encodable = page.encode("utf-8", "replace").decode("utf-8")
    return mark_safe(encodable.replace("\0", "\N{REPLACEMENT CHARACTER}"))  # noqa: S308


def integer(number: int) -> str:
    """``5212`` as "5,212"."""
    return f"{number:,}"


def ms(nanoseconds: int) -> str:
    """A duration: "18.3 ms", "< 0.1 ms" for what is not nothing, "0 ms"."""
    return "0 ms" if nanoseconds <= 0 else f"{bare_ms(nanoseconds)} ms"


def bare_ms(nanoseconds: int) -> str:
    """The same without its unit."""
    if 0 < nanoseconds < 50_000:
        return "< 0.1"
    return f"{nanoseconds / 1e6:,.1f}"


def raw_ms(nanoseconds: int) -> str:
    """Milliseconds for a script: "18.312"."""
    return f"{nanoseconds / 1e6:.3f}"


def plural(number: int, one: str, many: str = "") -> str:
    """ "1 query", "5,212 queries"; ``many`` where an s is not enough."""
    return f"{integer(number)} {one if number == 1 else many or one + 's'}"


def sql(count: int, nanoseconds: int) -> str:
    """The SQL column: "24 in 9.6 ms", "" without a query."""
    return f"{integer(count)} in {ms(nanoseconds)}" if count else ""


def listing(words: Sequence[str], limit: int = 4) -> str:
    """ "a, b and c"; what is beyond the limit is counted: "a, b and 3 more"."""
    shown = list(words[:limit])
    if len(words) > limit:
        shown.append(f"{len(words) - limit} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def strong_listing(names: Sequence[str], limit: int = 4) -> list[Segment]:
    """The same of names, each emphasised."""
    shown = [Segment(text=last(name), style="strong") for name in names[:limit]]
    if len(names) > limit:
        shown.append(Segment(text=f"{len(names) - limit} more"))
    segments: list[Segment] = []
    for index, segment in enumerate(shown):
        if index:
            segments.append(Segment(text=" and " if index == len(shown) - 1 else ", "))
        segments.append(segment)
    return segments


def name(dotted: str) -> Name:
    """A dotted name in its parts. Dots inside brackets separate nothing."""
    head, _, tail = _split_last(dotted)
    parts = tuple(f"{part}." for part in head.split(".")) if head else ()
    return Name(parts=parts, last=tail, full=dotted)


def last(dotted: str) -> str:
    """The last part of a dotted name."""
    return _split_last(dotted)[2]


def _split_last(dotted: str) -> tuple[str, str, str]:
    # "shop.apps.ready.<locals>.<lambda>" and "shop.f(a.b)" keep what is in brackets together.
    end = min((i for i in (dotted.find("("), dotted.find(" ")) if i >= 0), default=len(dotted))
    head, dot, tail = dotted[:end].rpartition(".")
    return head, dot, tail + dotted[end:]


def error_line(call: ReceiverCall) -> ErrorLine | None:
    """What a receiver raised, in one line."""
    if call.failure is None:
        return None
    message = " ".join(call.failure.message.split())
    return ErrorLine(name=exception_name(call.failure.exception_class), message=message)


def exception_name(dotted: str) -> str:
    """An exception class without its module: "LoyaltyAccount.DoesNotExist"."""
    parts = dotted.split(".")
    for index, part in enumerate(parts):
        if part[:1].isupper():
            return ".".join(parts[index:])
    return parts[-1]


def payload_line(payload: dict[str, Summary]) -> str:
    """All arguments in one line, cut where it gets long."""
    line = ", ".join(f"{key}={summary.text}" for key, summary in payload.items())
    return line if len(line) <= _ONE_LINE else f"{line[: _ONE_LINE - 1]}…"


def about(payload: dict[str, Summary] | None) -> str:
    """What tells a dispatch from its siblings: its model instances, else its plain values."""
    if not payload:
        return ""
    for kind in ("model", "plain"):
        found = {k: v for k, v in payload.items() if v.kind == kind}
        if kind == "model" and found:
            return ", ".join(summary.text for summary in list(found.values())[:3])
        if found:
            return payload_line(dict(list(found.items())[:3]))
    return payload_line(payload)


def unique(words: Iterable[str]) -> list[str]:
    """Without repetitions, in the order of first appearance."""
    return list(dict.fromkeys(words))


def call_outcome(dispatch: Dispatch, call: ReceiverCall) -> OutcomeCell:
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


def _raised(dispatch: Dispatch) -> OutcomeCell:
    if dispatch.method.is_robust:
        note = "returned to the sender, and logged"
        return OutcomeCell(glyph="swallowed", tone="bad", text="raised, swallowed", note=note)
    skipped = sum(call.outcome is Outcome.SKIPPED for call in dispatch.calls)
    note = f"{plural(skipped, 'receiver')} skipped" if skipped else ""
    return OutcomeCell(glyph="raised", tone="bad", text="raised", note=note)


def _stopper(dispatch: Dispatch) -> ReceiverCall | None:
    return next((call for call in dispatch.calls if call.outcome is Outcome.RAISED), None)


def dispatch_outcome(dispatch: Dispatch) -> OutcomeCell:
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


def _returned(dispatch: Dispatch) -> OutcomeCell:
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


def group_outcome(members: Sequence[Dispatch]) -> OutcomeCell:
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
