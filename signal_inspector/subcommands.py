"""Management commands that have subcommands: ``manage.py signals list``."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.core.management.color import Style

#: Exit statuses: all is well; something is not as it should be; the command line is wrong.
OK: Final = 0
PROBLEM: Final = 1
USAGE: Final = 2
_INTERRUPTED: Final = 130  # 128 plus the number of SIGINT, as in shells


class _Escaping(OutputWrapper):
    """Escapes what the stream's encoding lacks: a name may have any character."""

    def write(  # type: ignore[override]  # as OutputWrapper itself
        self,
        msg: str = "",
        style_func: Callable[[str], str] | None = None,
        ending: str | None = None,
    ) -> None:
        if not msg.isascii() and _is_strict(self):
            encoding = _encoding_of(self)
            msg = msg.encode(encoding, "backslashreplace").decode(encoding)
        super().write(msg, style_func, ending)


def _is_strict(stream: Any) -> bool:
    return getattr(stream, "errors", None) in (None, "strict", "surrogateescape")


def _encoding_of(stream: Any) -> str:
    return getattr(stream, "encoding", None) or "utf-8"


class Subcommand:
    """One subcommand. An instance runs once.

    Its module is imported for every other subcommand too, so heavy imports belong in ``run``.
    """

    name: ClassVar[str]
    help: ClassVar[str]  # one line, shown in the list
    description: ClassVar[str] = ""  # shown by --help; `help` if empty

    def __init__(self, command: BaseCommand, verbosity: int = 1) -> None:
        self.stdout: OutputWrapper = command.stdout
        self.stderr: OutputWrapper = command.stderr
        self.style: Style = command.style
        self.verbosity = verbosity

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        """Add the options of this subcommand; Django's own are there already."""

    def run(self, options: dict[str, Any]) -> int:
        """Run and return the exit status. A ``CommandError`` says what is wrong."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Write a message for a person, apart from the output itself."""
        if self.verbosity:
            self.stderr.write(text, style_func=str)

    def print_document(self, text: str) -> None:
        """Output to keep in a file, where an escape would be another name: whole, or an error."""
        try:
            if _is_strict(self.stdout):
                text.encode(_encoding_of(self.stdout))
        except UnicodeEncodeError as error:
            raise CommandError(f"{error}; --output FILE writes UTF-8") from error
        self.stdout.write(text, ending="")

    def print_json(self, data: Any) -> None:
        """Output for programs."""
        # In ASCII: names and texts may have characters that the terminal cannot encode.
        self.stdout.write(json.dumps(data, indent=2))


class SubcommandsCommand(BaseCommand):
    """A command that only runs one of its subcommands."""

    #: In the order in which --help lists them.
    subcommands: ClassVar[tuple[type[Subcommand], ...]]
    # A mistake elsewhere in the project must not keep it from running.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="subcommand", required=True, metavar="PART")
        for each in self.subcommands:
            # argparse would interpret a percent sign.
            text = each.help.replace("%", "%%")
            own = parts.add_parser(
                each.name, help=text, description=each.description.replace("%", "%%") or text
            )
            each.add_arguments(own)
            _add_common(own)

    def handle(self, *_args: Any, **options: Any) -> None:
        self.stdout = _Escaping(self.stdout._out)  # type: ignore[arg-type]  # no stub of _out
        try:
            status = self.run_subcommand(options)
        except KeyboardInterrupt:
            status = _INTERRUPTED
        except BrokenPipeError:  # `| head` has seen enough
            let_go(self.stdout)
            status = OK
        if status:
            sys.exit(status)

    def run_subcommand(self, options: dict[str, Any]) -> int:
        """Run the requested subcommand and return its exit status."""
        [found] = [each for each in self.subcommands if each.name == options["subcommand"]]
        return found(self, options["verbosity"]).run(options)


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Add Django's own options, which people also write after the subcommand."""
    hidden: dict[str, Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    parser.add_argument("-v", "--verbosity", type=int, choices=[0, 1, 2, 3], **hidden)
    for name in ("--settings", "--pythonpath"):
        parser.add_argument(name, **hidden)
    for name in ("--traceback", "--no-color", "--force-color"):
        parser.add_argument(name, action="store_true", **hidden)


def usage(text: str) -> CommandError:
    """An error that says what is wrong with the command line."""
    return CommandError(text, returncode=USAGE)


def let_go(stream: Any) -> None:
    """Prevent errors about what is left in a stream that nobody reads any more."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
