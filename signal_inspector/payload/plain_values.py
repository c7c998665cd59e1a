"""Summaries of text, numbers, dates and the like: the values that can be written down exactly."""

from __future__ import annotations

import enum
import math
import pathlib
import uuid
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.duration import duration_iso_string

from signal_inspector.payload.anatomy import attribute, short_name
from signal_inspector.records import Summary
from signal_inspector.payload.secrets_in_text import MARK
from signal_inspector.payload.summaries import Build, Known, Work, redacted, register, summary
from signal_inspector.payload.text import ELLIPSIS, cap, is_storable, one_line

_MARGIN = 1_024  # read past the cap, so that a secret that is cut by it is still recognised
_MOST_BITS = 2_000  # of an int that is written out: 603 digits
_MOST_DECIMAL_BYTES = 1_000  # of a Decimal that is written out: over 2,000 digits
_CARD_SIZED = range(10**12, 10**19)


def _none(work: Work, value: None, known: Known, depth: int) -> Summary:
    return _NONE


def _bool(work: Work, value: bool, known: Known, depth: int) -> Summary:
    return _TRUE if value else _FALSE


def _int(work: Work, value: int, known: Known, depth: int) -> Summary:
    bits = int.bit_length(value)
    if bits > _MOST_BITS:
        digits = int(bits * math.log10(2)) + 1
        return summary("plain", known.name, f"int of about {digits} digits", truncated=True)
    text = int.__repr__(value)
    if bits < 64:
        if bits >= 40 and _is_card(work, value, text):
            return redacted(known.name)
        return summary("plain", known.name, text, int.__int__(value))
    return _written(work, known, text, text)


def _is_card(work: Work, value: int, text: str) -> bool:
    return int.__abs__(value) in _CARD_SIZED and work.redactor.redact_text(text) is not text


def _float(work: Work, value: float, known: Known, depth: int) -> Summary:
    exact = float.__float__(value)
    finite = exact if math.isfinite(exact) else None
    return summary("plain", known.name, float.__repr__(value), finite)


def _str(work: Work, value: str, known: Known, depth: int) -> Summary:
    text = value if type(value) is str else str.__str__(value)
    limit = work.length
    whole = len(text) <= limit
    seen = text if whole else text[: limit + _MARGIN]
    safe = work.redactor.redact_text(seen)
    if safe == MARK:
        return redacted(known.name)
    shown = repr(safe if len(safe) <= limit else safe[:limit])
    if whole and safe is seen and len(shown) <= limit:
        if (shown.isascii() and "\\" not in shown) or is_storable(text):
            return summary("plain", known.name, shown, text)
        return summary("plain", known.name, shown, truncated=True)
    if len(shown) > limit or len(safe) > limit:
        shown = shown[: max(limit - 1, 0)] + ELLIPSIS if limit > 0 else ""
    return summary("plain", known.name, shown, truncated=True)


def _bytes(work: Work, value: bytes, known: Known, depth: int) -> Summary:
    return summary("object", known.name, f"{known.facts} of {bytes.__len__(value)}")


def _bytearray(work: Work, value: bytearray, known: Known, depth: int) -> Summary:
    return summary("object", known.name, f"{known.facts} of {bytearray.__len__(value)}")


def _decimal(work: Work, value: Decimal, known: Known, depth: int) -> Summary:
    if Decimal.__sizeof__(value) > _MOST_DECIMAL_BYTES:
        return summary("plain", known.name, "Decimal of very many digits", truncated=True)
    exact = Decimal.__str__(value)
    if len(exact) >= 13 and work.redactor.redact_text(exact) is not exact:
        return redacted(known.name)
    return _written(work, known, f"{known.facts}('{exact}')", exact)


def _date(work: Work, value: date, known: Known, depth: int) -> Summary:
    text = date.isoformat(value)
    return _written(work, known, text, text)


_datetime_zone: Callable[[datetime], object] = datetime.__dict__["tzinfo"].__get__
_time_zone: Callable[[time], object] = time.__dict__["tzinfo"].__get__


def _datetime(work: Work, value: datetime, known: Known, depth: int) -> Summary:
    zone = _datetime_zone(value)
    if zone is None or type(zone) in _TRUSTED_ZONES:
        text = datetime.isoformat(value)
        return _written(work, known, text, text)
    naive = f"{date.isoformat(value)}T{time.isoformat(datetime.time(value))}"
    return _in_unknown_zone(work, known, naive, zone)


def _time(work: Work, value: time, known: Known, depth: int) -> Summary:
    zone = _time_zone(value)
    if zone is None or type(zone) in _TRUSTED_ZONES:
        text = time.isoformat(value)
        return _written(work, known, text, text)
    return _in_unknown_zone(work, known, time.isoformat(time.replace(value, tzinfo=None)), zone)


def _in_unknown_zone(work: Work, known: Known, naive: str, zone: object) -> Summary:
    """Its offset would be the answer of the user's code."""
    text = cap(f"{naive} in {short_name(type(zone))}", work.length)
    return summary("plain", known.name, text, truncated=True)


def _timedelta(work: Work, value: timedelta, known: Known, depth: int) -> Summary:
    exact = timedelta.__add__(value, timedelta())
    if type(exact) is not timedelta:  # a subclass keeps itself: take it apart
        exact = timedelta(*(slot(value) for slot in _TIMEDELTA_SLOTS))
    return _written(work, known, timedelta.__str__(exact), duration_iso_string(exact))


def _uuid(work: Work, value: uuid.UUID, known: Known, depth: int) -> Summary:
    number = _uuid_int(value)
    text = f"{number:032x}"
    text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return _written(work, known, text, text)


def _enum(work: Work, value: enum.Enum, known: Known, depth: int) -> Summary:
    name = attribute(value, "_name_")
    member = name if type(name) is str else "?"
    text = one_line(f"{known.facts}.{member}", work.length)
    return summary("plain", known.name, text, member if is_storable(member) else None)


def _path(work: Work, value: pathlib.PurePath, known: Known, depth: int) -> Summary:
    return _str(work, str(value), known, depth)


def _written(work: Work, known: Known, text: str, exact: str) -> Summary:
    """A value with an exact form in text; the form is kept only if all of it is shown."""
    if len(text) > work.length:
        return summary("plain", known.name, cap(text, work.length), truncated=True)
    return summary("plain", known.name, text, exact)


_NONE = summary("plain", "NoneType", "None", None)
_TRUE = summary("plain", "bool", "True", True)
_FALSE = summary("plain", "bool", "False", False)
_TRUSTED_ZONES = (timezone, ZoneInfo)
_TIMEDELTA_SLOTS = tuple(
    timedelta.__dict__[name].__get__ for name in ("days", "seconds", "microseconds")
)
_uuid_int: Callable[[uuid.UUID], int] = uuid.UUID.__dict__["int"].__get__


def _always(build: Build) -> Callable[[type], tuple[Build, Any]]:
    return lambda cls: (build, short_name(cls))


for _base, _build in (
    (type(None), _none),
    (bool, _bool),
    (enum.Enum, _enum),
    (str, _str),
    (int, _int),
    (float, _float),
    (bytes, _bytes),
    (bytearray, _bytearray),
    (Decimal, _decimal),
    (datetime, _datetime),
    (date, _date),
    (time, _time),
    (timedelta, _timedelta),
    (uuid.UUID, _uuid),
):
    register(_base, _always(_build))
for _base in (
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
    pathlib.PosixPath,
    pathlib.WindowsPath,
):
    register(_base, _always(_path))
