"""Explains which receivers a send would call now, which it would not, and why.

This includes receivers that the source connects to a signal, but that are not connected.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db.models.signals import ModelSignal
from django.dispatch import Signal

from signal_inspector.catalog import entries
from signal_inspector.catalog.connections import repeats, why_pending
from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry, State
from signal_inspector.catalog.finding import NotFoundError, find_signal, in_order
from signal_inspector.conf import get_config, is_inspected, most_specific
from signal_inspector.core import internal_errors
from signal_inspector.core.record.callers import is_third_party
from signal_inspector.core.record.not_called import why_other_sender
from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper import connection_log
from signal_inspector.core.wrapper.connection_log import known_connections
from signal_inspector.core.wrapper.django_entries import reaches
from signal_inspector.core.wrapper.muting import is_receiver_muted
from signal_inspector.display.text import listing, place
from signal_inspector.names import (
    anonymous_signals,
    class_path,
    loaded_signals,
    matches,
    sender_name,
    signal_name,
)
from signal_inspector.names.safe import class_mro, class_namespace
from signal_inspector.source_code import project
from signal_inspector.source_code.records import Connect, Mention, ModuleSource, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A connection that only the source has, and whether its module was ever imported."""

    connect: Connect
    module: str
    is_imported: bool


def absent(signal: SignalEntry, read: Sequence[ModuleSource]) -> Iterator[Absent]:
    """The receivers that these modules would connect to the signal, but have not.

    In case of doubt, a receiver counts as connected: nobody should look for a mistake that does
    not exist.
    """
    known = [receiver for _, receiver in in_order(signal)]
    said = [
        (module.module, connect)
        for module in read
        for connect in module.connects
        if connect.signal == signal.signal
    ]
    may_be_any = _has_stranger(known, {connect.receiver for _, connect in said})
    for module, connect in said:
        is_imported = module in sys.modules
        if not (_is_done(connect, known) or (is_imported and may_be_any)):
            yield Absent(connect=connect, module=module, is_imported=is_imported)


def _has_stranger(known: Sequence[ReceiverEntry], named: set[str]) -> bool:
    """Whether a receiver has another name than in the source, and was not seen being connected.

    A decorator that does not keep the name of its function makes such a receiver.
    """
    return any(
        entry.connected_at is None and not entry.is_pending and entry.receiver not in named
        for entry in known
    )


def _is_done(connect: Connect, known: Sequence[ReceiverEntry]) -> bool:
    """Whether this code made one of the connections, judging by receiver name or place."""
    for entry in known:
        if connect.receiver and entry.receiver == connect.receiver:
            return True
        at = entry.connected_at
        if at is not None and (at.path, at.line) == (connect.path, connect.line):
            return True
        if at is None and entry.path == connect.path and not connect.receiver:
            return True
    return False


class Standing(StrEnum):
    """Whether a receiver would be called, and if not, why."""

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
        "it was garbage collected, because only a weak reference to it existed: keep a "
        "reference to it, or connect it with weak=False"
    ),
    Standing.TAKEN_OUT: (
        "it was removed from signal.receivers without disconnect(), as factory_boy's "
        "mute_signals() does"
    ),
    Standing.SENDERLESS: "the only sender that it listened to no longer exists",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedReceiver:
    """One receiver, connected or only meant to be."""

    standing: Standing
    order: int | None  # the place in the order, from 1 on; None if it is not called
    receiver: str
    path: str
    line: int
    sender: str | None  # the only sender, as in ReceiverEntry; from the source, its text
    detail: str  # a sentence that says why; "" if it is called and all is well
    entry: ReceiverEntry | None  # None if only the source has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a send of this signal would do."""

    signal: SignalEntry
    sender: str | None  # the sender; None: no sender in particular
    inspected: str  # why it is inspected or not
    remark: str  # what makes all of this uncertain; "" if nothing does
    called: tuple[ExplainedReceiver, ...]  # in the order of execution
    not_called: tuple[ExplainedReceiver, ...]  # connected ones first
    sends: tuple[Send, ...]  # found in the project's source, without tests
    handed_on: tuple[Mention, ...]  # where the source passes it on; it may be sent there
    package: str  # the installed package that was read as well; "" if none was
    unread: tuple[ModuleSource, ...]  # modules whose source could not be read


def explain(signal: Signal | str, sender: object = None) -> Explanation:
    """Which receivers would be called if this sender sent the signal now, which not, and why.

    ``signal`` may be given by its name, or the end of it; ``NotFoundError`` says that there is
    none, or more than one. Without a sender, only receivers that listen to any sender are called.
    """
    name = ""
    if isinstance(signal, str):
        name, signal = find_signal(signal)
    entry = entries.describe_signal(signal, name or signal_name(signal))
    package, read = _read(entry)
    try:
        called, not_called = _connected(signal, sender)
    except Exception as error:  # see entry.problem
        internal_errors.let_through(error)
        called, not_called = [], []
    lost = [each for _, each in in_order(entry) if each.state is not State.CONNECTED]
    not_called += [_lost(each) for each in lost]
    refused = connection_log.refusals(signal)
    not_called += [_absent(each, refused) for each in absent(entry, read)]
    sends = tuple(each for module in read for each in module.sends if each.signal == entry.signal)
    return Explanation(
        signal=entry,
        sender=None if sender is None else sender_name(sender),
        inspected=_inspected(entry.signal),
        remark=_remark(type(signal)),
        called=tuple(called),
        not_called=tuple(not_called),
        sends=sends,
        handed_on=_handed_on(entry.signal, read, sends),
        package=package,
        unread=tuple(module for module in read if module.problem),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of one signal in an explanation of a sender or a receiver."""

    signal: SignalEntry
    called: tuple[ExplainedReceiver, ...]
    not_called: tuple[ExplainedReceiver, ...]


def explain_sender(sender: object) -> list[Part]:
    """The signals whose receivers would be called if this sender sent them, by name.

    Django's own signals that are not about models are left out, unless a receiver listens to this
    sender in particular.
    """
    found = []
    everything = {**loaded_signals(), **dict(anonymous_signals())}
    for name, signal in sorted(everything.items()):
        try:
            called, missed = _connected(signal, sender)
        except Exception as error:
            internal_errors.report("the receivers of a signal", error)
            continue
        asked_for = any(each.sender is not None for each in called)
        is_general = name.startswith("django.") and not isinstance(signal, ModelSignal)
        if asked_for or (called and not is_general):
            entry = entries.describe_signal(signal, name)
            below = [each for each in missed if not each.detail.endswith(" only")]
            found.append(Part(signal=entry, called=tuple(called), not_called=tuple(below)))
    return found


def explain_receiver(text: str) -> tuple[str, list[Part]]:
    """The full name of a receiver, given its end, and the signals that have it, connected or not.

    Raises ``NotFoundError`` if there is no receiver of this name, or more than one.
    """
    found: dict[str, list[Part]] = {}
    for entry in entries.describe(everything=True):
        by_name: dict[str, list[ExplainedReceiver]] = {}
        for order, each in in_order(entry):
            if matches(text, each.receiver):
                known = each.state is State.CONNECTED
                told = _known(each, Standing.CALLED, "", order) if known else _lost(each)
                by_name.setdefault(each.receiver, []).append(told)
        for name, its in by_name.items():
            called = tuple(each for each in its if each.standing is Standing.CALLED)
            lost = tuple(each for each in its if each.standing is not Standing.CALLED)
            found.setdefault(name, []).append(Part(signal=entry, called=called, not_called=lost))
    for name, entry, missing in _only_in_source(text):
        parts = found.setdefault(name, [])
        if all(part.signal.signal != entry.signal for part in parts):
            parts.append(Part(signal=entry, called=(), not_called=(missing,)))
    if len(found) > 1:
        raise NotFoundError(
            f"{text!r} is ambiguous: it may be {listing(sorted(found), joint='or')}. Use the "
            "full name."
        )
    if not found:
        raise NotFoundError(f"No receiver is called {text!r}.")
    return found.popitem()


def _only_in_source(text: str) -> Iterator[tuple[str, SignalEntry, ExplainedReceiver]]:
    """Connections that only the project's source has: receiver name, signal, and explanation."""
    read = project.project_sources(brief=True)
    wanted = {
        connect.signal
        for module in read
        for connect in module.connects
        if matches(text, connect.receiver)
    }
    signals = loaded_signals()
    for name in sorted(wanted & signals.keys()):
        entry = entries.describe_signal(signals[name], name)
        refused = connection_log.refusals(signals[name])
        for each in absent(entry, read):
            if matches(text, each.connect.receiver):
                yield each.connect.receiver, entry, _absent(each, refused)


def _read(entry: SignalEntry) -> tuple[str, list[ModuleSource]]:
    """The project's source; for a signal of an installed package, the package's source too.

    Of the files without any word about signals, only those that name this signal are read.
    """
    about = frozenset({entry.signal.rpartition(".")[2]})
    readings = project.project_readings(brief=True, about=about)
    package = ""
    if entry.path and is_third_party(entry.path):
        package = entry.signal.partition(".")[0]
        known = {reading.path for reading in readings}
        more = project.package_readings(entry.signal, about)
        readings += [each for each in more if each.path not in known]
    return package, project.settle(readings)


def _handed_on(
    signal: str, read: list[ModuleSource], sends: Sequence[Send]
) -> tuple[Mention, ...]:
    """Where the signal is passed on, except to functions that are seen to send it."""
    seen = {(send.path, send.line) for send in sends if send.through}
    return tuple(
        each
        for module in read
        for each in module.mentions
        if each.signal == signal and (each.path, each.line) not in seen
    )


def _connected(
    signal: Signal, sender: object
) -> tuple[list[ExplainedReceiver], list[ExplainedReceiver]]:
    """The connected receivers: those that are called, and those that are not."""
    reached, missed = [], []
    known = known_connections(signal)
    for pair in entries.connected(signal):
        found, entry = pair
        if not reaches(found.key, sender):
            only = None if entry.sender == entries.UNKNOWN else entry.sender
            why = why_other_sender(known.get(found.key), sender, only)
            missed.append(_known(entry, Standing.OTHER_SENDER, f"it {why}"))
        elif is_receiver_muted(signal, found.receiver):
            missed.append(_known(entry, Standing.MUTED, "a test has muted it"))
        else:
            reached.append(pair)
    vain = {each.kept: each for each in connection_log.vain_disconnects(signal)}
    called = [
        _known(entry, Standing.CALLED, remark or _kept(vain.get(found.key)), order)
        for order, ((found, entry), remark) in enumerate(
            zip(reached, repeats(reached), strict=True), 1
        )
    ]
    return called, missed


def _kept(vain: connection_log.Vain | None) -> str:
    if vain is None:
        return ""
    where = f" at {place(vain.place.path, vain.place.line)}" if vain.place else ""
    return (
        f"a disconnect(){where} did not match this connection: pass it the same sender and "
        "dispatch_uid as connect()"
    )


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


def _absent(found: Absent, refused: Sequence[connection_log.Refusal]) -> ExplainedReceiver:
    connect = found.connect
    is_at_import = connect.function == found.module
    taken = next((it for it in refused if it.refused.receiver.name == connect.receiver), None)
    if taken is not None:
        standing = Standing.NOT_CONNECTED
        holder = taken.holder.receiver
        where = place(holder.path, holder.line)
        who = f"{holder.name} ({where})" if where else holder.name
        detail = (
            f"its dispatch_uid {taken.refused.dispatch_uid!r} is already used by {who}, so "
            "Django ignored the connect()"
        )
    elif not found.is_imported and not is_at_import:
        standing = Standing.NOT_IMPORTED
        detail = (
            f"{connect.function}() connects it when it is called, but this process has not "
            "imported that module"
        )
    elif found.is_imported:
        standing = Standing.NOT_CONNECTED
        detail = (
            f"{connect.function} connects it, but has not run yet, or the receiver has been "
            "disconnected since"
        )
    else:
        standing = Standing.NOT_IMPORTED
        detail = f"{found.module} connects it, but this process has not imported that module"
    return ExplainedReceiver(
        standing=standing,
        order=None,
        receiver=connect.receiver or "a receiver without a name in the source",
        path=connect.path,
        line=connect.line,
        sender=connect.sender or None,
        detail=detail,
        entry=None,
    )


def _inspected(name: str) -> str:
    """Whether the settings let the signal's dispatches be recorded, and which entry decides."""
    config = get_config()
    included = most_specific(name, config.include)
    if included is None:
        return "not inspected: no entry of INCLUDE matches it"
    if is_inspected(name, config.include, config.exclude):
        return f"inspected: INCLUDE has {included!r}"
    return f"not inspected: EXCLUDE has {most_specific(name, config.exclude)!r}"


def _remark(kind: type) -> str:
    """A remark if the signal's class chooses receivers in its own way, as in pretix; else ""."""
    for base in class_mro(kind):
        if base is Signal:
            break
        for method in (*SendMethod, "_live_receivers"):
            if method in class_namespace(base):
                return (
                    f"{class_path(base)} has its own {method}(), which may choose among these "
                    "receivers"
                )
    return ""
