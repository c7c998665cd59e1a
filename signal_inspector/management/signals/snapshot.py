"""``signals snapshot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError, CommandParser

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
from signal_inspector.management.signals.base import (
    OK,
    PROBLEM,
    add_loading,
    did_you_mean,
    load,
    plural,
    say,
    usage,
)
from signal_inspector.watch.terminal import printable

HELP: Final = "who receives which signal, as a text to commit, and whether it still holds"
DESCRIPTION: Final = (
    "Writes the connections of the project's own signals and receivers as a text that changes "
    "only when they do. With --check it says what has changed since, and ends with status 1 if "
    "anything has."
)


def add_arguments(parser: CommandParser) -> None:
    """Add where it goes, and what is in it."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--output", metavar="FILE", help="write it there, and not to the terminal")
    where.add_argument(
        "--check",
        metavar="FILE",
        help="compare with the snapshot in this file, with the options it was made with",
    )
    parser.add_argument(
        "--app",
        metavar="APP",
        action="append",
        default=[],
        help="an installed app to count as the project's own; may be given again",
    )
    parser.add_argument(
        "--third-party",
        action="store_true",
        help="all inspected signals, whosoever they are, with all their receivers",
    )
    add_loading(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Write the snapshot, or compare it."""
    if options["check"] is not None:
        return _check(command, options)
    scope = Scope(
        apps=tuple(options["app"]), third_party=options["third_party"], bare=options["bare"]
    )
    snapshot = _take(command, scope)
    if not snapshot.signals:
        say(
            command,
            "No signal or receiver of the project's own is found. If the project is installed in "
            "site-packages, name its apps with --app.",
        )
    text = render(snapshot)
    if options["output"] is None:
        command.stdout.write(text, ending="")
    else:
        _write(options["output"], text)
        say(command, f"Written to {options['output']}.")
    return OK


def _take(command: BaseCommand, scope: Scope) -> Snapshot:
    known = {name for each in apps.get_app_configs() for name in (each.label, each.name)}
    for app in scope.apps:
        if app not in known:
            hint = did_you_mean(app, known)
            raise CommandError(f"--app: no installed app is called {app!r}.{hint}")
    load(command, {"bare": scope.bare})
    let_go()
    return take(scope)


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CommandError(f"{name} cannot be written: {error.strerror or error}.") from error


def _check(command: BaseCommand, options: dict[str, Any]) -> int:
    if options["app"] or options["third_party"] or options["bare"]:
        raise usage("--check takes what to look at from the file; update the file to change it.")
    name = options["check"]
    before = _read(name)
    found = changes(before, _take(command, before.scope))
    if not found:
        number = plural(len(before.signals), "signal")
        command.stdout.write(
            command.style.SUCCESS(f"{name} holds: {number}, nothing has changed.")
        )
        return OK
    _tell(command, name, found)
    words = " ".join([COMMAND, *scope_options(before.scope), "--output", name])
    command.stdout.write(f"If that is meant, update the file and commit it: {words}")
    return PROBLEM


def _read(name: str) -> Snapshot:
    try:
        text = Path(name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CommandError(
            f"There is no file {name}. Make it: {COMMAND} --output {name}"
        ) from error
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{name} is no snapshot: it is not UTF-8.") from error
    try:
        return parse(text)
    except BrokenError as error:
        raise CommandError(
            f"{name} is no snapshot that can be read: {error}. Make it anew: "
            f"{COMMAND} --output {name}"
        ) from error


def _tell(command: BaseCommand, name: str, found: list[Change]) -> None:
    style = command.style
    number = plural(len(found), "signal")
    command.stdout.write(style.ERROR(f"{name} no longer holds: {number} changed."))
    for change in found:
        command.stdout.write("")
        command.stdout.write(style.MIGRATE_HEADING(printable(change.signal)))
        for sentence in change.sentences:
            command.stdout.write(f"  - {printable(sentence)}")
    command.stdout.write("")
