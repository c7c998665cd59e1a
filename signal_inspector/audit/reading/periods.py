"""Times to look at: a preset that ends now, a day, or from one moment to another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

#: By their value in a URL: words, and how long before now.
PRESETS: Final = {
    "1h": ("Last hour", dt.timedelta(hours=1)),
    "24h": ("24 hours", dt.timedelta(days=1)),
    "7d": ("7 days", dt.timedelta(days=7)),
    "30d": ("30 days", dt.timedelta(days=30)),
}
PARAMETERS: Final = ("when", "day", "from", "to")
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From ``start`` on and before ``end``; None: without that end."""

    start: dt.datetime | None = None
    end: dt.datetime | None = None
    params: tuple[tuple[str, str], ...] = ()  # how it was asked for

    @property
    def is_bounded(self) -> bool:
        return self.start is not None or self.end is not None

    @property
    def preset(self) -> str:
        return dict(self.params).get("when", "")

    @property
    def words(self) -> str:
        """For a person: "last hour", "on 2026-11-22"; "" for all times."""
        asked = dict(self.params)
        if self.preset:
            return PRESETS[self.preset][0].lower()
        if "day" in asked:
            return f"on {asked['day']}"
        return " ".join(f"{key} {text}" for key, text in self.params).replace("T", " ")


def read_period(params: Mapping[str, str], now: dt.datetime | None = None) -> Period:
    """The period that a query string asks for. What cannot be read is as if it were not there."""
    now = now or dt.datetime.now(dt.UTC)
    asked = {key: params.get(key, "").strip() for key in PARAMETERS}
    ends = {key: moment for key in ("from", "to") if (moment := _moment(asked[key])) is not None}
    if ends:
        return Period(
            start=ends.get("from"),
            end=_after(asked["to"], ends.get("to")),
            params=tuple((key, asked[key]) for key in ends),
        )
    day = _date(asked["day"])
    if day is not None:
        start, end = _midnight(day), _midnight(day + _DAY)
        return Period(start=start, end=end, params=(("day", day.isoformat()),))
    when = asked["when"]
    if when in PRESETS:
        return Period(start=now - PRESETS[when][1], params=(("when", when),))
    return Period()


def day_of(moment: dt.datetime) -> Period:
    """The day, in the current time zone, that this is in."""
    return read_period({"day": timezone.localtime(moment).date().isoformat()})


def _after(text: str, end: dt.datetime | None) -> dt.datetime | None:
    """A day, or a minute, that is named as the end is meant with all of it."""
    if end is None:
        return None
    if _date(text) is not None:
        return _midnight(end.date() + _DAY) if end.date() < dt.date.max else end
    return end + dt.timedelta(minutes=1) if text.count(":") == 1 else end


def _moment(text: str) -> dt.datetime | None:
    day = _date(text)
    if day is not None:
        return _midnight(day)
    try:
        moment = parse_datetime(text.strip())
        if moment is None or not 1970 <= moment.year <= 9000:
            return None
        # In UTC: PostgreSQL takes no zone that is 16 hours away or more, which Python does.
        aware = timezone.make_aware(moment) if timezone.is_naive(moment) else moment
        return aware.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return None


def _date(text: str) -> dt.date | None:
    try:
        day = parse_date(text.strip())
    except ValueError:
        return None
    return day if day is not None and 1970 <= day.year <= 9000 else None


def _midnight(day: dt.date) -> dt.datetime:
    return timezone.make_aware(dt.datetime.combine(day, dt.time()))
