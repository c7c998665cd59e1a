"""Plain values made again from what the log holds of them: the very same, or not at all."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final, cast
from uuid import UUID

from django.utils.dateparse import parse_duration
from django.utils.duration import duration_iso_string

from signal_inspector.audit.retrying.loaded import loaded_class
from signal_inspector.names.safe import class_attribute, class_mro
from signal_inspector.records import Summary

_LONGEST: Final = 5_000  # characters of a number, a date and the like
_INTEGER: Final = re.compile(r"-?[0-9]{1,700}")
_NOT_FINITE: Final = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class CannotRestoreError(Exception):
    """A value of the log that cannot be had again; the message says why, for a person."""


def plain_value(summary: Summary) -> Any:
    """The value of a "plain" summary. ``CannotRestoreError`` if it cannot be had exactly."""
    read = _READERS.get(summary.type)
    if read is not None:
        return read(summary)
    if type(summary.value) is not str:
        raise _unknown(summary)
    return _member(summary.type, summary.value)


def _none(summary: Summary) -> None:
    if summary.value is not None:
        raise _unknown(summary)


def _bool(summary: Summary) -> bool:
    if type(summary.value) is not bool:
        raise _unknown(summary)
    return summary.value


def _int(summary: Summary) -> int:
    """A large one is kept as text."""
    value = summary.value
    if type(value) is int:
        return value
    if type(value) is not str or _INTEGER.fullmatch(value) is None:
        raise _unknown(summary)
    return int(value)


def _float(summary: Summary) -> float:
    """Those that JSON cannot hold are kept in words."""
    value = summary.value
    if value is None and summary.text in _NOT_FINITE:
        return _NOT_FINITE[summary.text]
    if type(value) is not float or not math.isfinite(value):
        raise _unknown(summary)
    return value


def _str(summary: Summary) -> str:
    if type(summary.value) is not str:
        raise _unknown(summary)
    return summary.value


def _by_text(parse: Callable[[str], Any], write: Callable[[Any], str]) -> Callable[..., Any]:
    """Reads what is kept as text, if writing it again gives the same text."""

    def read(summary: Summary) -> Any:
        text = summary.value
        if type(text) is not str or len(text) > _LONGEST:
            raise _unknown(summary)
        try:
            value = parse(text)
            if write(value) == text:
                return value
        except (ValueError, TypeError, OverflowError, InvalidOperation, AttributeError):
            pass
        raise _unknown(summary)

    return read


def _member(path: str, name: str) -> Enum:
    """A member of an Enum that is loaded."""
    cls = loaded_class(path)
    if cls is None or not any(base is Enum for base in class_mro(cls)):
        raise CannotRestoreError(f"values of {path} cannot be made again")
    members = class_attribute(cls, "_member_map_")
    member: Any = dict.get(members, name) if type(members) is dict else None
    if type(member) is not cls:
        raise CannotRestoreError(f"{path} has no member {name} now")
    return cast("Enum", member)


def _unknown(summary: Summary) -> CannotRestoreError:
    return CannotRestoreError(f"what the log holds is no exact {summary.type}")


_READERS: Final[Mapping[str, Callable[[Summary], Any]]] = {
    "NoneType": _none,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": _str,
    "decimal.Decimal": _by_text(Decimal, str),
    "datetime.date": _by_text(date.fromisoformat, date.isoformat),
    "datetime.datetime": _by_text(datetime.fromisoformat, datetime.isoformat),
    "datetime.time": _by_text(time.fromisoformat, time.isoformat),
    "datetime.timedelta": _by_text(parse_duration, duration_iso_string),
    "uuid.UUID": _by_text(UUID, str),
}
