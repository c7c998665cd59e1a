"""``signals explain``, as lines for a terminal or as JSON.

The JSON is stable, and documented in docs/catalog.md.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.color import Style

from signal_inspector.catalog import (
    ExplainedReceiver,
    Explanation,
    NotFoundError,
    Standing,
    explain,
)
from signal_inspector.catalog.entries import describe_signal
from signal_inspector.catalog.explaining import Part, explain_receiver, explain_sender
from signal_inspector.catalog.finding import find_sender, find_signal, in_order
from signal_inspector.display.numbers import plural
from signal_inspector.display.text import printable
from signal_inspector.management.signals.base import add_loading, load
from signal_inspector.management.signals.list_signals import (
    INDENT,
    VERSION,
    WIDTH,
    fact_lines,
    head_lines,
    location,
    name_line,
    receiver_as_json,
    signal_as_json,
)
from signal_inspector.names import sender_name
from signal_inspector.source_code.records import Send
from signal_inspector.subcommands import OK, Subcommand


def as_json(explanation: Explanation) -> dict[str, Any]:
    """The whole explanation as plain data."""
    return {
        "version": VERSION,
        **signal_as_json(explanation.signal),
        "inspected": explanation.inspected,
        "remark": explanation.remark or None,
        "sender": explanation.sender,
        "called": [_receiver(each) for each in explanation.called],
        "not_called": [_receiver(each) for each in explanation.not_called],
        "sends": [
            {
                "method": send.method.value,
                "function": send.function,
                "path": send.path,
                "line": send.line,
                "sender": send.sender or None,
                "arguments": list(send.arguments),
                "has_more_arguments": send.is_open,
                "through": send.through or None,
            }
            for send in explanation.sends
        ],
        "handed_on": [
            {"path": each.path, "line": each.line, "to": each.label or None}
            for each in explanation.handed_on
        ],
        "unread": [
            {"module": module.module, "path": module.path, "problem": module.problem}
            for module in explanation.unread
        ],
    }


def parts_as_json(parts: Sequence[Part], **about: str) -> dict[str, Any]:
    """The signals that concern a sender or a receiver, as plain data."""
    return {
        "version": VERSION,
        **about,
        "signals": [
            {
                **signal_as_json(part.signal),
                "called": [_receiver(each) for each in part.called],
                "not_called": [_receiver(each) for each in part.not_called],
            }
            for part in parts
        ],
    }


def _receiver(each: ExplainedReceiver) -> dict[str, Any]:
    """One receiver; the facts about its connection are null if it was never connected."""
    told = {"standing": each.standing.value, "detail": each.detail or None}
    if each.entry is not None:
        return receiver_as_json(each.order, each.entry) | told
    return {
        "order": None,
        "state": None,
        "receiver": each.receiver,
        "path": each.path,
        "line": each.line,
        "sender": each.sender,
        "is_async": None,
        "is_weak": None,
        "dispatch_uid": None,
        "connected_at": None,
    } | told


def explanation_lines(explanation: Explanation, style: Style) -> Iterator[str]:
    """The signal, the receivers that are called and not called, and where it is sent."""
    yield from head_lines(explanation.signal, style)
    yield f"  {printable(explanation.inspected)}"
    for line in textwrap.wrap(printable(explanation.remark), WIDTH - 2, break_long_words=False):
        yield f"  {style.WARNING(line)}"
    if explanation.signal.problem:
        yield f"  {style.ERROR(printable(explanation.signal.problem))}"
    yield ""
    others = [each for each in explanation.not_called if _is_choice(each)]
    yield from _called(explanation, bool(others), style)
    missing = [each for each in explanation.not_called if not _is_choice(each)]
    if explanation.sender is None:
        title = "Called only for the sender that they listen to"
    else:
        title = "Not called, because they listen to another sender"
    yield from _group(title, others, style)
    yield from _group("Not called", missing, style)
    yield from _sends(explanation, style)
    for module in explanation.unread:
        text = f"Not read: {location(module.path, 0)} {module.problem}"
        yield style.WARNING(printable(text))


def sender_lines(sender: str, parts: Sequence[Part], style: Style) -> Iterator[str]:
    """All receivers that are called if this sender sends."""
    if not parts:
        yield style.WARNING(
            f"No receiver is called for any signal that {printable(sender)} sends."
        )
        return
    yield f"Called in this order if {printable(sender)} sends:"
    for part in parts:
        yield ""
        yield from head_lines(part.signal, style)
        yield from _receivers(part.called, style)
        yield from _group("Not called", part.not_called, style)


def receiver_lines(name: str, parts: Sequence[Part], style: Style) -> Iterator[str]:
    """The signals that call a receiver, and those that do not, and why."""
    yield style.MIGRATE_LABEL(printable(name))
    for title, lost in (("Connected to", False), ("Not called", True)):
        of_kind = [part for part in parts if (part.not_called if lost else part.called)]
        if of_kind:
            yield ""
            yield style.MIGRATE_LABEL(f"{title}:")
        for part in of_kind:
            yield f"  {style.MIGRATE_HEADING(printable(part.signal.signal))}"
            yield from _receivers(part.not_called if lost else part.called, style)


def _is_choice(each: ExplainedReceiver) -> bool:
    """Whether a receiver that is not called is fine: it was connected for another sender."""
    return each.standing is Standing.OTHER_SENDER


def _is_told(each: ExplainedReceiver) -> bool:
    """Whether the detail only says which sender the receiver listens to."""
    sender = "another sender" if each.sender == "?" else f"sender {each.sender}"
    return _is_choice(each) and each.detail == f"it listens only to {sender}"


def _called(explanation: Explanation, has_others: bool, style: Style) -> Iterator[str]:
    if explanation.sender is not None:
        sender = printable(explanation.sender)
        title = f"Called in this order if {sender} sends it"
        nobody = f"No receiver is called if {sender} sends it."
    else:
        title = "Called in this order for any sender"
        nobody = "No receiver listens to every sender." if has_others else "No receiver is called."
    if explanation.called:
        yield from _group(title, explanation.called, style)
    else:
        yield style.WARNING(nobody)
        yield ""


def _group(title: str, receivers: Sequence[ExplainedReceiver], style: Style) -> Iterator[str]:
    if not receivers:
        return
    yield style.MIGRATE_LABEL(f"{title}:")
    yield from _receivers(receivers, style)
    yield ""


def _receivers(receivers: Sequence[ExplainedReceiver], style: Style) -> Iterator[str]:
    for each in receivers:
        yield name_line(each.order, each.receiver, style)
        if each.entry is not None:
            yield from fact_lines(each.entry)
        else:
            only = f", only sender {printable(each.sender)}" if each.sender else ""
            yield f"{INDENT}in the source at {location(each.path, each.line)}{only}"
        if each.detail and not _is_told(each):
            for line in wrapped(each.detail):
                yield f"{INDENT}{style.WARNING(line)}"


def _sends(explanation: Explanation, style: Style) -> Iterator[str]:
    sends = explanation.sends
    if not sends:
        read = "Installed packages were not read."
        if explanation.package:
            read = f"Of the installed packages, only {printable(explanation.package)} was read."
        yield f"No code that sends it was found in the project's source. {read}"
        yield from _handed_on(explanation)
        return
    yield style.MIGRATE_LABEL(f"Sent in {plural(len(sends), 'place')} in the source:")
    for send in sends:
        sender = f", sender {send.sender}" if send.sender else ""
        yield f"  -   {printable(send.function)}"
        yield f"{INDENT}{location(send.path, send.line)}, {send.method.value}(){printable(sender)}"
        for line in wrapped(_given(send)):
            yield f"{INDENT}{line}"
    yield from _handed_on(explanation)


def _given(send: Send) -> str:
    """``arguments order, user``, and how the send is reached; "" if neither is known."""
    names = ", ".join((*send.arguments, *(["possibly others"] if send.is_open else [])))
    told = [f"arguments {names}"] if names else []
    if send.through:
        told.append(f"through {send.through}")
    return ", ".join(told)


def _handed_on(explanation: Explanation) -> Iterator[str]:
    for each in explanation.handed_on:
        label = f" ({printable(each.label)})" if each.label else ""
        where = location(each.path, each.line)
        yield f"It is passed on in {where}{label} and may be sent from there."


def wrapped(text: str) -> list[str]:
    """Lines that fit after the indent; a longer word is not broken."""
    return textwrap.wrap(
        printable(text), WIDTH - len(INDENT), break_long_words=False, break_on_hyphens=False
    )


class Explain(Subcommand):
    """Explain which receivers a send would call."""

    name = "explain"
    help = "which receivers a signal would call, which it would not, and why"
    description = (
        "For a signal: shows which receivers would be called if it were sent now, in order; "
        "which would not be called, and why; and where the project's source sends it. For a "
        "receiver: shows which signals it is connected to. Nothing is sent."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        """Add the signal or receiver, and the sender."""
        parser.add_argument(
            "signal",
            metavar="NAME",
            nargs="?",
            help="name of a signal or a receiver, or the end of it: shop.signals.order_placed",
        )
        parser.add_argument(
            "--sender",
            metavar="NAME",
            help=(
                "the sender: shop.models.Order, shop.Order, a module, or \"'a string'\"; "
                "without NAME: everything that is called if it sends"
            ),
        )
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")
        add_loading(parser)

    def run(self, options: dict[str, Any]) -> int:
        """Write the explanation."""
        load(self, options)
        text, sender_text = options["signal"], options["sender"]
        if text is None and sender_text is None:
            raise CommandError("Name a signal or a receiver, or a sender with --sender.")
        try:
            if text is None:
                return _explain_sender(self, options)
            try:
                name, signal = find_signal(text)
            except NotFoundError as error:
                return _explain_receiver(self, options, error)
            sender = None
            if sender_text is not None:
                entry = describe_signal(signal, name)
                known = (receiver.sender for _, receiver in in_order(entry))
                sender = find_sender(sender_text, tuple(each for each in known if each))
            explanation = explain(signal, sender)
        except NotFoundError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.print_json(as_json(explanation))
        else:
            _write(self, explanation_lines(explanation, self.style))
        return OK


def _explain_sender(part: Subcommand, options: dict[str, Any]) -> int:
    sender = find_sender(options["sender"])
    parts = explain_sender(sender)
    name = sender_name(sender)
    if options["json"]:
        part.print_json(parts_as_json(parts, sender=name))
    else:
        _write(part, sender_lines(name, parts, part.style))
    return OK


def _explain_receiver(part: Subcommand, options: dict[str, Any], no_signal: NotFoundError) -> int:
    try:
        name, parts = explain_receiver(options["signal"])
    except NotFoundError as error:
        raise (error if "may be" in str(error) else no_signal) from None
    if options["json"]:
        part.print_json(parts_as_json(parts, receiver=name))
    else:
        _write(part, receiver_lines(name, parts, part.style))
    return OK


def _write(part: Subcommand, lines: Iterable[str]) -> None:
    for line in lines:
        part.stdout.write(line)
