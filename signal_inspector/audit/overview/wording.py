"""Words of the overview."""

from __future__ import annotations

from typing import Final

from signal_inspector.audit.wording import plural

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


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
