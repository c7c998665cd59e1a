"""The two formats. Both hold the same columns under the same names.

JSON Lines: a dispatch on each line, its receiver calls in ``calls``, and its arguments as they
are in the log. CSV (RFC 4180): a receiver call on each line, beside it the columns of its
dispatch; a dispatch that nobody received has one line, with empty cells for the call.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final

from signal_inspector.audit.exporting.values import (
    DOCUMENTS,
    call_values,
    dispatch_values,
    document,
)
from signal_inspector.audit.reading.entries import CALL_VALUES, DISPATCH_VALUES, Entry, shown
from signal_inspector.audit.rows import CALL_COLUMNS, DISPATCH_COLUMNS

#: What a spreadsheet may take for a formula when a cell begins with it; the last four are the
#: wide forms that East Asian versions take for the narrow ones. The apostrophe is among them so
#: that taking one away gives back every text.
_FORMULA: Final = tuple("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
_CALL: Final = "call_"
# Not ends of a line in JSON Lines, but to many a program that reads lines.
_LINE_ENDS: Final = re.compile("[\x85\u2028\u2029]")


class Format:
    """Turns entries into text, some at a time."""

    name: ClassVar[str]
    label: ClassVar[str]
    suffix: ClassVar[str]
    content_type: ClassVar[str]

    def __init__(self, *, payloads: bool) -> None:
        self.payloads = payloads

    def header(self) -> bytes:
        """What stands before the first entry."""
        return b""

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """These entries, each line with its end."""
        raise NotImplementedError


class JsonLines(Format):
    """A JSON object on each line."""

    name = "jsonl"
    label = "JSON Lines, a dispatch on each line"
    suffix = ".jsonl"
    content_type = "application/jsonl; charset=utf-8"

    def lines(self, entries: Iterable[Entry]) -> bytes:
        return b"".join([_json_line(as_dict(entry)) for entry in entries])


class Csv(Format):
    """A receiver call on each line, for a spreadsheet."""

    name = "csv"
    label = "CSV for a spreadsheet, a receiver call on each line"
    suffix = ".csv"
    content_type = "text/csv; charset=utf-8; header=present"

    def __init__(self, *, payloads: bool, mark: bool = False) -> None:
        super().__init__(payloads=payloads)
        #: Whether to begin with a byte order mark, by which Excel knows UTF-8.
        self._mark = mark
        hidden = () if payloads else (*DISPATCH_VALUES, *CALL_VALUES)
        self._dispatch = [name for name in map(shown, DISPATCH_COLUMNS) if name not in hidden]
        self._call = [name for name in map(shown, CALL_COLUMNS[1:]) if name not in hidden]

    @property
    def columns(self) -> list[str]:
        """The names in the first line."""
        return [*self._dispatch, "objects", *(f"{_CALL}{name}" for name in self._call)]

    def header(self) -> bytes:
        return (b"\xef\xbb\xbf" if self._mark else b"") + _csv([self.columns])

    def lines(self, entries: Iterable[Entry]) -> bytes:
        return _csv(row for entry in entries for row in self._rows(entry))

    def _rows(self, entry: Entry) -> Iterator[list[Any]]:
        values = dispatch_values(entry)
        shared = [_cell(values[name]) for name in self._dispatch]
        shared.append(_json(entry.objects) if entry.objects else "")
        for call in entry.calls:
            received = call_values(call)
            yield [*shared, *(_cell(received[name]) for name in self._call)]
        if not entry.calls:
            yield [*shared, *([""] * len(self._call))]


FORMATS: Final[dict[str, type[Format]]] = {each.name: each for each in (JsonLines, Csv)}


def as_dict(entry: Entry) -> dict[str, Any]:
    """An entry as JSON holds it, arguments and responses read."""
    found = dispatch_values(entry)
    found["objects"] = entry.objects
    found["calls"] = [call_values(call) for call in entry.calls]
    for values in (found, *found["calls"]):
        for name in DOCUMENTS:
            if name in values:
                values[name] = document(values[name])
    return found


def escaped(text: str) -> str:
    """A text that no spreadsheet takes for a formula: with an apostrophe before it if need be."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json_line(values: dict[str, Any]) -> bytes:
    try:
        return _LINE_ENDS.sub(_json_escape, _json(values)).encode() + b"\n"
    except UnicodeEncodeError:  # half of a pair, escaped in a payload
        return _json(values, ensure_ascii=True).encode() + b"\n"


def _json(value: Any, *, ensure_ascii: bool = False) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False, separators=(",", ":"))


def _json_escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def _csv(rows: Iterable[list[Any]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
