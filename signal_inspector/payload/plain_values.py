"""Summaries of text, numbers, dates and the like: values that can be written exactly."""

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

from signal_inspector.core.record.values import Summary
from signal_inspector.names.safe import stored_attribute
from signal_inspector.payload.summaries import (
    Build,
    Kinds,
    Known,
    Learn,
    Work,
    other,
    plain,
    redacted,
    short_name,
)
from signal_inspector.payload.text import ELLIPSIS, MARK, is_storable, one_line

_MOST_BITS = 2_000  # of an int that is written out: 603 digits, under every limit Python may set
_MOST_DECIMAL_BYTES = 1_000  # of a Decimal that is written out: over 2,000 digits
_CARD_SIZED = range(10**12, 10**19)


def _none(_work: Work, _value: None, _known: Known, _depth: int) -> Summary:
    return _NONE


def _bool(_work: Work, value: bool, _known: Known, _depth: int) -> Summary:
    return _TRUE if value else _FALSE


def _int(work: Work, value: int, known: Known, _depth: int) -> Summary:
    bits = int.bit_length(value)
    if bits > _MOST_BITS:
        digits = int(bits * math.log10(2)) + 1
        return Summary("plain", known.name, f"int with about {digits} digits", truncated=True)
    text = int.__repr__(value)
    exact = int.__int__(value)
    if bits >= 64 and exact != -(2**63):
        return plain(work, known, text, text)
    if (abs(exact) in _CARD_SIZED or work.redactor.values) and work.redactor.redact_text(
        text
    ) is not text:
        return redacted(known.name)
    return Summary("plain", known.name, text, exact)


def _float(work: Work, value: float, known: Known, _depth: int) -> Summary:
    exact = float.__float__(value)
    if work.redactor.values and work.redactor.redact_text(repr(exact)) != repr(exact):
        return redacted(known.name)
    finite = exact if math.isfinite(exact) else None
    return Summary("plain", known.name, float.__repr__(value), finite)


def _str(work: Work, value: str, known: Known, _depth: int) -> Summary:
    text = value if type(value) is str else str.__str__(value)
    limit = work.length
    safe = work.safe(text, limit)
    if safe == MARK:
        return redacted(known.name)
    shown = repr(safe[:limit])
    if safe == text and len(text) <= limit and len(shown) <= limit:
        if is_storable(text):
            return Summary("plain", known.name, shown, text)
        return Summary("plain", known.name, shown, truncated=True)
    if len(shown) > limit or len(safe) > limit:
        shown = shown[: max(limit - 1, 0)] + ELLIPSIS
    return Summary("plain", known.name, shown, truncated=True)


def _bytes(_work: Work, value: bytes, known: Known, _depth: int) -> Summary:
    return Summary("object", known.name, f"{known.facts} of {bytes.__len__(value)}")


def _bytearray(_work: Work, value: bytearray, known: Known, _depth: int) -> Summary:
    return Summary("object", known.name, f"{known.facts} of {bytearray.__len__(value)}")


def _decimal(work: Work, value: Decimal, known: Known, _depth: int) -> Summary:
    if Decimal.__sizeof__(value) > _MOST_DECIMAL_BYTES:
        text = "Decimal with very many digits"
        return Summary("plain", known.name, text, truncated=True)
    exact = Decimal.__str__(value)
    if work.redactor.redact_text(exact) is not exact:
        return redacted(known.name)
    return plain(work, known, f"{known.facts}('{exact}')", exact)


def _date(work: Work, value: date, known: Known, _depth: int) -> Summary:
    text = date.isoformat(value)
    return plain(work, known, text, text)


def _datetime(work: Work, value: datetime, known: Known, _depth: int) -> Summary:
    zone = _datetime_zone(value)
    if zone is None or type(zone) in _TRUSTED_ZONES:
        text = datetime.isoformat(value)
        return plain(work, known, text, text)
    naive = datetime.combine(datetime.date(value), datetime.time(value))
    return _in_unknown_zone(work, known, naive.isoformat(), zone)


def _time(work: Work, value: time, known: Known, _depth: int) -> Summary:
    zone = _time_zone(value)
    if zone is None or type(zone) in _TRUSTED_ZONES:
        text = time.isoformat(value)
        return plain(work, known, text, text)
    hour, minute, second, microsecond = (slot(value) for slot in _TIME_SLOTS)
    naive = time(hour, minute, second, microsecond)
    return _in_unknown_zone(work, known, naive.isoformat(), zone)


def _in_unknown_zone(work: Work, known: Known, naive: str, zone: object) -> Summary:
    """A time without its offset, which only the code of the user's zone could compute."""
    text = one_line(f"{naive} in {short_name(type(zone))}", work.length)
    return Summary("plain", known.name, text, truncated=True)


def _timedelta(work: Work, value: timedelta, known: Known, _depth: int) -> Summary:
    exact = timedelta(*(slot(value) for slot in _TIMEDELTA_SLOTS))
    return plain(work, known, str(exact), duration_iso_string(exact))


def _uuid(work: Work, value: uuid.UUID, known: Known, _depth: int) -> Summary:
    digits = f"{_uuid_int(value):032x}"
    text = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    return plain(work, known, text, text)


def _enum(work: Work, value: enum.Enum, known: Known, _depth: int) -> Summary:
    """The member's name, as its value may be anything; the number of a flag without a name."""
    name = stored_attribute(value, "_name_")
    if type(name) is str:
        name = one_line(name, work.length)
        return plain(work, known, f"{known.facts}.{name}", name)
    number = stored_attribute(value, "_value_")
    told = type(number) is int and number.bit_length() < 64
    return other(work, known, f"{known.facts}({number})" if told else str(known.facts))


def _path(work: Work, value: pathlib.PurePath, known: Known, depth: int) -> Summary:
    return _str(work, str(value), known, depth)


def _range(work: Work, value: range, known: Known, _depth: int) -> Summary:
    bounds = [slot(value) for slot in _RANGE_SLOTS]
    if any(bound.bit_length() > _MOST_BITS for bound in bounds):
        return other(work, known, "range of very large numbers")
    shown = bounds if bounds[2] != 1 else bounds[:2]
    return other(work, known, f"range({', '.join(map(str, shown))})")


_NONE = Summary("plain", "NoneType", "None", None)
_TRUE = Summary("plain", "bool", "True", True)
_FALSE = Summary("plain", "bool", "False", False)

_RANGE_SLOTS = tuple(range.__dict__[name].__get__ for name in ("start", "stop", "step"))
_TRUSTED_ZONES = (timezone, ZoneInfo)
_datetime_zone: Callable[[datetime], object] = datetime.__dict__["tzinfo"].__get__
_time_zone: Callable[[time], object] = time.__dict__["tzinfo"].__get__
_uuid_int: Callable[[uuid.UUID], int] = uuid.UUID.__dict__["int"].__get__
_TIME_SLOTS = tuple(
    time.__dict__[name].__get__ for name in ("hour", "minute", "second", "microsecond")
)
_TIMEDELTA_SLOTS = tuple(
    timedelta.__dict__[name].__get__ for name in ("days", "seconds", "microseconds")
)


def _always(build: Build) -> Learn:
    return lambda cls: (build, short_name(cls))


def _learn_path(cls: type) -> tuple[Build, Any]:
    exact = any(cls is known for known in _PATHS)
    return (_path if exact else _path_object), short_name(cls)


def _path_object(work: Work, _value: object, known: Known, _depth: int) -> Summary:
    return other(work, known, f"{known.facts} object")


_PATHS = (
    pathlib.PurePosixPath,
    pathlib.PureWindowsPath,
    pathlib.PosixPath,
    pathlib.WindowsPath,
)

KINDS: Kinds = (
    (type(None), _always(_none)),
    (enum.Enum, _always(_enum)),
    (bool, _always(_bool)),
    (str, _always(_str)),
    (int, _always(_int)),
    (float, _always(_float)),
    (bytes, _always(_bytes)),
    (bytearray, _always(_bytearray)),
    (Decimal, _always(_decimal)),
    (datetime, _always(_datetime)),
    (date, _always(_date)),
    (time, _always(_time)),
    (timedelta, _always(_timedelta)),
    (uuid.UUID, _always(_uuid)),
    (pathlib.PurePath, _learn_path),
    (range, _always(_range)),
)
