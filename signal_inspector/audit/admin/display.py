"""Numbers, names, times and outcomes as the pages of the audit write them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils import timezone

from signal_inspector.audit.models import (
    AuditedCall,
    AuditedDispatch,
    Ending,
    Method,
    TransactionOutcome,
    Unseen,
)

_ROBUST: Final = (Method.SEND_ROBUST, Method.ASEND_ROBUST)

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class DottedName:
    """A dotted name: all but the last part, with its dot, and the last part."""

    module: str
    last: str

    @property
    def full(self) -> str:
        return self.module + self.last


@dataclass(frozen=True, slots=True)
class OutcomeWords:
    """How something ended: a glyph, a word, and a tone that never stands alone."""

    tone: str  # "ok", "bad", "warn" or "none"
    glyph: str  # of parts/symbols.html
    text: str
    detail: str = ""


def dotted(name: str) -> DottedName:
    """A name in its parts. Dots inside brackets separate nothing."""
    ends = (place for place in (name.find("("), name.find(" ")) if place >= 0)
    end = min(ends, default=len(name))
    head, dot, last = name[:end].rpartition(".")
    return DottedName(head + dot, last + name[end:])


def class_name(name: str) -> str:
    """An exception's class without its module: "LoyaltyAccount.DoesNotExist"."""
    parts = name.split(".")
    first = next((index for index, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    return ".".join(parts[first:])


def number(value: int) -> str:
    """``5212`` as "5,212"."""
    return f"{value:,}"


def plural(value: int, one: str, many: str = "") -> str:
    """ "1 receiver", "5,212 receivers"."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def ms(nanoseconds: int) -> str:
    """A duration: "18.3 ms", "< 0.1 ms" for what is not nothing, "12.4 s" from ten seconds on."""
    if nanoseconds <= 0:
        return "0 ms"
    if nanoseconds < 50_000:
        return "< 0.1 ms"
    if nanoseconds >= 10_000_000_000:
        return f"{nanoseconds / 1e9:,.1f} s"
    return f"{nanoseconds / 1e6:,.1f} ms"


def sql(count: int, nanoseconds: int) -> str:
    """ "24 in 9.6 ms"; "" without a query."""
    return f"{number(count)} in {ms(nanoseconds)}" if count else ""


def local(moment: datetime) -> datetime:
    """In the current time zone; as it is where the project uses none."""
    return moment if timezone.is_naive(moment) else timezone.localtime(moment)


def clock(moment: datetime) -> str:
    """ "2026-11-22 10:14:07.410", in the current time zone."""
    here = local(moment)
    return f"{here:%Y-%m-%d %H:%M:%S}.{here.microsecond // 1_000:03d}"


def zone() -> str:
    """The name of the current time zone."""
    return timezone.get_current_timezone_name()


def is_robust(dispatch: AuditedDispatch) -> bool:
    """Whether exceptions were given to the sender instead of being raised."""
    return dispatch.method in _ROBUST or "robust" in dispatch.own_method


def dispatch_outcome(dispatch: AuditedDispatch) -> OutcomeWords:
    """How a dispatch ended, in a word or three."""
    failed, ending = dispatch.failed_count, dispatch.outcome
    if ending == Ending.CANCELLED:
        return OutcomeWords("bad", "cancelled", "cancelled")
    if ending == Ending.RAISED:
        skipped = dispatch.skipped_count
        return OutcomeWords(
            "bad", "raised", "raised", f"{number(skipped)} skipped" if skipped else ""
        )
    if failed:
        return OutcomeWords("bad", "swallowed", "failed, swallowed")
    if ending == Ending.RUNNING:
        return OutcomeWords("warn", "running", "had not ended")
    if dispatch.unseen == Unseen.PUT_OFF:
        return OutcomeWords("none", "running", "put off", "it called no receiver")
    if not dispatch.receiver_count:
        return OutcomeWords("warn", "orphan", "nobody received it")
    return OutcomeWords("ok", "ok", "returned")


def call_outcome(call: AuditedCall, robust: bool) -> OutcomeWords:
    """How a receiver call ended."""
    if call.outcome == Ending.RAISED:
        word = "swallowed" if robust else "raised"
        text = "raised, swallowed" if robust else "raised to the sender"
        return OutcomeWords("bad", word, text)
    if call.outcome == Ending.SKIPPED:
        return OutcomeWords("none", "skipped", "never ran", "an earlier receiver raised")
    if call.outcome == Ending.CANCELLED:
        return OutcomeWords("bad", "cancelled", "cancelled")
    if call.outcome == Ending.RUNNING:
        return OutcomeWords("warn", "running", "had not ended")
    return OutcomeWords("ok", "ok", "returned")


def transaction_words(outcome: int) -> OutcomeWords:
    """How the transaction of a dispatch ended."""
    if outcome == TransactionOutcome.COMMITTED:
        return OutcomeWords("ok", "ok", "committed")
    if outcome == TransactionOutcome.ROLLED_BACK:
        return OutcomeWords("warn", "back", "rolled back")
    if outcome == TransactionOutcome.NONE:
        return OutcomeWords("none", "", "none")
    return OutcomeWords("none", "", "unknown")


def short_ms(nanoseconds: int | None) -> str:
    """A duration with two or three digits that count: "1.6 ms", "214 ms", "12.4 s"; "–"."""
    if nanoseconds is None:
        return "–"
    if nanoseconds <= 0:
        return "0 ms"
    value = nanoseconds / 1e6
    if value >= 10_000:
        return f"{value / 1e3:,.1f} s"
    if value >= 10:
        return f"{value:,.0f} ms"
    if value >= 0.1:
        return f"{value:.1f} ms"
    return f"{value:.2f} ms" if value >= 0.005 else f"{nanoseconds / 1e3:.1f} µs"


def long_time(nanoseconds: int) -> str:
    """Time in all: "41 s", "6 min 2 s", "3 h 12 min", "2 days 3 h"."""
    seconds = round(nanoseconds / 1e9)
    if nanoseconds < 10e9:
        return short_ms(nanoseconds) if nanoseconds < 1e9 else f"{nanoseconds / 1e9:.1f} s"
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min {seconds % _MINUTE} s"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE} min"
    return f"{plural(seconds // _DAY, 'day')} {seconds % _DAY // _HOUR} h"


def ago(seconds: float) -> str:
    """How long ago: "2 s", "51 minutes", "1 hour 36 minutes", "3 days"."""
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return plural(whole // _MINUTE, "minute")
    if whole < _DAY:
        minutes = whole % _HOUR // _MINUTE
        rest = f" {plural(minutes, 'minute')}" if minutes else ""
        return f"{plural(whole // _HOUR, 'hour')}{rest}"
    return plural(whole // _DAY, "day")


def percent(part: int, whole: int) -> str:
    """A share: "96 %", "0.6 %", "< 0.1 %"; never rounded to nothing or to all."""
    if not whole or not part:
        return "0 %"
    share = 100 * part / whole
    if share < 0.1:
        return "< 0.1 %"
    if part < whole and share > 99.5:
        return "> 99 %"
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def compared(now: float, before: float, when: str) -> str:
    """ "4 % more than the day before"."""
    if not before:
        return f"none {when}"
    change = now / before - 1
    if abs(change) < 0.01:
        return f"as {when}"
    if now >= 10 * before:
        return f"{now / before:,.0f} times {when}"
    return f"{abs(change) * 100:.0f} % {'more' if change > 0 else 'less'} than {when}"
