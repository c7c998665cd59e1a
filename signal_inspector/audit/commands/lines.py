"""A dispatch as lines for a terminal."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.color import Style
from django.utils import timezone

from signal_inspector.audit.models import Ending, TransactionOutcome, Unseen
from signal_inspector.audit.reading.entries import Entry, utc
from signal_inspector.watching.terminal import printable

_MARKS: Final = {
    Ending.RETURNED: "ok",
    Ending.RAISED: "RAISED",
    Ending.SKIPPED: "skipped",
    Ending.CANCELLED: "cancelled",
    Ending.RUNNING: "running",
}
_MESSAGE: Final = 200  # characters


def entry_lines(entry: Entry, style: Style) -> str:
    """One line for the dispatch, and one for each receiver that failed, with the last line end."""
    dispatch = entry.dispatch
    at = timezone.localtime(utc(dispatch["started_at"], entry.id))
    parts = [
        f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1_000:03}",
        _outcome(dispatch, style),
        printable(dispatch["signal"]),
        f"{dispatch['duration_ns'] / 1e6:,.1f} ms",
        _receivers(dispatch),
    ]
    if dispatch["transaction_outcome"] == TransactionOutcome.ROLLED_BACK:
        parts.append(style.WARNING("rolled back"))
    parts += [printable(text) for text in (dispatch["actor"], dispatch["origin_name"]) if text]
    parts += [printable(key) for key in entry.objects[:3]]
    failed = [call for call in entry.calls if call["outcome"] == Ending.RAISED]
    return "".join(
        f"{line}\n" for line in ["  ".join(parts), *(_failure(call, style) for call in failed)]
    )


def _outcome(dispatch: dict[str, Any], style: Style) -> str:
    if dispatch["outcome"] != Ending.RETURNED:
        word = _MARKS.get(dispatch["outcome"], "?")
        return style.ERROR(f"{word:<9}")
    if dispatch["is_failed"]:
        return style.ERROR(f"{'failed':<9}")
    if dispatch["unseen"] == Unseen.PUT_OFF:
        return style.WARNING(f"{'put off':<9}")
    if not dispatch["receiver_count"]:
        return style.WARNING(f"{'orphan':<9}")
    return style.SUCCESS(f"{'ok':<9}")


def _receivers(dispatch: dict[str, Any]) -> str:
    count = dispatch["receiver_count"]
    words = f"{count} receiver{'' if count == 1 else 's'}"
    if dispatch["failed_count"]:
        words += f", {dispatch['failed_count']} failed"
    if dispatch["skipped_count"]:
        words += f", {dispatch['skipped_count']} skipped"
    return words


def _failure(call: dict[str, Any], style: Style) -> str:
    where = f" ({call['location']})" if call["location"] else ""
    message = str(call.get("message", ""))
    short = message if len(message) <= _MESSAGE else f"{message[:_MESSAGE]}…"
    text = printable(f"{call['receiver']}{where}: {call['exception']}: {short}")
    return f"    {style.ERROR(text)}"
