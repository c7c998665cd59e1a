"""``signals list``."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandParser

from signal_inspector import catalog
from signal_inspector.management.signals.base import OK, printable

HELP: Final = "the signals, and who receives them, in the order of execution"
DESCRIPTION: Final = "Lists every signal with its receivers, in the order in which they run."


def add_arguments(parser: CommandParser) -> None:
    """No options yet."""


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Write the list."""
    for entry in catalog.describe():
        command.stdout.write(printable(entry.signal))
        for receiver in entry.receivers:
            command.stdout.write(f"  {printable(receiver.receiver)}")
    return OK
