"""An export as a stream of bytes, told of in the log from its start to its end."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Generator, Iterator
from datetime import UTC, datetime
from uuid import UUID

from asgiref.sync import sync_to_async

from signal_inspector.audit.acts import Acting
from signal_inspector.audit.exporting.formats import Format
from signal_inspector.audit.lookups import first_id_at
from signal_inspector.audit.reading.entries import Reader, Wanted

Chunks = Generator[bytes, None, None]


def described(wanted: Wanted, form: Format) -> str:
    """What an ``Act`` says of an export: format, payloads, filters."""
    filters = [f"{key}={value}" for key, value in sorted(wanted.selection.params().items())]
    if wanted.signal_glob:
        filters.append(f"signal={wanted.signal_glob}")
    payloads = "with payloads" if wanted.payloads else "without payloads"
    return f"{form.name}, {payloads}: {', '.join(filters) or 'everything'}"


def chunks(wanted: Wanted, form: Format, acting: Acting, until: UUID | None = None) -> Chunks:
    """The export, some dispatches at a time. The act ends with it, also where it is closed early.

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
            acting.count(len(batch))
        how = ""
    except GeneratorExit:
        raise
    except BaseException as error:
        how = f"Not complete: {type(error).__name__} {error}".rstrip()
        raise
    finally:
        acting.end(how)


class Stream:
    """Chunks for a response of a sync server, which closes it also where the client hangs up."""

    def __init__(self, source: Chunks, acting: Acting) -> None:
        self._source = source
        self._acting = acting
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
        self._acting.end("Not complete: it was never begun.")  # if nothing has ended it before


class AsyncStream:
    """The same for an async server: the log is read in the thread of its sync code."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.close = stream.close

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await sync_to_async(self._stream.next_chunk)()) is not None:
            yield chunk
