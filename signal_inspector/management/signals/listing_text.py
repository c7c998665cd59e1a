"""The list as lines for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from django.core.management.color import Style

from signal_inspector.catalog import ReceiverEntry, SignalEntry, State
from signal_inspector.catalog.selection import Selected
from signal_inspector.management.signals.base import plural, short_path
from signal_inspector.watching.terminal import printable

WIDTH: Final = 80  # lines that can be broken are; names and paths are never cut
INDENT: Final = " " * 6
_WORDS: Final = {
    State.DEAD: "dead: nothing but a weak reference held it, so it is never called",
    State.PENDING: "pending: the model is not loaded, so it is not called",
    State.SENDERLESS: "sender gone: the only one it listened to is no more",
    State.TAKEN_OUT: "taken out: somebody has replaced signal.receivers, so it is not called",
}
_PLAIN: Final = "django.dispatch.dispatcher.Signal"


def signal_lines(selected: Selected, style: Style) -> Iterator[str]:
    """The signal, where it is made, and its receivers one below the other."""
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
    """One receiver: its name, where it is and was connected, how, and what is wrong with it."""
    yield name_line(order, receiver.receiver, style)
    yield from fact_lines(receiver)
    if receiver.state in _WORDS:
        yield f"{INDENT}{style.WARNING(_WORDS[receiver.state])}"


def name_line(order: int | None, name: str, style: Style) -> str:
    """The first line of a receiver, with its place in the order of execution if it is called."""
    number = "  - " if order is None else f"{order:>3} "
    return f"{number}  {style.MIGRATE_LABEL(printable(name))}"


def fact_lines(receiver: ReceiverEntry) -> Iterator[str]:
    """Where a receiver is defined and connected, and how."""
    place = location(receiver.path, receiver.line) if receiver.path else "no file"
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
        return "where from is not known"
    if caller is None:
        return "connected before the inspector was installed"
    if (caller.path, caller.line) == (receiver.path, receiver.line):
        return "connected there"  # by a decorator
    if caller.path == receiver.path:
        return f"connected in line {caller.line}"
    return f"connected at {location(caller.path, caller.line)}"


def _facts(receiver: ReceiverEntry) -> str:
    facts = ["async" if receiver.is_async else "sync"]
    if receiver.is_weak is not None:
        facts.append("weak" if receiver.is_weak else "strong")
    if receiver.sender is None:
        facts.append("any sender")
    elif receiver.sender == "?":
        facts.append("one sender only, which is not known")
    else:
        facts.append(f"sender {printable(receiver.sender)} only")
    if receiver.dispatch_uid is not None:
        facts.append(f"dispatch_uid {json.dumps(receiver.dispatch_uid, ensure_ascii=False)}")
    return ", ".join(facts)


def location(path: str, line: int) -> str:
    """``shop/signals.py:14``, from the current directory if the file is in there."""
    where = printable(short_path(path))
    return f"{where}:{line}" if line else where
