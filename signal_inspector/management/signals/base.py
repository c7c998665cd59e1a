"""What the subcommands have in common."""

from __future__ import annotations

import argparse
import json
from typing import Any, Final, Protocol

from django.core.management.base import BaseCommand, CommandError, CommandParser

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


def usage(text: str) -> CommandError:
    """What is wrong with the command line."""
    return CommandError(text, returncode=USAGE)


def print_json(command: BaseCommand, data: Any) -> None:
    """Output for programs."""
    command.stdout.write(json.dumps(data, indent=2, ensure_ascii=False))


def say(command: BaseCommand, text: str) -> None:
    """Tell a person, beside the output itself."""
    command.stderr.write(text, style_func=str)


def printable(text: str) -> str:
    """The text without what a terminal would obey: control characters are shown as escapes."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
