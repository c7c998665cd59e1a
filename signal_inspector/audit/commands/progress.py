"""How far it is: a bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

_WIDTH: Final = 30
_SECONDS: Final = 0.1  # between two drawings
_CLEAR: Final = "\r\x1b[K"


class Progress:
    """``with Progress(stderr, total) as bar: bar.add(500)``."""

    def __init__(
        self, stream: Any, total: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._total = total
        self._clock = clock
        self._started = self._drawn = clock()
        self._is_shown = False
        self.done = 0

    def add(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        now = self._clock()
        if now - self._drawn >= _SECONDS:
            self._drawn = now
            self._is_shown = True
            self._stream.write(f"{_CLEAR}{self.line(now - self._started)}", ending="")
            self._stream.flush()

    def line(self, seconds: float) -> str:
        """The bar after so many seconds."""
        # What is added meanwhile may make it more than was counted.
        part = min(self.done / self._total, 1.0) if self._total else 1.0
        rate = self.done / seconds if seconds else 0.0
        bar = "#" * int(part * _WIDTH)
        left = f", {(self._total - self.done) / rate:,.0f} s left" if rate and part < 1 else ""
        return (
            f"[{bar:<{_WIDTH}}] {part:.0%}  {self.done:,} of {self._total:,}, {rate:,.0f}/s{left}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._is_shown:
            self._stream.write(_CLEAR, ending="")
            self._stream.flush()


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at it."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False
