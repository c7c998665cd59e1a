"""``signals snapshot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from signal_inspector.catalog.snapshots import (
    COMMAND,
    BrokenError,
    Change,
    Scope,
    Snapshot,
    changes,
    let_go,
    parse,
    render,
    scope_options,
    take,
)
from signal_inspector.display.numbers import plural
from signal_inspector.display.text import printable
from signal_inspector.management.signals.base import add_loading, installed_app, load
from signal_inspector.subcommands import OK, PROBLEM, Subcommand, usage


class TakeSnapshot(Subcommand):
    """Write the connections to a text file, or compare them with one."""

    name = "snapshot"
    help = "write who receives which signal to a file to commit, or check that file"
    description = (
        "Writes the connections of the project's own signals and receivers as text that changes "
        "only when they change. With --check it tells what has changed since, and exits with "
        "status 1 if anything has."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        """Add the options for where the snapshot is and what it contains."""
        where = parser.add_mutually_exclusive_group()
        where.add_argument(
            "--output", metavar="FILE", help="write to this file instead of the terminal"
        )
        where.add_argument(
            "--check",
            metavar="FILE",
            help="compare with the snapshot in this file, using the options that it was made with",
        )
        parser.add_argument(
            "--app",
            metavar="APP",
            action="append",
            default=[],
            help=(
                "treat this installed app as one of the project's own; may be given several times"
            ),
        )
        parser.add_argument(
            "--third-party",
            action="store_true",
            help=(
                "all inspected signals and their receivers, including those of installed packages"
            ),
        )
        add_loading(parser)

    def run(self, options: dict[str, Any]) -> int:
        """Write the snapshot, or compare it."""
        if options["check"] is not None:
            return _check(self, options)
        scope = Scope(
            apps=tuple(options["app"]), third_party=options["third_party"], bare=options["bare"]
        )
        snapshot = _take(self, scope)
        if not snapshot.signals:
            self.say(
                "No signal or receiver of the project was found. If the project is installed in "
                "site-packages, name its apps with --app.",
            )
        text = render(snapshot)
        if options["output"] is None:
            self.print_document(text)
        else:
            _write(options["output"], text)
            self.say(f"Written to {options['output']}.")
        return OK


def _take(part: Subcommand, scope: Scope) -> Snapshot:
    for app in scope.apps:
        installed_app(app)
    load(part, {"bare": scope.bare})
    let_go()
    return take(scope)


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CommandError(f"Cannot write {name}: {error.strerror or error}.") from error


def _check(part: Subcommand, options: dict[str, Any]) -> int:
    if options["app"] or options["third_party"] or options["bare"]:
        raise usage("--check uses the options in the file. To change them, update the file.")
    name = options["check"]
    before = _read(name)
    found = changes(before, _take(part, before.scope))
    if not found:
        number = plural(len(before.signals), "signal")
        part.stdout.write(
            part.style.SUCCESS(f"{name} is up to date: {number}, nothing has changed.")
        )
        return OK
    _tell(part, name, found)
    words = " ".join([COMMAND, *scope_options(before.scope), "--output", name])
    part.stdout.write(f"If this is intended, update the file and commit it: {words}")
    return PROBLEM


def _read(name: str) -> Snapshot:
    try:
        text = Path(name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CommandError(
            f"There is no file {name}. Create it: {COMMAND} --output {name}"
        ) from error
    except OSError as error:
        raise CommandError(f"Cannot read {name}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{name} is not a snapshot: it is not UTF-8.") from error
    try:
        return parse(text)
    except BrokenError as error:
        raise CommandError(
            f"{name} is not a valid snapshot: {error}. Write a new one: {COMMAND} --output {name}"
        ) from error


def _tell(part: Subcommand, name: str, found: list[Change]) -> None:
    style = part.style
    number = plural(len(found), "signal")
    part.stdout.write(style.ERROR(f"{name} is out of date: {number} changed."))
    for change in found:
        part.stdout.write("")
        part.stdout.write(style.MIGRATE_HEADING(printable(change.signal)))
        for sentence in change.sentences:
            part.stdout.write(f"  - {printable(sentence)}")
    part.stdout.write("")
