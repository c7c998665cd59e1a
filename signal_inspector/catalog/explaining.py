"""Who would be called by a send now, who would not, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.dispatch import Signal

from signal_inspector import trouble
from signal_inspector.catalog import absent, entries, senders, sources
from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry, State
from signal_inspector.catalog.finding import find_signal
from signal_inspector.catalog.pending import why_pending
from signal_inspector.catalog.repeats import repeats
from signal_inspector.catalog.selection import in_order
from signal_inspector.catalog.source_records import ModuleSource, Send
from signal_inspector.conf import get_config
from signal_inspector.connections import known_connections, reaches, why_other_sender
from signal_inspector.muting import is_receiver_muted
from signal_inspector.names import (
    class_path,
    is_inspected,
    most_specific,
    sender_name,
    signal_name,
)
from signal_inspector.names.safe import class_mro, class_namespace
from signal_inspector.records import SendMethod


class Standing(StrEnum):
    """Whether a receiver would be called, or else why not."""

    CALLED = "called"
    OTHER_SENDER = "other sender"
    MUTED = "muted"
    # These four as in State.
    DEAD = "dead"
    TAKEN_OUT = "taken out"
    PENDING = "pending"
    SENDERLESS = "sender gone"
    NOT_IMPORTED = "not imported"  # the module that connects it was never imported
    NOT_CONNECTED = "not connected"  # the source connects it, but that has not happened


_WHY_LOST: Final = {
    Standing.DEAD: (
        "nothing but a weak reference held it, so it is gone: keep it somewhere, or connect it "
        "with weak=False"
    ),
    Standing.TAKEN_OUT: (
        "it was taken out of signal.receivers by hand, and not disconnected, as factory_boy's "
        "mute_signals() does"
    ),
    Standing.SENDERLESS: "the only sender that it listened to is gone",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedReceiver:
    """One receiver, connected or only meant to be."""

    standing: Standing
    order: int | None  # of those that are called: the place, from 1 on
    receiver: str
    path: str
    line: int
    sender: str | None  # the only sender it listens to, as in ReceiverEntry; of source: its text
    detail: str  # a sentence that says why; "" of one that is called and all is well
    entry: ReceiverEntry | None  # None of what only the source knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a send of this signal would do."""

    signal: SignalEntry
    sender: str | None  # who would send; None: no sender in particular
    inspected: str  # why it is inspected or not
    remark: str  # what makes all of this uncertain; "" if nothing does
    called: tuple[ExplainedReceiver, ...]  # in the order of execution
    not_called: tuple[ExplainedReceiver, ...]  # connected ones first
    sends: tuple[Send, ...]  # what the project's source shows, tests aside
    unread: tuple[ModuleSource, ...]  # modules whose source could not be read


def explain(signal: Signal | str, sender: object = None) -> Explanation:
    """Who would be called if this sender sent the signal now, who would not, and why.

    ``signal`` may be given by its name, or the end of it; ``NotFoundError`` says that none is
    found, or several. Without a sender only those are called that listen to any.
    """
    name = ""
    if isinstance(signal, str):
        name, signal = find_signal(signal)
    entry = entries.describe_signal(signal, name or signal_name(signal))
    read = sources.project_sources()
    try:
        called, not_called = _connected(signal, sender)
    except Exception as error:  # entry.problem tells
        trouble.let_through(error)
        called, not_called = [], []
    lost = [each for _, each in in_order(entry) if each.state is not State.CONNECTED]
    not_called += [_lost(each) for each in lost]
    not_called += [_absent(each) for each in absent.absent(entry, read)]
    return Explanation(
        signal=entry,
        sender=None if sender is None else sender_name(sender),
        inspected=_inspected(entry.signal),
        remark=_remark(type(signal)),
        called=tuple(called),
        not_called=tuple(not_called),
        sends=tuple(
            each for module in read for each in module.sends if each.signal == entry.signal
        ),
        unread=tuple(module for module in read if module.problem),
    )


def _connected(
    signal: Signal, sender: object
) -> tuple[list[ExplainedReceiver], list[ExplainedReceiver]]:
    """What is connected: those that are called, and those that are not."""
    reached, missed = [], []
    known = known_connections(signal)
    for pair in entries.connected(signal):
        found, entry = pair
        if not reaches(found.key, sender):
            only = None if entry.sender == senders.UNKNOWN else entry.sender
            why = why_other_sender(known.get(found.key), sender, only)
            missed.append(_known(entry, Standing.OTHER_SENDER, f"it {why}"))
        elif is_receiver_muted(signal, found.receiver):
            missed.append(_known(entry, Standing.MUTED, "a test has muted it"))
        else:
            reached.append(pair)
    called = [
        _known(entry, Standing.CALLED, remark, order)
        for order, ((_, entry), remark) in enumerate(
            zip(reached, repeats(reached), strict=True), 1
        )
    ]
    return called, missed


def _lost(entry: ReceiverEntry) -> ExplainedReceiver:
    standing = Standing(entry.state.value)
    if standing is Standing.PENDING:
        return _known(entry, standing, why_pending(entry.sender or ""))
    return _known(entry, standing, _WHY_LOST[standing])


def _known(
    entry: ReceiverEntry, standing: Standing, detail: str, order: int | None = None
) -> ExplainedReceiver:
    return ExplainedReceiver(
        standing=standing,
        order=order,
        receiver=entry.receiver,
        path=entry.path,
        line=entry.line,
        sender=entry.sender,
        detail=detail,
        entry=entry,
    )


def _absent(found: absent.Absent) -> ExplainedReceiver:
    connect = found.connect
    if found.is_imported:
        standing = Standing.NOT_CONNECTED
        detail = (
            f"{connect.function} connects it, but either that has not run, or it was disconnected "
            "since"
        )
    else:
        standing = Standing.NOT_IMPORTED
        detail = f"{found.module} connects it, and this process has not imported that module"
    return ExplainedReceiver(
        standing=standing,
        order=None,
        receiver=connect.receiver or "a receiver that its source does not name",
        path=connect.path,
        line=connect.line,
        sender=connect.sender or None,
        detail=detail,
        entry=None,
    )


def _inspected(name: str) -> str:
    """Whether the settings let the signal's dispatches be recorded, and which entry says so."""
    config = get_config()
    included = most_specific(name, config.include)
    if included is None:
        return "not inspected: no entry of INCLUDE matches it"
    if is_inspected(name, config.include, config.exclude):
        return f"inspected: INCLUDE has {included!r}"
    return f"not inspected: EXCLUDE has {most_specific(name, config.exclude)!r}"


def _remark(kind: type) -> str:
    """Whether the signal's class has its own way to choose receivers, as pretix's has."""
    for base in class_mro(kind):
        if base is Signal:
            break
        for method in (*SendMethod, "_live_receivers"):
            if method in class_namespace(base):
                return (
                    f"{class_path(base)} has a {method}() of its own, which may choose among "
                    "these receivers"
                )
    return ""
