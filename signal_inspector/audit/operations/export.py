"""Export dispatches from the log as JSON Lines or CSV: to a file, a pipe or a browser.

JSON Lines: each line is the JSON of a dispatch, the same as in every room, with the other columns
of the log as its context. CSV (RFC 4180): the columns of the log, with one receiver call on each
line next to the columns of its dispatch; a dispatch without receivers has one line, with empty
cells for the call. An export is recorded in the log from its start to its end.
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

#: A spreadsheet may take a cell for a formula if it begins with one of these. The last four are
#: full-width forms, which East Asian versions treat like the narrow ones. The apostrophe is in the
#: list so that removing one apostrophe always gives back the original text.
_FORMULA: Final = tuple("=+-@\t\r\n'\uff1d\uff0b\uff0d\uff20")
_CALL: Final = "call_"
# Many programs take these for line ends, although JSON Lines does not.
_LINE_ENDS: Final = re.compile("[\x85\u2028\u2029]")

Chunks = Generator[bytes, None, None]

Write = Callable[[bytes], Any]

_LEVEL: Final = 6


class Format:
    """Turns entries into text, a batch at a time."""

    name: ClassVar[str]
    label: ClassVar[str]
    suffix: ClassVar[str]
    content_type: ClassVar[str]

    def __init__(self, *, payloads: bool) -> None:
        self.payloads = payloads

    def header(self) -> bytes:
        """What comes before the first entry."""
        return b""

    def lines(self, entries: Iterable[Entry]) -> bytes:
        """The lines of these entries, each with its line end."""
        raise NotImplementedError


class JsonLines(Format):
    """A JSON object on each line."""

    name = "jsonl"
    label = "JSON Lines, one dispatch per line"
    suffix = ".jsonl"
    content_type = "application/jsonl; charset=utf-8"

    def lines(self, entries: Iterable[Entry]) -> bytes:
        return b"".join([_json_line(as_document(entry)) for entry in entries])


class Csv(Format):
    """A receiver call on each line, for a spreadsheet."""

    name = "csv"
    label = "CSV for spreadsheets, one receiver call per line"
    suffix = ".csv"
    content_type = "text/csv; charset=utf-8; header=present"

    def __init__(self, *, payloads: bool, mark: bool = False) -> None:
        super().__init__(payloads=payloads)
        #: Whether to begin with a byte order mark, by which Excel recognizes UTF-8.
        self._mark = mark
        hidden = () if payloads else (*DISPATCH_VALUES, *CALL_VALUES)
        self._dispatch = [name for name in map(shown, DISPATCH_COLUMNS) if name not in hidden]
        self._call = [name for name in map(shown, CALL_COLUMNS[1:]) if name not in hidden]

    @property
    def columns(self) -> list[str]:
        """The column names, which are the first line."""
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
    """A text that no spreadsheet takes for a formula, with a leading apostrophe if needed."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json_line(values: dict[str, Any]) -> bytes:
    try:
        return _LINE_ENDS.sub(_json_escape, _json(values)).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate, which was escaped in a payload
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
    """The description of an export in its ``Operation``: format, payloads, filters."""
    filters = [f"{key}={value}" for key, value in sorted(wanted.selection.params().items())]
    if wanted.signal_glob:
        filters.append(f"signal={wanted.signal_glob}")
    payloads = "with payloads" if wanted.payloads else "without payloads"
    return f"{form.name}, {payloads}: {', '.join(filters) or 'everything'}"


def chunks(
    wanted: Wanted, form: Format, operation: RunningOperation, until: UUID | None = None
) -> Chunks:
    """The export, a batch of dispatches at a time. Ends the operation, also when closed early.

    It contains what was sent before now, or before the id ``until``, regardless of what is written
    meanwhile.
    """
    until = until or first_id_at(datetime.now(UTC))
    how = "Incomplete: it was stopped, or the client disconnected."
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
        how = f"Incomplete: {type(error).__name__} {error}".rstrip()
        raise
    finally:
        operation.end(how)


class Stream:
    """Chunks for a response of a sync server, which also closes it when the client disconnects."""

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
        """Stop the export. Waits for a chunk that is being made in another thread."""
        with self._lock:
            self._source.close()
        self._operation.end("Incomplete: it never started.")  # does nothing if it has ended


class AsyncStream:
    """A ``Stream`` for an async server: the log is read in the thread of its sync code."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.close = stream.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await sync_to_async(self._stream.next_chunk)()) is not None:
            yield chunk


@contextlib.contextmanager
def whole_file(path: Path, *, replace: bool = False) -> Iterator[Write]:
    """A function that writes to a new file, which only its owner may read.

    Until the end the file is named ``<name>.….part``, and it is removed if the code inside raises,
    so a file under the final name is always complete. If the name ends in ``.gz``, the file is
    compressed. Raises FileExistsError if the file exists already, unless ``replace``.
    """
    if not replace:
        _refuse_path(path)
    # A unique name and mode 0600; never follows a link that somebody has put there.
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
        raise FileExistsError(f"{path} already exists.")


def to_stream(stream: Any) -> Write:
    """A function that writes bytes to a text stream such as ``sys.stdout``."""
    raw = getattr(stream, "buffer", None)
    if raw is None:  # a StringIO passed to call_command
        return lambda data: stream.write(data.decode())
    stream.flush()

    def write(data: bytes) -> None:
        raw.write(data)
        raw.flush()

    return write
