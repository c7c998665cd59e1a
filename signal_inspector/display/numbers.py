"""Numbers, durations and moments as people read them, independent of the request's locale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from django.utils import timezone

#: What a column shows if a duration is not known.
UNKNOWN: Final = "–"

_TENTH: Final = 50_000  # ns: anything shorter would be rounded to 0.0 ms
_SECONDS: Final = 10_000_000_000  # ns: from here on, a duration is shown in seconds
_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400


def integer(number: int) -> str:
    """``5212`` as "5,212"."""
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """ "1 query", "5,212 queries"; ``many`` is the plural if adding an s is not enough."""
    return f"{integer(number)} {one if number == 1 else many or one + 's'}"


def dispatch_count(number: int) -> str:
    """ "1 dispatch", "5,212 dispatches"."""
    return plural(number, "dispatch", "dispatches")


def more_arguments(dropped: int) -> str:
    """ "1 more argument was not kept", "3 more arguments were not kept"."""
    return f"{plural(dropped, 'more argument')} {'was' if dropped == 1 else 'were'} not kept"


def often(times: int) -> str:
    """A number of times in words: "never", "once", "twice", "3 times"."""
    return {0: "never", 1: "once", 2: "twice"}.get(times, f"{times} times")


def duration(nanoseconds: int | None) -> str:
    """How long something took: "18.3 ms", "5,471.2 ms"; from ten seconds on "15.0 s".

    "< 0.1 ms" for very short durations, "0 ms" for zero, "–" for None.
    """
    if nanoseconds is None:
        return UNKNOWN
    number, unit = _in_units(nanoseconds)
    return f"{number} {unit}"


def took(nanoseconds: int) -> str:
    """The duration of something that did happen: at least "< 0.1 ms", never "0 ms"."""
    return duration(max(nanoseconds, 1))


def self_time(duration_ns: int, self_ns: int) -> str:
    """The duration without nested dispatches; "" if it would read the same as the whole."""
    return duration(self_ns) if duration_ns - self_ns >= _TENTH else ""


def period(start_ns: int, end_ns: int) -> str:
    """A period, given in ns from a common start: "from 72.2 to 84.2 ms"."""
    start, unit = _in_units(start_ns)
    end, last_unit = _in_units(end_ns)
    if unit != last_unit and start != "0":
        start = f"{start} {unit}"
    return f"from {start} to {end} {last_unit}"


def _in_units(nanoseconds: int) -> tuple[str, str]:
    if nanoseconds <= 0:
        return "0", "ms"
    if nanoseconds < _TENTH:
        return "< 0.1", "ms"
    if nanoseconds >= _SECONDS:
        return f"{nanoseconds / 1e9:,.1f}", "s"
    return f"{nanoseconds / 1e6:,.1f}", "ms"


def total_time(nanoseconds: int) -> str:
    """The sum of many durations: as ``duration``, and from a minute on as ``length_of_time``."""
    whole = round(nanoseconds / 1e9)
    return duration(nanoseconds) if whole < _MINUTE else length_of_time(whole)


def length_of_time(seconds: float) -> str:
    """A length of time in one or two units: "41 s", "6 min 2 s", "3 h 12 min", "7 days"."""
    whole = max(int(seconds), 0)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(f"{whole // _MINUTE} min", whole % _MINUTE, "s")
    if whole < _DAY:
        return _two(f"{whole // _HOUR} h", whole % _HOUR // _MINUTE, "min")
    return _two(plural(whole // _DAY, "day"), whole % _DAY // _HOUR, "h")


def _two(first: str, rest: int, unit: str) -> str:
    return f"{first} {rest} {unit}" if rest else first


def rough_time(seconds: float) -> str:
    """A length of time, without seconds from a minute on: "2 s", "51 min", "1 h 36 min"."""
    whole = max(int(seconds), 0)
    return length_of_time(whole if whole < _MINUTE else whole - whole % _MINUTE)


def ago(seconds: float) -> str:
    """How long ago: "2 s ago", "1 h 36 min ago"."""
    return f"{rough_time(seconds)} ago"


def queries(count: int, nanoseconds: int) -> str:
    """The text of the SQL column: "24 in 9.6 ms", or "" without queries."""
    return f"{integer(count)} in {duration(nanoseconds)}" if count else ""


def queries_in(count: int, nanoseconds: int) -> str:
    """Queries in words: "24 queries in 9.6 ms", or "" without queries."""
    return f"{plural(count, 'query', 'queries')} in {duration(nanoseconds)}" if count else ""


def percent(part: int, whole: int) -> str:
    """A share: "96%", "0.6%", "< 0.1%"; never rounded to 0% or 100%."""
    if not whole or not part:
        return "0%"
    share = 100 * part / whole
    if share < 0.1:
        return "< 0.1%"
    if part < whole and share > 99.5:
        return "> 99%"
    return f"{share:.1f}%" if share < 10 else f"{share:.0f}%"


def percentile(counts: Mapping[int, int], share: float) -> int | None:
    """The smallest value that this share (0 to 1) of all values does not exceed; None without any.

    ``counts`` says how often each value occurs. Of n values in ascending order, the result is the
    one numbered ``ceil(share * n)``.
    """
    left = max(math.ceil(share * sum(counts.values())), 1)
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return value
    return None


def local(moment: datetime) -> datetime:
    """The moment in the current time zone; unchanged if the project does not use time zones."""
    return moment if timezone.is_naive(moment) else timezone.localtime(moment)


def clock(moment: datetime, *, with_day: bool = True) -> str:
    """ "2026-11-22 10:14:07.410", or "10:14:07.410", in the current time zone."""
    here = local(moment)
    day = f"{here:%Y-%m-%d} " if with_day else ""
    return f"{day}{here:%H:%M:%S}.{here.microsecond // 1_000:03d}"
