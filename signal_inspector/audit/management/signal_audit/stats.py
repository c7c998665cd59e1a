"""``signal_audit stats``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from signal_inspector.audit.management.signal_audit.base import (
    length_of_time,
    whole_number,
)
from signal_inspector.audit.operations.health import database_size, status, table_sizes
from signal_inspector.audit.search.entries import iso, utc
from signal_inspector.audit.settings import get_settings
from signal_inspector.audit.stats import report
from signal_inspector.audit.stats.report import ReportLine
from signal_inspector.display import numbers
from signal_inspector.display.numbers import dispatch_count, percent, plural
from signal_inspector.display.text import printable
from signal_inspector.subcommands import OK, Subcommand, usage


class Stats(Subcommand):
    """Shows the state of the log, and figures of what is in it."""

    name = "stats"
    help = "the size, contents and health of the log"

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        parser.add_argument(
            "--last",
            metavar="TIME",
            type=length_of_time,
            default=timedelta(days=1),
            help="the time for the figures by signal and receiver: 1h, 7d (default: 1d)",
        )
        parser.add_argument(
            "--top",
            metavar="N",
            type=whole_number(1),
            default=report.SHOWN,
            help=f"number of signals and receivers shown (default: {report.SHOWN})",
        )
        parser.add_argument(
            "--exact",
            action="store_true",
            help="count every row instead of estimating, which takes a while",
        )
        parser.add_argument("--json", action="store_true", help="print JSON")

    def run(self, options: dict[str, Any]) -> int:
        now = datetime.now(UTC)
        if not options["last"]:
            raise usage("--last must be longer than zero.")
        try:
            start = now - options["last"]
        except OverflowError:
            raise usage("--last: this is too long.") from None
        data = gathered(start, now, exact=options["exact"], top=options["top"])
        if options["json"]:
            self.print_json(data)
        else:
            self._show(data, options["last"])
        return OK

    def _show(self, data: dict[str, Any], last: timedelta) -> None:
        write = self.stdout.write
        about = "about " if data["dispatches"]["is_estimate"] else ""
        about = "more than " if data["dispatches"]["is_capped"] else about
        write(f"Database     {data['database']}")
        write(f"Dispatches   {about}{data['dispatches']['number']:,}")
        write(f"Oldest       {_here(data['oldest'])}")
        write(f"Newest       {_here(data['newest'])}")
        write(f"Last write   {_here(data['last_write_at'])}")
        write(
            f"Writers      {data['writers']} alive, {data['late_writers']} late, "
            f"{dispatch_count(data['waiting'])} waiting"
        )
        gaps = data["open_gaps"]
        bound = "" if gaps["is_exact"] else "up to "
        write(f"Open gaps    {gaps['number']}, {bound}{dispatch_count(gaps['missing'])} missing")
        self._sizes(data)
        recent = data["recent"]
        write(f"\nIn the last {numbers.length_of_time(last.total_seconds())}")
        write(
            f"  {dispatch_count(recent['dispatches'])}, {recent['per_hour']:,.1f} an hour; "
            f"{recent['failed']:,} failed "
            f"({percent(recent['failed'], recent['dispatches'])}); "
            f"{plural(recent['gaps']['number'], 'gap')}, {recent['gaps']['missing']:,} missing"
        )
        again = recent["retries"]
        if again["dispatches"]:
            retries = plural(again["dispatches"], "retry", "retries")
            write(f"  not counting {retries}, {again['failed']:,} failed")
        self._table("signal", recent["signals"])
        self._table("receiver", recent["receivers"])

    def _sizes(self, data: dict[str, Any]) -> None:
        told = {name: size for name, size in data["bytes"].items() if size is not None}
        if told:
            self.stdout.write("Size")
            for name, size in sorted(told.items(), key=lambda item: -item[1]):
                self.stdout.write(f"  {_bytes(size):>12}  {name}")
        if data["database_bytes"] is not None:
            self.stdout.write(f"Whole file   {_bytes(data['database_bytes'])}")

    def _table(self, what: str, rows: Sequence[dict[str, Any]]) -> None:
        if not rows:
            return
        self.stdout.write(
            f"\n  {'count':>10}  {'failed':>8}  {'mean':>10}  {'longest':>10}  {what}"
        )
        for row in rows:
            line = (
                f"  {row['count']:>10,}  {row['failed']:>8,}  {_took(row['mean_ms']):>10}  "
                f"{_took(row['longest_ms']):>10}  {printable(row['name'])}"
            )
            self.stdout.write(self.style.ERROR(line) if row["failed"] else line)


def gathered(start: datetime, now: datetime, *, exact: bool, top: int) -> dict[str, Any]:
    """All that is shown, as plain values."""
    state = status()
    number = report.total(exact=exact)
    span = report.span()
    recent, failed = report.in_stretch(start, now)
    again, again_failed = report.retries(start, now)
    gaps, missing, is_exact = report.missing(start, now)
    return {
        "database": get_settings().database,
        "dispatches": asdict(number),
        "oldest": None if span is None else iso(span[0]),
        "newest": None if span is None else iso(span[1]),
        "last_write_at": None if state.last_write_at is None else iso(utc(state.last_write_at)),
        "waiting": state.waiting,
        "writers": state.writers,
        "late_writers": state.late,
        "open_gaps": {
            "number": state.open_gaps,
            "missing": state.missing,
            "is_exact": state.is_missing_exact,
        },
        "bytes": table_sizes(),
        "database_bytes": database_size(),
        "recent": {
            "from": iso(utc(start)),
            "to": iso(utc(now)),
            "dispatches": recent,
            "failed": failed,
            "per_hour": round(recent * 3_600 / (now - start).total_seconds(), 3),
            "retries": {"dispatches": again, "failed": again_failed},
            "gaps": {"number": gaps, "missing": missing, "is_exact": is_exact},
            "signals": _dicts(report.by_signal(start, now, top)),
            "receivers": _dicts(report.by_receiver(start, now, top)),
        },
    }


def _dicts(lines: Sequence[ReportLine]) -> list[dict[str, Any]]:
    return [line.as_dict() for line in lines]


def _here(text: str | None) -> str:
    """A time as ``tail`` shows it: in the current time zone."""
    if text is None:
        return "-"
    return f"{timezone.localtime(datetime.fromisoformat(text)):%Y-%m-%d %H:%M:%S %Z}"


def _bytes(size: int) -> str:
    amount, unit = float(size), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"


def _took(milliseconds: float | None) -> str:
    return numbers.duration(None if milliseconds is None else round(milliseconds * 1e6))
