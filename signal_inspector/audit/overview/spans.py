"""The time that the overview is of: some equal slots, the last of which is not over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.utils import timezone

from signal_inspector.audit.binding import moment
from signal_inspector.audit.tallies import slot_of

_HOUR: Final = 3_600
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class _Kind:
    words: str  # of the choice
    seconds: int  # of a slot
    slots: int
    slot_words: str  # "per ..."
    before: str  # the time before it
    labels: str  # of the axis, for strftime
    each: int  # slots from one label to the next


KINDS: Final = {
    "1h": _Kind("Last hour", 300, 12, "5 minutes", "the hour before", "%H:%M", 3),
    "24h": _Kind("24 hours", _HOUR, 24, "hour", "the day before", "%H:%M", 3),
    "7d": _Kind("7 days", 6 * _HOUR, 28, "6 hours", "the week before", "%a %d", 4),
    "30d": _Kind("30 days", _DAY, 30, "day", "the 30 days before", "%d %b", 5),
}
DEFAULT: Final = "24h"


@dataclass(frozen=True, slots=True)
class Span:
    """One of ``KINDS``, at a moment. Times are Unix seconds."""

    key: str
    now: int

    @property
    def kind(self) -> _Kind:
        return KINDS[self.key]

    @property
    def seconds(self) -> int:
        """How long a slot is."""
        return self.kind.seconds

    @property
    def slots(self) -> int:
        return self.kind.slots

    @property
    def start(self) -> int:
        return slot_of(self.now, self.seconds) - (self.slots - 1) * self.seconds

    @property
    def before(self) -> int:
        """When the time before it starts, which is as long."""
        return self.start - self.slots * self.seconds

    def starts(self) -> list[int]:
        """When each slot starts."""
        return [self.start + index * self.seconds for index in range(self.slots)]

    def index(self, unix_seconds: float) -> int:
        """The slot that a moment is in: negative before the first."""
        return int((unix_seconds - self.start) // self.seconds)

    def place(self, unix_seconds: float) -> float:
        """Where a moment stands between the start (0) and the end of the last slot (1)."""
        share = (unix_seconds - self.start) / (self.slots * self.seconds)
        return min(max(share, 0.0), 1.0)

    @property
    def has_foreign_days(self) -> bool:
        """Whether its slots are days of UTC, and those here are others."""
        offset = here(self.now).utcoffset()
        return self.seconds == _DAY and bool(offset)

    def local(self, unix_seconds: int) -> datetime:
        """A moment for a label: in the current time zone, but days are those of UTC."""
        return moment(unix_seconds * 1_000_000) if self.seconds == _DAY else here(unix_seconds)


def read_span(params: Mapping[str, str], now: datetime | None = None) -> Span:
    """The time that a query string asks for by ``when``: 24 hours unless it is in ``KINDS``."""
    key = params.get("when", "")
    return Span(key if key in KINDS else DEFAULT, int((now or datetime.now(UTC)).timestamp()))


def here(unix_seconds: float) -> datetime:
    """A moment in the current time zone."""
    return timezone.localtime(moment(int(unix_seconds * 1_000_000)))


def short(unix_seconds: float, span: Span) -> str:
    """A moment up to now in few words.

    With seconds in the last two days, and with its day unless that is today.
    """
    when, now = here(unix_seconds), here(span.now)
    clock = f"{when:%H:%M:%S}" if span.now - unix_seconds < 2 * _DAY else f"{when:%H:%M}"
    if when.date() == now.date():
        return clock
    if (now.date() - when.date()).days == 1:
        return f"yesterday {clock}"
    year = f" {when.year}" if when.year != now.year else ""
    return f"{when.day} {when:%b}{year}, {clock}"
