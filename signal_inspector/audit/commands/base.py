"""What the parts of the command have in common."""

from __future__ import annotations

import json
import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any, ClassVar, Final

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    OutputWrapper,
)
from django.core.management.color import Style
from django.db import connections

from signal_inspector.audit.destinations.database.statements import no_tables
from signal_inspector.audit.models import AuditedDispatch
from signal_inspector.audit.settings import get_settings

#: Exit statuses: all is well; something is wrong; the command line is.
OK: Final = 0
PROBLEM: Final = 1
USAGE: Final = 2

_LENGTH: Final = re.compile(r"(\d{1,9})\s*([smhdw]?)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800, "": 86_400}


class Subcommand:
    """``manage.py signal_audit <name>``. One instance runs once."""

    name: ClassVar[str]
    help: ClassVar[str]  # one line, shown in the list
    description: ClassVar[str] = ""  # shown by --help; the same if empty

    def __init__(self, command: BaseCommand, verbosity: int = 1) -> None:
        self.stdout: OutputWrapper = command.stdout
        self.stderr: OutputWrapper = command.stderr
        self.style: Style = command.style
        self.verbosity = verbosity

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        """Add options to the parser of this part."""

    def run(self, options: dict[str, Any]) -> int:
        """Do it; the exit status. A ``CommandError`` says what is wrong."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Tell a person, beside the output itself."""
        if self.verbosity:
            self.stderr.write(text, style_func=str)

    def print_json(self, data: Any) -> None:
        """Output for programs."""
        self.stdout.write(json.dumps(data, indent=2, ensure_ascii=False))


def usage(text: str) -> CommandError:
    """What is wrong with the command line."""
    return CommandError(text, returncode=USAGE)


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
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} is too long.") from None


def whole_number(least: int) -> Any:
    """A function for argparse: a whole number from ``least`` on."""

    def read(text: str) -> int:
        if not text.strip().isdecimal() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} is no whole number from {least} on.")
        return int(text)

    return read


def percent(part: float, whole: float) -> str:
    """``12.5 %``; nothing of nothing is ``0.0 %``."""
    return f"{100 * part / whole if whole else 0:.1f} %"
