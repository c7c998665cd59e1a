"""Where an export goes from a command: a file that is there when it is whole, or a pipe."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

Write = Callable[[bytes], Any]

_LEVEL: Final = 6


@contextlib.contextmanager
def whole_file(path: Path, *, replace: bool = False) -> Iterator[Write]:
    """A function that writes to a new file, which nobody but its owner may read.

    Until the end it is called ``<name>.….part`` and is removed if the code inside raises, so that
    what stands under the name is never cut short. A name that ends in ``.gz`` is compressed.
    Raises FileExistsError if there is such a file, unless ``replace``.
    """
    if not replace:
        _refuse(path)
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
            _refuse(path)
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


def _refuse(path: Path) -> None:
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


def let_go(stream: Any) -> None:
    """Nobody reads this stream any more: let nothing complain of what is left in it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
