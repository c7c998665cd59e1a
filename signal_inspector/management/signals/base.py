"""What the subcommands have in common, and what they say where nothing is found."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signal_inspector.catalog import ReceiverEntry, SignalEntry
from signal_inspector.catalog.finding import Wanted, in_order, select
from signal_inspector.catalog.loading import load_as_server
from signal_inspector.catalog.matching import near
from signal_inspector.watch.terminal import printable

#: Exit statuses: all is well; something is not as it should be; the command line is wrong.
OK: Final = 0
PROBLEM: Final = 1
USAGE: Final = 2


class Subcommand(Protocol):
    """``manage.py signals <name>``: the shape of its module.

    A module costs each of the others its import, so what is heavy is imported in ``run``.
    """

    @property
    def HELP(self) -> str:  # noqa: N802 - a constant of the module
        """One line for the list of subcommands."""

    @property
    def DESCRIPTION(self) -> str:  # noqa: N802
        """What ``--help`` says of it, in a few sentences."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of this subcommand; those of Django are there."""

    def run(self, command: BaseCommand, options: dict[str, Any]) -> int:
        """Do it, writing to ``command.stdout`` in ``command.style``; the exit status.

        A ``CommandError`` says what is wrong.
        """


def add_common(parser: argparse.ArgumentParser) -> None:
    """Django's own options, which people write behind the subcommand, too."""
    hidden: dict[str, Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    parser.add_argument("-v", "--verbosity", type=int, choices=[0, 1, 2, 3], **hidden)
    for name in ("--settings", "--pythonpath"):
        parser.add_argument(name, **hidden)
    for name in ("--traceback", "--no-color", "--force-color"):
        parser.add_argument(name, action="store_true", **hidden)


def add_loading(parser: CommandParser) -> None:
    """The option of all parts that look at what is connected."""
    parser.add_argument(
        "--bare",
        action="store_true",
        help="look at what django.setup() imports, as in a task or a command; without it the "
        "URLconf and the middleware are imported too, as in a server",
    )


def load(command: BaseCommand, options: dict[str, Any]) -> None:
    """Import what a server does, and say what could not be imported."""
    if options["bare"]:
        return
    with contextlib.redirect_stdout(sys.stderr):  # what modules print is no part of the output
        problems = load_as_server()
    for problem in problems:
        command.stderr.write(printable(problem), style_func=command.style.WARNING)


def usage(text: str) -> CommandError:
    """What is wrong with the command line."""
    return CommandError(text, returncode=USAGE)


def print_json(command: BaseCommand, data: Any) -> None:
    """Output for programs."""
    # In ASCII: names and uids may hold what the terminal's encoding cannot.
    command.stdout.write(json.dumps(data, indent=2))


def say(command: BaseCommand, text: str) -> None:
    """Tell a person, beside the output itself."""
    command.stderr.write(text, style_func=str)


def plural(number: int, word: str) -> str:
    """ "1 signal", "2 signals"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def short_path(path: str) -> str:
    """A path from the current directory on, if it is in there; the whole path if not."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except (OSError, ValueError):  # elsewhere, or the current directory is gone
        return path


def nothing_found(
    wanted: Wanted, entries: Sequence[SignalEntry], everything: Sequence[SignalEntry]
) -> Iterator[str]:
    """Why there is nothing to list, and what was perhaps meant."""
    asked = [
        f"--{name} {printable(text)}"
        for name in ("app", "signal", "receiver", "sender")
        if (text := getattr(wanted, name))
    ]
    if not asked:
        yield "No signal is inspected. --builtin lists those that are not."
        return
    yield f"Nothing is found for {' '.join(asked)}."
    beyond = len(list(select(everything, wanted)))
    if beyond and len(entries) < len(everything):
        yield (
            f"Among the signals that are not inspected, {beyond:,} would be: add --builtin to see."
        )
        return
    yield from filter(None, (_advice(name, wanted, everything) for name in _KNOWN))


def _advice(name: str, wanted: Wanted, everything: Sequence[SignalEntry]) -> str:
    """What was perhaps meant by one of the filters; "" where it alone finds something."""
    text = getattr(wanted, name)
    if not text or any(True for _ in select(everything, Wanted(**{name: text}))):
        return ""
    known = sorted(set(_KNOWN[name](everything)))
    perhaps = did_you_mean(text, known)
    return perhaps and f"--{name}:{perhaps}"


def _receivers(everything: Sequence[SignalEntry]) -> Iterator[ReceiverEntry]:
    for entry in everything:
        yield from (receiver for _, receiver in in_order(entry))


_KNOWN: Final[dict[str, Any]] = {
    "signal": lambda all_: [entry.signal for entry in all_],
    "receiver": lambda all_: [receiver.receiver for receiver in _receivers(all_)],
    "sender": lambda all_: [each.sender for each in _receivers(all_) if each.sender],
}


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """ " Did you mean a or b?", to be put behind a sentence; "" if nothing is like the text."""
    found = near(text, known)
    return f" Did you mean {' or '.join(map(printable, found))}?" if found else ""
