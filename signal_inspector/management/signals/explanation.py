"""``signals explain``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from signal_inspector.catalog import NotFoundError, explain
from signal_inspector.catalog.entries import describe_signal
from signal_inspector.catalog.explaining import explain_receiver, explain_sender
from signal_inspector.catalog.finding import find_sender, find_signal
from signal_inspector.catalog.selection import in_order
from signal_inspector.management.signals.base import OK, add_loading, load, print_json
from signal_inspector.management.signals.explanation_json import as_json, parts_as_json
from signal_inspector.management.signals.explanation_text import (
    explanation_lines,
    receiver_lines,
    sender_lines,
)
from signal_inspector.names import sender_name

HELP: Final = "who would be called by a send of a signal, who would not, and why"
DESCRIPTION: Final = (
    "Tells who would be called, in order, if the signal were sent now; who would not be, and why; "
    "and where the project's source sends it. Of a receiver: which signals it is connected to. "
    "Nothing is sent."
)


def add_arguments(parser: CommandParser) -> None:
    """Add the signal or receiver, and the sender."""
    parser.add_argument(
        "signal",
        metavar="NAME",
        nargs="?",
        help="of a signal or a receiver, or the end of it: shop.signals.order_placed",
    )
    parser.add_argument(
        "--sender",
        metavar="NAME",
        help=(
            "who would send it: shop.models.Order, shop.Order, a module, \"'a text'\"; alone: "
            "everything that is called if it sends"
        ),
    )
    parser.add_argument("--json", action="store_true", help="as JSON, for programs")
    add_loading(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> int:
    """Write the explanation."""
    load(command, options)
    text, sender_text = options["signal"], options["sender"]
    if text is None and sender_text is None:
        raise CommandError("Name a signal or a receiver, or a sender with --sender.")
    try:
        if text is None:
            return _explain_sender(command, options)
        try:
            name, signal = find_signal(text)
        except NotFoundError as error:
            return _explain_receiver(command, options, error)
        sender = None
        if sender_text is not None:
            entry = describe_signal(signal, name)
            known = (receiver.sender for _, receiver in in_order(entry))
            sender = find_sender(sender_text, tuple(each for each in known if each))
        explanation = explain(signal, sender)
    except NotFoundError as error:
        raise CommandError(str(error)) from error
    if options["json"]:
        print_json(command, as_json(explanation))
    else:
        _write(command, explanation_lines(explanation, command.style))
    return OK


def _explain_sender(command: BaseCommand, options: dict[str, Any]) -> int:
    sender = find_sender(options["sender"])
    parts = explain_sender(sender)
    name = sender_name(sender)
    if options["json"]:
        print_json(command, parts_as_json(parts, sender=name))
    else:
        _write(command, sender_lines(name, parts, command.style))
    return OK


def _explain_receiver(
    command: BaseCommand, options: dict[str, Any], no_signal: NotFoundError
) -> int:
    try:
        name, parts = explain_receiver(options["signal"])
    except NotFoundError as error:
        raise (error if "may be" in str(error) else no_signal) from None
    if options["json"]:
        print_json(command, parts_as_json(parts, receiver=name))
    else:
        _write(command, receiver_lines(name, parts, command.style))
    return OK


def _write(command: BaseCommand, lines: Iterable[str]) -> None:
    for line in lines:
        command.stdout.write(line)
