"""``signals explain``."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signal_inspector.catalog import NotFoundError, explain
from signal_inspector.catalog.entries import describe_signal
from signal_inspector.catalog.finding import find_sender, find_signal
from signal_inspector.catalog.selection import in_order
from signal_inspector.management.signals.base import OK, add_loading, load, print_json
from signal_inspector.management.signals.explanation_json import as_json
from signal_inspector.management.signals.explanation_text import explanation_lines

HELP: Final = "who would be called by a send of a signal, who would not, and why"
DESCRIPTION: Final = (
    "Tells who would be called, in order, if the signal were sent now; who would not be, and why; "
    "and where the project's source sends it. Nothing is sent."
)


def add_arguments(parser: CommandParser) -> None:
    """Add the signal and the sender."""
    parser.add_argument(
        "signal", metavar="SIGNAL", help="its name, or the end of it: shop.signals.order_placed"
    )
    parser.add_argument(
        "--sender",
        metavar="NAME",
        help="who would send it: shop.models.Order, shop.Order, a module, \"'a text'\"",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    add_loading(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Write the explanation."""
    load(command, options)
    try:
        name, signal = find_signal(options["signal"])
        sender = None
        if options["sender"] is not None:
            entry = describe_signal(signal, name)
            known = (receiver.sender for _, receiver in in_order(entry))
            sender = find_sender(options["sender"], tuple(each for each in known if each))
        explanation = explain(signal, sender)
    except NotFoundError as error:
        raise CommandError(str(error)) from error
    if options["json"]:
        print_json(command, as_json(explanation))
    else:
        for line in explanation_lines(explanation, command.style):
            command.stdout.write(line)
    return OK
