"""``signals list``, as lines for a terminal or as JSON.

The JSON is stable, and documented in docs/catalog.md.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.core.management.base import CommandParser
from django.core.management.color import Style

from signal_inspector.catalog import ReceiverEntry, SignalEntry, State, describe
from signal_inspector.catalog.finding import Selected, Wanted, app_label_of, select
from signal_inspector.display.numbers import plural
from signal_inspector.display.text import place, printable
from signal_inspector.management.signals.base import (
    add_loading,
    installed_app,
    load,
    nothing_found,
)
from signal_inspector.subcommands import OK, Subcommand

VERSION: Final = 1  # changes if a key is removed or changes its meaning, not if one is added

WIDTH: Final = 80  # longer lines are broken where possible; names and paths are never cut
INDENT: Final = " " * 6
_WORDS: Final = {
    State.DEAD: "dead: it was garbage collected, because only a weak reference to it existed",
    State.PENDING: "pending: its model is not loaded, so it is not called",
    State.SENDERLESS: "sender gone: the only sender it listened to no longer exists",
    State.TAKEN_OUT: (
        "taken out: it was removed from signal.receivers without disconnect(), so it is not called"
    ),
}
_PLAIN: Final = "django.dispatch.dispatcher.Signal"


def as_json(selected: Sequence[Selected], others: int) -> dict[str, Any]:
    """``others``: the number of matching signals left out because they are not inspected."""
    return {
        "version": VERSION,
        "not_inspected_left_out": others,
        "signals": [_signal(each) for each in selected],
    }


def _signal(selected: Selected) -> dict[str, Any]:
    return signal_as_json(selected.entry) | {
        "receivers": [receiver_as_json(order, each) for order, each in selected.receivers],
        "receivers_left_out": selected.left_out,
    }


def signal_as_json(entry: SignalEntry) -> dict[str, Any]:
    """The signal itself, without its receivers."""
    return {
        "signal": entry.signal,
        "class": entry.kind,
        "app": app_label_of(entry.signal) or None,
        "path": entry.path or None,
        "line": entry.line or None,
        "is_inspected": entry.is_inspected,
        "problem": entry.problem or None,
    }


def receiver_as_json(order: int | None, receiver: ReceiverEntry) -> dict[str, Any]:
    """One connection; ``order`` is its place in the order of execution, None if not called."""
    caller = receiver.connected_at
    connected_at = caller and {
        "path": caller.path,
        "line": caller.line,
        "function": caller.function,
    }
    return {
        "order": order,
        "state": receiver.state.value,
        "receiver": receiver.receiver,
        "path": receiver.path or None,
        "line": receiver.line or None,
        "sender": receiver.sender,
        "is_async": receiver.is_async,
        "is_weak": receiver.is_weak,
        "dispatch_uid": receiver.dispatch_uid,
        "connected_at": connected_at,
    }


def signal_lines(selected: Selected, style: Style) -> Iterator[str]:
    """The signal, where it is made, and its receivers."""
    entry = selected.entry
    yield from head_lines(entry, style)
    if entry.problem:
        yield f"  {style.ERROR(printable(entry.problem))}"
    for order, receiver in selected.receivers:
        yield from receiver_lines(order, receiver, style)
    if selected.left_out:
        yield f"{INDENT}and {plural(selected.left_out, 'other receiver')}"
    elif not selected.receivers and not entry.problem:
        yield f"  {style.WARNING('no receiver')}"


def head_lines(entry: SignalEntry, style: Style) -> Iterator[str]:
    """The signal's name, and where it is made."""
    remarks = [] if entry.kind == _PLAIN else [printable(entry.kind)]
    if not entry.is_inspected:
        remarks.append("not inspected")
    name = style.MIGRATE_HEADING(printable(entry.signal))
    yield f"{name} ({', '.join(remarks)})" if remarks else name
    if entry.path:
        yield f"  {location(entry.path, entry.line)}"


def receiver_lines(order: int | None, receiver: ReceiverEntry, style: Style) -> Iterator[str]:
    """One receiver: its name, where it is defined, where and how it is connected, any problem."""
    yield name_line(order, receiver.receiver, style)
    yield from fact_lines(receiver)
    if receiver.state in _WORDS:
        yield f"{INDENT}{style.WARNING(_WORDS[receiver.state])}"


def name_line(order: int | None, name: str, style: Style) -> str:
    """The first line of a receiver, with its place in the order of execution if called."""
    number = "  - " if order is None else f"{order:>3} "
    return f"{number}  {style.MIGRATE_LABEL(printable(name))}"


def fact_lines(receiver: ReceiverEntry) -> Iterator[str]:
    """Where a receiver is defined and connected, and how."""
    place = location(receiver.path, receiver.line) if receiver.path else "file unknown"
    connected = _connected(receiver)
    if len(f"{INDENT}{place}, {connected}") <= WIDTH:
        yield f"{INDENT}{place}, {connected}"
    else:
        yield f"{INDENT}{place}"
        yield f"{INDENT}{connected}"
    yield f"{INDENT}{_facts(receiver)}"


def _connected(receiver: ReceiverEntry) -> str:
    caller = receiver.connected_at
    if receiver.is_pending:
        return "connected at an unknown place"
    if caller is None:
        return "connected before Signal Inspector was loaded"
    if (caller.path, caller.line) == (receiver.path, receiver.line):
        return "connected there"  # by a decorator
    if caller.path == receiver.path:
        return f"connected on line {caller.line}"
    return f"connected at {location(caller.path, caller.line)}"


def _facts(receiver: ReceiverEntry) -> str:
    facts = ["async" if receiver.is_async else "sync"]
    if receiver.is_weak is not None:
        facts.append("weak" if receiver.is_weak else "strong")
    if receiver.sender is None:
        facts.append("any sender")
    elif receiver.sender == "?":
        facts.append("only one sender, which is not known")
    else:
        facts.append(f"only sender {printable(receiver.sender)}")
    if receiver.dispatch_uid is not None:
        facts.append(f"dispatch_uid {json.dumps(receiver.dispatch_uid, ensure_ascii=False)}")
    return ", ".join(facts)


def location(path: str, line: int) -> str:
    """``shop/signals.py:14``, with control characters escaped."""
    return printable(place(path, line))


class List(Subcommand):
    """List the signals and their receivers."""

    name = "list"
    help = "the signals and their receivers, in the order of execution"
    description = (
        "Lists every inspected signal with its receivers, in the order in which Django calls "
        "them. Names may be full (shop.signals.order_placed), the last part (order_placed) or "
        "globs ('order_*')."
    )

    @classmethod
    def add_arguments(cls, parser: CommandParser) -> None:
        """Add the filters."""
        parser.add_argument(
            "--app",
            default="",
            metavar="APP",
            help="only signals and receivers that this app defines",
        )
        parser.add_argument(
            "--signal", default="", metavar="NAME", help="only signals with this name"
        )
        parser.add_argument(
            "--receiver", default="", metavar="NAME", help="only receivers with this name"
        )
        parser.add_argument(
            "--sender",
            default="",
            metavar="NAME",
            help=(
                "only receivers that listen to this sender alone: shop.models.Order, or shop.Order"
            ),
        )
        parser.add_argument(
            "--builtin",
            "--all",
            action="store_true",
            help="also signals that are not inspected: Django's own, and what EXCLUDE names",
        )
        parser.add_argument("--json", action="store_true", help="print JSON, for programs")
        add_loading(parser)

    def run(self, options: dict[str, Any]) -> int:
        """Write the list."""
        load(self, options)
        wanted = Wanted(**{key: options[key] for key in ("app", "signal", "receiver", "sender")})
        if wanted.app:
            installed_app(wanted.app)
        everything = describe(everything=True)
        entries = [each for each in everything if each.is_inspected or options["builtin"]]
        selected = list(select(entries, wanted))
        others = sum(not each.entry.is_inspected for each in select(everything, wanted))
        others = 0 if options["builtin"] else others
        if options["json"]:
            self.print_json(as_json(selected, others))
        else:
            _write(self, selected, others)
        if not selected:
            for line in nothing_found(wanted, entries, everything):
                self.say(line)
        elif wanted.sender:
            self.say(
                "Receivers that listen to any sender are called too. See manage.py signals "
                "explain."
            )
        return OK


def _write(part: Subcommand, selected: Sequence[Selected], others: int) -> None:
    for each in selected:
        for line in signal_lines(each, part.style):
            part.stdout.write(line)
        part.stdout.write("")
    if selected:
        part.stdout.write(_summary(selected, others))


def _summary(selected: Sequence[Selected], others: int) -> str:
    states = Counter(receiver.state for each in selected for _, receiver in each.receivers)
    parts = [plural(len(selected), "signal"), plural(states.total(), "receiver")]
    parts += [
        f"{number} of them {state}"
        for state in State
        if state is not State.CONNECTED and (number := states[state])
    ]
    text = ", ".join(parts) + "."
    if others:
        left = f"{plural(others, 'signal')} that {'is' if others == 1 else 'are'} not inspected"
        text += f"\nLeft out: {left}, such as Django's own. --builtin shows them."
    return text
