"""What the subcommands have in common: options, who runs them, how far they are, how they stop."""

from __future__ import annotations

import getpass
import re
import signal
import threading
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any, Final, Self

from django.core.management.base import (
    CommandError,
)
from django.db import connections

from signal_inspector.audit.destinations.database.statements import no_tables
from signal_inspector.audit.models import AuditedDispatch
from signal_inspector.audit.settings import get_settings
from signal_inspector.display.text import host

_LENGTH: Final = re.compile(r"(\d{1,9})\s*([smhdw]?)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "": 86_400}

_WIDTH: Final = 30
_DRAWING_SECONDS: Final = 0.1  # between two drawings
_CLEAR: Final = "\r\x1b[K"

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def require_tables() -> None:
    """Raise a ``CommandError`` that says what to do where the log has no tables."""
    using = get_settings().database
    if using not in connections.settings:
        known = ", ".join(sorted(connections.settings))
        raise CommandError(
            f'SIGNAL_INSPECTOR["AUDIT"]["DATABASE"] is {using!r}, which is not in DATABASES '
            f"({known})."
        )
    connection = connections[using]
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
    if AuditedDispatch._meta.db_table not in tables:
        raise CommandError(no_tables(using))


def length_of_time(text: str) -> timedelta:
    """``90d``, ``36h``, ``15m``, ``2w``; a number alone is days. For argparse."""
    match = _LENGTH.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentTypeError(f"{text!r} is no length of time such as 90d, 36h, 15m or 2w.")
    try:
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} is too long.") from None


def whole_number(least: int) -> Any:
    """A function for argparse: a whole number from ``least`` on."""

    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} on.")
        return int(text)

    return read


def person() -> tuple[str, str]:
    """Actor and label for an ``Operation``: "" and ``deploy on web-2``."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a number without a name, in a container
        name = "somebody"
    return "", f"{name} on {host()}"


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
        if now - self._drawn >= _DRAWING_SECONDS:
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


class Stop:
    """``with Stop() as stop: … if stop.asked: break``. The second time it ends at once."""

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._is_allowed = False
        #: The signal that came; None: go on.
        self.asked: signal.Signals | None = None

    @property
    def status(self) -> int:
        """The exit status, as shells have it."""
        return 0 if self.asked is None else 128 + self.asked

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Where it may end at once, by ``SystemExit``, also for a signal that came before."""
        self._is_allowed = True
        try:
            if self.asked is not None:
                raise SystemExit(self.status)
            yield
        finally:
            self._is_allowed = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        again, self.asked = self.asked is not None, signal.Signals(number)
        if again or self._is_allowed:
            raise SystemExit(self.status)
