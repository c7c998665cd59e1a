"""``signal_audit prune`` and ``signal_audit purge``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from signal_inspector.audit.management.signal_audit.base import (
    Progress,
    Stop,
    is_terminal,
    length_of_time,
    person,
)
from signal_inspector.audit.models import OperationKind
from signal_inspector.audit.operations.base import RunningOperation
from signal_inspector.audit.operations.prune import (
    Ages,
    Chunks,
    Share,
    Stratum,
    by_age,
    by_rules,
    purge,
    sweep,
)
from signal_inspector.audit.search.entries import Reader, Wanted
from signal_inspector.audit.search.selection import Selection, read_selection
from signal_inspector.audit.settings import get_settings
from signal_inspector.audit.stats.rollup import tidy
from signal_inspector.conf import SETTING, config_problems
from signal_inspector.display.numbers import dispatch_count, duration, plural, total_time
from signal_inspector.subcommands import OK, Subcommand, usage

_SAME_TIME: Final = timedelta(minutes=5)  # the most by which two clocks may differ
# Seconds since 1970 by the clock of a server; SQLite uses the clock of this machine.
_CLOCKS: Final = {
    "postgresql": "SELECT extract(epoch FROM clock_timestamp())",
    "mysql": "SELECT unix_timestamp(sysdate(6))",
}


@dataclass(frozen=True, slots=True)
class _Part:
    """A share of the log, and what is to be deleted of it."""

    share: Share
    strata: list[Stratum]
    count: int | None  # None: not counted

    def as_dict(self) -> dict[str, Any]:
        return {
            "glob": self.share.glob,
            "signals": [name for _, name in self.share.signals],
            "dispatches": self.count,
        }


class Prune(Subcommand):
    """Deletes what is old according to the rules."""

    name = "prune"
    help = "delete old dispatches as AUDIT['RULES'] say"
    description = (
        "Deletes dispatches as KEEP_DAYS, KEEP_FAILURES_DAYS and MAX_ROWS of AUDIT['RULES'] "
        "say, with their receiver calls, objects and retries, in many short transactions. You "
        "can stop it at any time and run it again; two that run at once share the work."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="count what would be deleted, and delete nothing",
        )
        parser.add_argument(
            "--older-than",
            metavar="TIME",
            type=length_of_time,
            help="delete everything older than this (90d, 36h), regardless of the rules",
        )
        parser.add_argument(
            "--failures-older-than",
            metavar="TIME",
            type=length_of_time,
            help="with --older-than: another age for dispatches with failures",
        )
        parser.add_argument(
            "--signal",
            metavar="GLOB",
            action="append",
            default=[],
            help="only these signals; may be given several times",
        )
        parser.add_argument(
            "--sweep",
            action="store_true",
            help=(
                "also delete rows whose dispatch is gone; reads whole tables, which takes a while"
            ),
        )
        parser.add_argument(
            "--pause", metavar="SECONDS", type=float, help="pause between two transactions"
        )
        parser.add_argument("--json", action="store_true", help="print the counts as JSON")

    def run(self, options: dict[str, Any]) -> int:
        now = datetime.now(UTC)
        shares = self._shares(options)
        _require_a_right_clock(now)
        is_watched = not options["json"] and is_terminal(self.stderr) and self.verbosity > 0
        parts = [
            self._part(share, now, counted=options["dry_run"] or is_watched) for share in shares
        ]
        if options["dry_run"]:
            self._show(parts, options)
            return OK
        if not any(part.strata for part in parts) and not options["older_than"]:
            self.say(
                "Nothing to delete: no rule in AUDIT['RULES'] says how long to keep dispatches."
            )
        total = sum(part.count or 0 for part in parts)
        chunks = Chunks(options["pause"])
        started = time.monotonic()
        with (
            Stop() as stop,
            RunningOperation(OperationKind.PRUNE, _described(options), *person()) as operation,
        ):
            if is_watched:
                with Progress(self.stderr, total) as bar:
                    self._delete(parts, chunks, stop, operation, bar)
            else:
                self._delete(parts, chunks, stop, operation, None)
            swept = 0
            for count in sweep(chunks.connection, now, thorough=options["sweep"]):
                swept += count
                if stop.asked:
                    break
            counts = 0 if stop.asked else tidy(chunks.connection, int(now.timestamp()))
            if stop.asked:
                operation.end(f"Incomplete: stopped by {stop.asked.name}.")
        self._tell(
            operation.rows, (swept, counts), time.monotonic() - started, chunks, stop, options
        )
        return stop.status

    def _delete(
        self,
        parts: list[_Part],
        chunks: Chunks,
        stop: Stop,
        operation: RunningOperation,
        bar: Progress | None,
    ) -> None:
        for count in _deletions(parts, chunks):
            operation.count(count)
            if bar is not None:
                bar.add(count)
            if stop.asked:
                return

    def _shares(self, options: dict[str, Any]) -> list[Share]:
        older, failures = options["older_than"], options["failures_older_than"]
        if older is not None:
            kept = failures if failures is not None else older
            return by_age(Ages(others=older, failures=kept), options["signal"])
        if failures is not None:
            raise usage("--failures-older-than needs --older-than.")
        wrong = [
            f"{problem.key} {problem.message.removeprefix(problem.key).strip()}"
            for problem in config_problems(getattr(settings, SETTING, {}))
            if '"AUDIT"' in problem.key
        ]
        if wrong:
            raise CommandError(
                "Nothing was deleted, because the rules are invalid: " + " ".join(wrong)
            )
        return by_rules(options["signal"])

    def _part(self, share: Share, now: datetime, *, counted: bool) -> _Part:
        strata = share.strata(now)
        return _Part(share, strata, share.count(strata) if counted else None)

    def _show(self, parts: list[_Part], options: dict[str, Any]) -> None:
        total = sum(part.count or 0 for part in parts)
        if options["json"]:
            self.print_json({"dispatches": total, "by_glob": [part.as_dict() for part in parts]})
            return
        width = max(len(part.share.glob) for part in parts)
        for part in parts:
            signals = plural(len(part.share.signals), "signal")
            self.stdout.write(f"{part.share.glob:<{width}}  {part.count or 0:>12,}  of {signals}")
        self.stdout.write(f"{dispatch_count(total)} would be deleted.")

    def _tell(
        self,
        rows: int,
        others: tuple[int, int],
        seconds: float,
        chunks: Chunks,
        stop: Stop,
        options: dict[str, Any],
    ) -> None:
        swept, counts = others
        if options["json"]:
            self.print_json(
                {
                    "dispatches": rows,
                    "swept": swept,
                    "counts": counts,
                    "seconds": round(seconds, 3),
                    "longest_chunk_seconds": round(chunks.longest, 3),
                    "is_complete": stop.asked is None,
                }
            )
            return
        orphans = f", and {plural(swept, 'row')} whose dispatch was gone" if swept else ""
        self.say(
            f"{dispatch_count(rows)} deleted{orphans}, "
            f"in {total_time(int(seconds * 1e9))}; "
            f"the longest transaction took {duration(int(chunks.longest * 1e9))}."
        )
        if stop.asked:
            self.say(f"Stopped by {stop.asked.name}. Run it again to continue.")


def _require_a_right_clock(now: datetime) -> None:
    """Raise a ``CommandError`` if this machine and the database disagree about the time."""
    theirs = clock_of_server(connections[get_settings().database])
    if theirs is not None and abs(theirs - now) > _SAME_TIME:
        raise CommandError(
            f"Nothing was deleted: the clock of this machine says {now:%Y-%m-%d %H:%M:%S}, but "
            f"the clock of the database says {theirs:%Y-%m-%d %H:%M:%S} (UTC). Ages are "
            "computed with the first: correct the clock that is wrong."
        )


def clock_of_server(connection: BaseDatabaseWrapper) -> datetime | None:
    """The time in UTC by the database's clock; None if it has no clock of its own."""
    statement = _CLOCKS.get(connection.vendor)
    if statement is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return datetime.fromtimestamp(float(cursor.fetchone()[0]), UTC)


def _deletions(parts: list[_Part], chunks: Chunks) -> Iterator[int]:
    for part in parts:
        for stratum in part.strata:
            for number, _ in part.share.signals:
                yield from chunks.of_signal(number, stratum)


def _described(options: dict[str, Any]) -> str:
    words = [f"--signal {glob}" for glob in options["signal"]]
    words += [
        f"--{name.replace('_', '-')} {options[name]}"
        for name in ("older_than", "failures_older_than")
        if options[name] is not None
    ]
    if options["older_than"] is None:
        words.insert(0, "by the rules")
    return " ".join(words)


class Purge(Subcommand):
    """Deletes all dispatches of one object, actor or request."""

    name = "purge"
    help = "delete every dispatch of an object, an actor or a request"
    description = (
        "Use this to erase personal data: deletes every dispatch that carried an object "
        "(--object shop.Order:42) or that an actor caused (--actor auth.User:7), with its "
        "receiver calls and retries. With several options, a dispatch must match all of them. "
        "The purge is logged with its keys. The log of the actor's own exports and retries is "
        "not deleted."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument("--object", metavar="KEY", help="such as shop.Order:42")
        parser.add_argument("--actor", metavar="KEY", help="such as auth.User:7")
        parser.add_argument("--request", metavar="ID", help="the id of a request")
        parser.add_argument(
            "--dry-run",
            action="store_true",
            help="count what would be deleted, and delete nothing",
        )
        parser.add_argument(
            "--no-input", "--noinput", action="store_true", help="do not ask for confirmation"
        )
        parser.add_argument("--json", action="store_true", help="print the count as JSON")

    def run(self, options: dict[str, Any]) -> int:
        selection = _selection(options)
        keys = ", ".join(f"{key} {text}" for key, text in selection.params().items())
        if options["dry_run"]:
            reader = Reader(Wanted(selection=selection, payloads=False))
            count = sum(len(ids) for ids in reader.ids())
            self._tell(count, f"{dispatch_count(count)} of {keys} would be deleted.", options)
            return OK
        if not options["no_input"]:
            self._ask(keys)
        with Stop() as stop, RunningOperation(OperationKind.PURGE, keys, *person()) as operation:
            for count in purge(selection):
                operation.count(count)
                if stop.asked:
                    operation.end(f"Incomplete: stopped by {stop.asked.name}.")
                    break
        ended = f" Stopped by {stop.asked.name}. Run it again to continue." if stop.asked else ""
        self._tell(
            operation.rows, f"{dispatch_count(operation.rows)} of {keys} deleted.{ended}", options
        )
        return stop.status

    def _tell(self, count: int, words: str, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json({"dispatches": count})
        else:
            self.stdout.write(words)

    def _ask(self, keys: str) -> None:
        if not is_terminal(self.stderr):
            raise usage("Cannot ask for confirmation without a terminal. Use --no-input.")
        self.stderr.write(f"Delete every dispatch of {keys}? [yes/no] ", ending="")
        try:
            answer = input()
        except EOFError:
            answer = ""
        if answer.strip().lower() != "yes":
            raise CommandError("Nothing was deleted.")


def _selection(options: dict[str, Any]) -> Selection:
    params = {
        key: (options[key] or "").strip()
        for key in ("object", "actor", "request")
        if options[key] is not None
    }
    if not params:
        raise usage("Say what to delete with --object, --actor or --request.")
    selection = read_selection(params)
    if selection.params().keys() != params.keys():
        raise usage("A key is empty.")
    return selection
