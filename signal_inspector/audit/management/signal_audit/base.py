"""What the subcommands share: options, who runs them, their progress, and how they are stopped.

The options that choose dispatches are those of ``export`` and ``tail``; they correspond to the
search in the admin.
"""

from __future__ import annotations

import dataclasses
import getpass
import re
import signal
import threading
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import FrameType, TracebackType
from typing import Any, Final, Self

from django.core.management.base import (
    CommandError,
    CommandParser,
)
from django.db import connections

from signal_inspector.audit.destinations.database.statements import no_tables
from signal_inspector.audit.lookups import ending_in, named
from signal_inspector.audit.models import AuditedDispatch, NameKind
from signal_inspector.audit.search.conditions import understand
from signal_inspector.audit.search.entries import Wanted
from signal_inspector.audit.search.selection import (
    ENDINGS,
    METHODS,
    ORIGINS,
    OUTCOMES,
    Period,
    Selection,
    read_selection,
)
from signal_inspector.audit.settings import get_settings
from signal_inspector.display.text import host
from signal_inspector.subcommands import usage

_LENGTH: Final = re.compile(r"(\d{1,9})\s*([smhdw]?)")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "": 86_400}

_WIDTH: Final = 30
_DRAWING_SECONDS: Final = 0.1  # between two drawings
_CLEAR: Final = "\r\x1b[K"

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_PERIOD: Final = ("day", "from", "to")
_OPTIONS: Final = (
    ("id", "ID", "the dispatch with this id"),
    (
        "signal",
        "NAME",
        "dotted name of the signal, the last part of it, or a glob on either: 'shop.*'",
    ),
    ("receiver", "NAME", "dotted name of a receiver, or the last part of it"),
    ("exception", "NAME", "the class of an exception that a receiver raised"),
    (
        "line",
        "LINE",
        "a line of code that sent the signal, or led to it: 'shop/views.py:41 checkout'",
    ),
    ("object", "KEY", "an object among the arguments, such as shop.Order:42"),
    ("actor", "KEY", "the actor who caused it, such as auth.User:7"),
    ("request", "ID", "all dispatches of this request"),
    ("trace", "ID", "all dispatches of this trace"),
    ("parent", "ID", "dispatches that a receiver of this dispatch sent"),
    ("in-transaction", "ID", "all dispatches of this transaction"),
)
_CHOICES: Final[dict[str, Mapping[str, object]]] = {
    "outcome": OUTCOMES,
    "method": METHODS,
    "transaction": ENDINGS,
    "origin": ORIGINS,
}
_NAMED: Final = {
    "signal": NameKind.SIGNAL,
    "receiver": NameKind.RECEIVER,
    "exception": NameKind.EXCEPTION,
}


def require_tables() -> None:
    """Raise a ``CommandError`` that says what to do if the log has no tables."""
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
    """Read ``90d``, ``36h``, ``15m`` or ``2w``; a number without a unit is days. For argparse."""
    match = _LENGTH.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentTypeError(f"{text!r} is not a length of time such as 90d, 36h, 15m or 2w.")
    try:
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} is too long.") from None


def whole_number(least: int) -> Any:
    """A function for argparse that reads a whole number, at least ``least``."""

    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is not a whole number of at least {least}.")
        return int(text)

    return read


def person() -> tuple[str, str]:
    """Actor and label for an ``Operation``: "" and ``deploy on web-2``."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user id without a name, in a container
        name = "somebody"
    return "", f"{name} on {host()}"


class Progress:
    """A progress bar: ``with Progress(stderr, total) as bar: bar.add(500)``."""

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
        """Note that ``count`` more are done."""
        self.done += count
        now = self._clock()
        if now - self._drawn >= _DRAWING_SECONDS:
            self._drawn = now
            self._is_shown = True
            self._stream.write(f"{_CLEAR}{self.line(now - self._started)}", ending="")
            self._stream.flush()

    def line(self, seconds: float) -> str:
        """The text of the bar after so many seconds."""
        # More may be done than was counted, as rows may be added meanwhile.
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
    """Whether the stream is a terminal."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


class Stop:
    """Handles SIGINT and SIGTERM: ``with Stop() as stop: … if stop.asked: break``.

    The second signal ends the command at once.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._is_allowed = False
        #: The signal that came; None: none so far.
        self.asked: signal.Signals | None = None

    @property
    def status(self) -> int:
        """The exit status, by the convention of shells."""
        return 0 if self.asked is None else 128 + self.asked

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal end the code inside at once, by ``SystemExit``; also an earlier signal."""
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


def add_filters(parser: CommandParser, *, periods: bool = True) -> None:
    """Add the options that choose dispatches; all conditions that are given have to hold."""
    group = parser.add_argument_group("which dispatches", "A dispatch must match every option.")
    for name, kind, text in _OPTIONS:
        group.add_argument(f"--{name}", metavar=kind, help=text)
    for name, choices in _CHOICES.items():
        group.add_argument(f"--{name}", choices=sorted(choices), help=f"by {name}")
    group.add_argument("--failed", action="store_true", help="the same as --outcome failed")
    group.add_argument(
        "--search",
        metavar="TEXT",
        help="a name, key or id of any of these kinds, as in the search of the admin",
    )
    if periods:
        _add_periods(parser)


def _add_periods(parser: CommandParser) -> None:
    group = parser.add_argument_group(
        "when", "Times are in the project's time zone if they name none."
    )
    group.add_argument(
        "--from", metavar="TIME", help="from this time on: 2026-11-22, or 2026-11-22T14:03"
    )
    group.add_argument("--to", metavar="TIME", help="up to the end of this day or minute")
    group.add_argument("--day", metavar="DATE", help="this day")
    group.add_argument(
        "--last", metavar="TIME", type=length_of_time, help="the time until now: 90d, 36h, 15m"
    )


def read_filters(options: dict[str, Any], *, payloads: bool = True) -> Wanted:
    """What the options ask for. Unlike in a query string, what cannot be read is an error."""
    names = [name.replace("-", "_") for name, _, _ in _OPTIONS]
    params = {
        name: options[name].strip()
        for name in (*names, *_CHOICES, *_PERIOD)
        if options.get(name) is not None
    }
    if options.get("failed") and params.setdefault("outcome", "failed") != "failed":
        raise usage(f"--failed cannot be combined with --outcome {params['outcome']}.")
    glob = params.get("signal", "")
    if _is_glob(glob) and not named(glob, NameKind.SIGNAL):
        del params["signal"]
    else:
        glob = ""
    for name, kind in _NAMED.items():
        if params.get(name):
            params[name] = _full_name(params[name], kind)
    selection = _selection(params)
    if options.get("search"):
        selection = _searched(selection, options["search"])
    if options.get("last") is not None:
        selection = _since(selection, options["last"])
    return Wanted(selection=selection, signal_glob=glob, payloads=payloads)


def _selection(params: dict[str, str]) -> Selection:
    selection = read_selection(params)
    understood = selection.params()
    for name, text in params.items():
        if name not in understood:
            raise usage(f"--{name.replace('_', '-')}: {text!r} is not valid.")
    return selection


def _searched(selection: Selection, text: str) -> Selection:
    understood = understand(text)
    if understood.meaning is None:
        if understood.others:
            alike = ", ".join(sorted({each.text for each in understood.others}))
            raise usage(f"--search: {text!r} is ambiguous: it may be {alike}.")
        raise CommandError(f"The log has no match for {text!r}.")
    return understood.applied_to(selection)


def _since(selection: Selection, length: timedelta) -> Selection:
    if selection.period.is_bounded:
        raise usage("--last cannot be combined with --from, --to or --day.")
    try:
        start = datetime.now(UTC) - length
    except OverflowError:
        raise usage("--last: this is too long.") from None
    period = Period(start=start, params=(("from", start.isoformat()),))
    return dataclasses.replace(selection, period=period)


def _full_name(text: str, kind: NameKind) -> str:
    """The full name, if the log has exactly one that ends with the text; otherwise the text."""
    if named(text, kind):
        return text
    alike = [full for _, full in ending_in(text, kind)]
    if len(alike) > 1:
        raise usage(f"--{kind.label}: {text!r} is ambiguous: it may be {', '.join(alike)}.")
    return alike[0] if alike else text


def _is_glob(text: str) -> bool:
    return any(sign in text for sign in "*?[")
