"""Who would be called by a send now, who would not, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from django.dispatch import Signal

from signal_inspector.catalog import absent, entries, sources
from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry
from signal_inspector.catalog.finding import find_signal
from signal_inspector.catalog.repeats import repeats
from signal_inspector.catalog.source_records import ModuleSource, Send
from signal_inspector.catalog.waiting import why_pending
from signal_inspector.conf import get_config
from signal_inspector.connections import reaches
from signal_inspector.names import sender_name, signal_name
from signal_inspector.records import Caller


class Standing(StrEnum):
    """Whether a receiver would be called, or else why not."""

    CALLED = "called"
    OTHER_SENDER = "other sender"
    MUTED = "muted"
    DEAD = "dead"  # its weak reference died
    TAKEN_OUT = "taken out"  # somebody replaced signal.receivers
    PENDING = "pending"  # it waits for a model that is not loaded
    NOT_IMPORTED = "not imported"  # the module that connects it was never imported
    NOT_CONNECTED = "not connected"  # the source connects it, but that has not happened


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
    called: tuple[ExplainedReceiver, ...]  # in the order of execution
    not_called: tuple[ExplainedReceiver, ...]  # connected ones first
    sends: tuple[Send, ...]  # what the project's source shows, tests aside
    unread: tuple[ModuleSource, ...]  # modules whose source could not be read


def explain(signal: Signal | str, sender: object = None) -> Explanation:
    """Who would be called if this sender sent the signal now, who would not, and why.

    ``signal`` may be given by its name, or the end of it; ``NotFoundError`` says that none is
    found, or several. Without a sender only those are called that listen to any.
    """
    if isinstance(signal, str):
        name, signal = find_signal(signal)
    else:
        name = signal_name(signal)
    entry = entries.describe_signal(signal, name)
    read = sources.project_sources()
    called, others = ([], []) if entry.problem else _connected(signal, sender)
    lost = [_lost(each) for each in (*entries_dead(entry), *entry.taken_out, *entry.pending)]
    return Explanation(
        signal=entry,
        sender=None if sender is None else sender_name(sender),
        inspected=_inspected(name),
        called=tuple(called),
        not_called=(*others, *lost, *(_absent(each) for each in absent.absent(entry, read))),
        sends=tuple(send for module in read for send in module.sends if send.signal == name),
        unread=tuple(module for module in read if module.problem),
    )
