"""``signal_audit tail``: dispatches as lines for a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.core.management.color import Style
from django.db import DatabaseError, InterfaceError, connections

from signal_inspector.audit.management.signal_audit.base import (
    add_filters,
    length_of_time,
    read_filters,
    whole_number,
)
from signal_inspector.audit.models import Ending, Method, TransactionOutcome
from signal_inspector.audit.models.choices import OUTCOMES, UNSEENS
from signal_inspector.audit.operations.export import JsonLines, Write, to_stream
from signal_inspector.audit.search.entries import Entry, Follower, Reader, Wanted, start_of, utc
from signal_inspector.audit.search.finding import scan
from signal_inspector.audit.settings import get_settings
from signal_inspector.display.numbers import clock, integer, plural, took
from signal_inspector.display.outcomes import Ended, OutcomeWords, dispatch_outcome
from signal_inspector.display.text import exception_line, printable
from signal_inspector.subcommands import OK, Subcommand, let_go

#: Django's styles by the tone of an outcome.
_STYLES: Final = {"ok": "SUCCESS", "bad": "ERROR", "warn": "WARNING", "none": "HTTP_NOT_MODIFIED"}
_WIDTH: Final = 20  # of the column for outcomes, such as "raised to the sender"
_MESSAGE: Final = 200  # characters

_LEAST: Final = 0.05  # seconds between two looks
_PATIENCE: Final = 60.0  # the most seconds between attempts to reach a database that is away


def entry_lines(entry: Entry, style: Style) -> str:
    """A line for the dispatch, and one for each receiver that failed; each ends with a newline."""
    dispatch = entry.dispatch
    words = _outcome(dispatch)
    parts = [
        clock(utc(dispatch["started_at"], entry.id)),
        getattr(style, _STYLES[words.tone])(f"{words.text:<{_WIDTH}}"),
        printable(dispatch["signal"]),
        took(dispatch["duration_ns"]),
        _receivers(dispatch),
    ]
    if dispatch["transaction_outcome"] == TransactionOutcome.ROLLED_BACK:
        parts.append(style.WARNING("rolled back"))
    parts += [printable(text) for text in (dispatch["actor"], dispatch["origin_name"]) if text]
    parts += [printable(key) for key in entry.objects[:3]]
    failed = [call for call in entry.calls if call["outcome"] == Ending.RAISED]
    return "".join(
        f"{line}\n" for line in ["  ".join(parts), *(_failure(call, style) for call in failed)]
    )


def _outcome(dispatch: dict[str, Any]) -> OutcomeWords:
    unseen = dispatch["unseen"]
    return dispatch_outcome(
        Ended(
            outcome=OUTCOMES[dispatch["outcome"]],
            method=dispatch["own_method"] or Method(dispatch["method"]).label,
            receivers=dispatch["receiver_count"],
            failed=dispatch["failed_count"],
            skipped=dispatch["skipped_count"],
            unseen=None if unseen is None else UNSEENS[unseen],
        )
    )


def _receivers(dispatch: dict[str, Any]) -> str:
    words = plural(dispatch["receiver_count"], "receiver")
    skipped = dispatch["skipped_count"]
    return f"{words}, {integer(skipped)} skipped" if skipped else words


def _failure(call: dict[str, Any], style: Style) -> str:
    where = f" ({call['location']})" if call["location"] else ""
    message = str(call.get("message", ""))
    short = message if len(message) <= _MESSAGE else f"{message[:_MESSAGE]}…"
    error = exception_line(call["exception"] or "an exception that was not recorded", short)
    text = printable(f"{call['receiver']}{where}: {error}")
    return f"    {style.ERROR(text)}"


class Tail(Subcommand):
    """Shows dispatches as they are written."""

    name = "tail"
    help = "follow the log: show dispatches as they are written"
    description = (
        "Shows the last dispatches, then each new one, until Ctrl-C. A dispatch that is written "
        "late (because its receivers took long or its writer was busy) is shown once, when it "
        "is written."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument(
            "-n",
            "--lines",
            type=whole_number(0),
            default=10,
            metavar="N",
            help="begin with this many of the last dispatches (default: 10)",
        )
        parser.add_argument("--no-follow", action="store_true", help="stop after these")
        parser.add_argument("--json", action="store_true", help="print JSON Lines, as export does")
        parser.add_argument(
            "--interval",
            type=float,
            default=1.0,
            metavar="SECONDS",
            help="time between two queries (default: 1)",
        )
        parser.add_argument(
            "--window",
            type=length_of_time,
            default=timedelta(minutes=5),
            metavar="TIME",
            help=(
                "show dispatches that are written up to this long after they started (default: 5m)"
            ),
        )
        add_filters(parser, periods=False)

    def run(self, options: dict[str, Any]) -> int:
        wanted = read_filters(options)
        self._form = JsonLines(payloads=True) if options["json"] else None
        write = to_stream(self.stdout)
        try:
            self._follow(wanted, options, write)
        except BrokenPipeError:
            let_go(self.stdout)
        except KeyboardInterrupt:
            if options["no_follow"]:
                raise
        return OK

    def _follow(self, wanted: Wanted, options: dict[str, Any], write: Write) -> None:
        reader = Reader(wanted)
        now = datetime.now(UTC)
        last = _last(reader, wanted, options["lines"])
        self._show(reader.fetch(last), write)
        if options["no_follow"]:
            return
        follower = Follower(reader, start_of([], now), options["window"])
        follower.skip(last)
        wait = interval = max(options["interval"], _LEAST)
        while True:
            time.sleep(wait)
            try:
                for ids in follower.look(datetime.now(UTC)):
                    self._show(follower.entries(ids), write)
                wait = interval
            except (DatabaseError, InterfaceError) as error:
                self._lost(error)
                wait = min(wait * 2, _PATIENCE)

    def _lost(self, error: Exception) -> None:
        """Wait for a database that is away; raise ``CommandError`` for any other error."""
        connection = connections[get_settings().database]
        if connection.is_usable():
            raise CommandError(f"Database error: {str(error).strip()}") from error
        connection.close()
        self.say(f"The database is unavailable: {str(error).strip()}")

    def _show(self, entries: Iterable[Entry], write: Write) -> None:
        if self._form is None:
            self.stdout.write(
                "".join(entry_lines(each, self.style) for each in entries), ending=""
            )
            self.stdout.flush()
        elif data := self._form.lines(entries):
            write(data)


def _last(reader: Reader, wanted: Wanted, count: int) -> list[Any]:
    """The ids of the last ``count`` dispatches, in the order of time."""
    found: list[Any] = []
    if count:
        for step in scan(wanted.selection, count):
            found += reader.of_signals(step.ids)
            if len(found) >= count:
                break
    return found[:count][::-1]
