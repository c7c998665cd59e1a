"""Taking dispatches out of the log, as JSON Lines or CSV: to a file, a pipe or a browser.

JSON Lines: on each line the JSON of a dispatch, as every room gives it, with the other columns of
the log as its context. CSV (RFC 4180): the columns of the log, a receiver call on each line, and
beside it those of its dispatch; a dispatch that nobody received has one line, with empty cells for
the call. The log tells of an export from its start to its end.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import os
import re
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, cast
from uuid import UUID

from asgiref.sync import sync_to_async

from signal_inspector.audit.lookups import first_id_at
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.rows import CALL_COLUMNS, DISPATCH_COLUMNS
from signal_inspector.audit.search.entries import (
    CALL_VALUES,
    DISPATCH_VALUES,
    Entry,
    Reader,
    Wanted,
    as_document,
    call_values,
    dispatch_values,
    shown,
)

#: What a spreadsheet may take for a formula when a cell begins with it; the last four are the
#: wide forms that East Asian versions take for the narrow ones. The apostrophe is among them so
#: that taking one away gives back every text.
_FORMULA: Final = tuple("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
_CALL: Final = "call_"
# Not ends of a line in JSON Lines, but to many a program that reads lines.
_LINE_ENDS: Final = re.compile("[\x85\u2028\u2029]")

Chunks = Generator[bytes, None, None]

Write = Callable[[bytes], Any]

_LEVEL: Final = 6


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
        return b"".join([_json_line(as_document(entry)) for entry in entries])


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


def described(wanted: Wanted, form: Format) -> str:
    """What an ``Operation`` says of an export: format, payloads, filters."""
    filters = [f"{key}={value}" for key, value in sorted(wanted.selection.params().items())]
    if wanted.signal_glob:
        filters.append(f"signal={wanted.signal_glob}")
    payloads = "with payloads" if wanted.payloads else "without payloads"
    return f"{form.name}, {payloads}: {', '.join(filters) or 'everything'}"


def chunks(
    wanted: Wanted, form: Format, operation: RunningOperation, until: UUID | None = None
) -> Chunks:
    """The export, some dispatches at a time. The operation ends with it, also if closed early.

    It holds what has been sent before now (or before ``until``), however much is written
    meanwhile.
    """
    until = until or first_id_at(datetime.now(UTC))
    how = "Not complete: it was stopped, or nobody was there to take the rest."
    try:
        header = form.header()
        if header:
            yield header
        for batch in Reader(wanted).batches(before=until):
            yield form.lines(batch)
            operation.count(len(batch))
        how = ""
    except GeneratorExit:
        raise
    except BaseException as error:
        how = f"Not complete: {type(error).__name__} {error}".rstrip()
        raise
    finally:
        operation.end(how)


class Stream:
    """Chunks for a response of a sync server, which closes it also where the client hangs up."""

    def __init__(self, source: Chunks, operation: RunningOperation) -> None:
        self._source = source
        self._operation = operation
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self.next_chunk()) is not None:
            yield chunk

    def next_chunk(self) -> bytes | None:
        """The next chunk; None at the end."""
        with self._lock:
            return next(self._source, None)

    def close(self) -> None:
        """Stop. Waits for a chunk that is being made in another thread."""
        with self._lock:
            self._source.close()
        self._operation.end("Not complete: it was never begun.")  # if nothing has ended it before


class AsyncStream:
    """The same for an async server: the log is read in the thread of its sync code."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.close = stream.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await sync_to_async(self._stream.next_chunk)()) is not None:
            yield chunk


@contextlib.contextmanager
def whole_file(path: Path, *, replace: bool = False) -> Iterator[Write]:
    """A function that writes to a new file, which nobody but its owner may read.

    Until the end it is called ``<name>.….part`` and is removed if the code inside raises, so that
    what stands under the name is never cut short. A name that ends in ``.gz`` is compressed.
    Raises FileExistsError if there is such a file, unless ``replace``.
    """
    if not replace:
        _refuse_path(path)
    # Of a name of its own, with mode 0600, and never through a link that somebody put there.
    number, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as raw:
            with _compressed(raw, path) as file:
                yield file.write
            raw.flush()
            os.fsync(raw.fileno())
        if not replace:
            _refuse_path(path)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _compressed(raw: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    if path.suffix != ".gz":
        yield raw
        return
    with gzip.GzipFile(path.stem, "wb", _LEVEL, raw) as file:
        yield cast("BinaryIO", file)


def _refuse_path(path: Path) -> None:
    if path.exists():
        raise FileExistsError(f"{path} is there already.")


def to_stream(stream: Any) -> Write:
    """A function that writes bytes to a text stream such as ``sys.stdout``."""
    raw = getattr(stream, "buffer", None)
    if raw is None:  # a StringIO, of call_command
        return lambda data: stream.write(data.decode())
    stream.flush()

    def write(data: bytes) -> None:
        raw.write(data)
        raw.flush()

    return write
