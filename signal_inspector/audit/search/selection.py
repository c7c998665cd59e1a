"""What a reader asks the log for: read from a query string, and written as one again.

A period is a preset that ends now, a day, or the time between two moments.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from signal_inspector.audit.models import Method, Origin, TransactionOutcome
from signal_inspector.display.outcomes import (
    CANCELLED,
    ORPHAN,
    PUT_OFF,
    RAISED_TO_SENDER,
    SWALLOWED,
)

#: By the value in a URL: a label, and the length of time up to now.
PRESETS: Final = {
    "1h": ("Last hour", dt.timedelta(hours=1)),
    "24h": ("24 hours", dt.timedelta(days=1)),
    "7d": ("7 days", dt.timedelta(days=7)),
    "30d": ("30 days", dt.timedelta(days=30)),
}
PARAMETERS: Final = ("when", "day", "from", "to")
_DAY: Final = dt.timedelta(days=1)

#: The values of ``outcome``, with a label for each.
OUTCOMES: Final = {
    "failed": "something failed",
    "swallowed": SWALLOWED,
    "raised": RAISED_TO_SENDER,
    "skipped": "receivers skipped",
    "cancelled": CANCELLED,
    "orphan": ORPHAN,
    "put-off": PUT_OFF,
    "returned": "nothing failed",
}
METHODS: Final = {method.label: method for method in Method}
ENDINGS: Final = {
    "committed": TransactionOutcome.COMMITTED,
    "rolled-back": TransactionOutcome.ROLLED_BACK,
    "none": TransactionOutcome.NONE,
    "unknown": TransactionOutcome.UNKNOWN,
}
NO_RETRY: Final = "no retry"  # the dispatches that figures count
ORIGINS: Final = {origin.label: origin for origin in Origin} | {NO_RETRY: None}
_CHOICES: Final[dict[str, Mapping[str, object]]] = {
    "outcome": OUTCOMES,
    "method": METHODS,
    "transaction": ENDINGS,
    "origin": ORIGINS,
}
_IDS: Final = ("id", "parent", "in_transaction")
_LONGEST: Final = 1_000  # characters of a value


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The time from ``start`` on and before ``end``; None: unbounded."""

    start: dt.datetime | None = None
    end: dt.datetime | None = None
    params: tuple[tuple[str, str], ...] = ()  # the query string that it was read from

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
    """The period that a query string asks for. What cannot be read is ignored."""
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
    """The day, in the current time zone, that contains this moment."""
    return read_period({"day": timezone.localtime(moment).date().isoformat()})


def _after(text: str, end: dt.datetime | None) -> dt.datetime | None:
    """The end of a period: a day or a minute that is given as the end is included."""
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
        # In UTC: unlike Python, PostgreSQL refuses UTC offsets of 16 hours or more.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dispatches are wanted: all conditions have to hold. "" and None: no condition."""

    id: UUID | None = None
    signal: str = ""  # dotted name
    receiver: str = ""  # dotted name
    exception: str = ""  # dotted name of the class
    line: str = ""  # "shop/services.py:131 place_order", which sent it or led to it; has no index
    object: str = ""  # "shop.Order:42", which was among the arguments
    actor: str = ""  # "auth.User:7"
    label: str = ""  # the label of the actor; has no index
    request: str = ""  # the request's id
    trace: str = ""  # the trace's id
    parent: UUID | None = None  # the dispatch in whose receiver it was sent
    in_transaction: UUID | None = None  # the transaction's id
    outcome: str = ""  # one of OUTCOMES; with a receiver, "failed" applies to that receiver
    method: str = ""  # one of METHODS
    transaction: str = ""  # one of ENDINGS
    origin: str = ""  # one of ORIGINS
    period: Period = field(default_factory=Period)

    def params(self) -> dict[str, str]:
        """The parameters of the query string for this selection."""
        found = {
            each.name: str(getattr(self, each.name))
            for each in fields(self)
            if each.name != "period" and getattr(self, each.name)
        }
        return found | dict(self.period.params)

    def query(self, **more: str) -> str:
        """The query string ``?signal=…``, with further parameters; "?" for everything."""
        return f"?{urlencode(self.params() | {key: text for key, text in more.items() if text})}"

    def but(self, **changes: Any) -> Selection:
        """A copy with some fields changed."""
        return replace(self, **changes)

    @property
    def is_everything(self) -> bool:
        return not self.params()


def read_selection(params: Mapping[str, str]) -> Selection:
    """The selection that a query string asks for. What cannot be read is ignored."""
    values: dict[str, Any] = {}
    for each in fields(Selection):
        text = params.get(each.name, "").replace("\0", "").strip()[:_LONGEST]
        known = _CHOICES.get(each.name)
        if each.name in _IDS:
            values[each.name] = read_id(text)
        elif each.name != "period" and (known is None or text in known):
            values[each.name] = text
    return Selection(**values, period=read_period(params))


def read_id(text: str) -> UUID | None:
    """A UUID in any of its forms, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None
