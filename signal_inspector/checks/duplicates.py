"""Receivers under the wrong key: they run twice for one dispatch, or not, or still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from signal_inspector.catalog.duplicates import identity, source
from signal_inspector.checks.facts import Connected, Facts
from signal_inspector.checks.findings import Finding, Kind, at
from signal_inspector.core.record.values import Caller, ReceiverName
from signal_inspector.core.wrapper import connection_log
from signal_inspector.display.numbers import often
from signal_inspector.display.text import listing
from signal_inspector.names import unmarked
from signal_inspector.names.receivers import innermost

_Key = Callable[[Any], object]


def connected_twice(facts: Facts) -> Iterator[Finding]:
    """W014: one and the same receiver, under two keys that Django takes for two receivers."""
    for group in _groups(facts, identity):
        first = group[0]
        times = often(len(group))
        yield Finding(
            kind=Kind.TWICE,
            subject=first.name.name,
            message=(
                f"The receiver{at(first.name.path, first.name.line)} is connected to "
                f"{first.signal} {times}, and runs {times} for one dispatch: "
                f"{listing([_how(each) for each in group])}."
            ),
            hint="Connect it in one place. The same dispatch_uid in both would connect it once.",
            names=(first.name.name, first.signal),
            path=group[-1].connected_at.path,
            line=group[-1].connected_at.line,
        )


def imported_twice(facts: Facts) -> Iterator[Finding]:
    """W015: the same lines of the same file, run twice: as two modules, or by a reload."""
    for group in _groups(facts, source):
        functions = {id(innermost(each.receiver)): each for each in group}
        copies = list(functions.values())
        if len(copies) < 2:
            continue  # that is W014
        first = copies[0]
        modules = sorted({_module(each) for each in copies})
        how = f"as {listing(modules)}" if len(modules) > 1 else f"as {modules[0]}, and reloaded"
        yield Finding(
            kind=Kind.IMPORTED_TWICE,
            subject=first.name.name,
            message=(
                f"The file of the receiver{at(first.name.path, first.name.line)} was imported "
                f"{len(copies)} times, {how}. So {first.signal} has {len(copies)} receivers of "
                "it, and each of them runs."
            ),
            hint=(
                "Import it by one name everywhere, and take the directory that makes the other "
                "one possible out of sys.path; or give the receiver a dispatch_uid."
            ),
            names=(*{each.name.name for each in copies}, first.signal),
            path=first.name.path,
            line=first.name.line,
        )


def uid_taken(facts: Facts) -> Iterator[Finding]:
    """W020: Django ignores a ``connect()`` under a ``dispatch_uid`` that is in use."""
    for signal, it in facts.signals.items():
        for refused, holder in connection_log.refusals(it):
            name, other = refused.receiver, holder.receiver
            where = refused.connected_at or Caller("", 0, "")
            if not _is_own(facts, name, where) or (name.path, name.line) == (
                other.path,
                other.line,
            ):
                continue  # of which the second is one file, imported twice
            yield Finding(
                kind=Kind.UID_TAKEN,
                subject=name.name,
                message=(
                    f"The receiver{at(name.path, name.line)} is not connected to {signal}: its "
                    f"dispatch_uid {refused.dispatch_uid!r} is taken by {other.name}"
                    f"{at(other.path, other.line)}, so Django ignored the call."
                ),
                hint="Give each receiver a dispatch_uid of its own.",
                names=(name.name, signal),
                path=where.path or name.path,
                line=where.line or name.line,
            )


def vain_disconnect(facts: Facts) -> Iterator[Finding]:
    """W030: ``disconnect()`` with another sender or ``dispatch_uid`` than ``connect()`` had."""
    for signal, it in facts.signals.items():
        for vain in connection_log.vain_disconnects(it):
            where = vain.place or Caller("", 0, "")
            if not _is_own(facts, vain.receiver, where):
                continue
            known = connection_log.known_connections(it).get(vain.kept)
            how = _key(vain.dispatch_uid, vain.sender)
            is_ = _key(known.dispatch_uid, known.sender) if known else "otherwise"
            yield Finding(
                kind=Kind.VAIN_DISCONNECT,
                subject=vain.receiver.name,
                message=(
                    f"disconnect(){at(where.path, where.line)} found nothing, and the receiver "
                    f"still receives {signal}: it is connected {is_}, and was to be disconnected "
                    f"{how}."
                ),
                hint="Give disconnect() the same sender and dispatch_uid as connect().",
                names=(vain.receiver.name, signal),
                path=where.path or vain.receiver.path,
                line=where.line or vain.receiver.line,
            )


def _is_own(facts: Facts, name: ReceiverName, where: Caller) -> bool:
    return facts.is_own_place(name.path) or facts.is_own_place(where.path)


def _key(dispatch_uid: str | None, sender: str | None) -> str:
    with_ = (
        "without dispatch_uid" if dispatch_uid is None else f"with dispatch_uid={dispatch_uid!r}"
    )
    return f"{with_} for {'any sender' if sender is None else f'sender {sender}'}"


def _groups(facts: Facts, key: _Key) -> Iterator[list[Connected]]:
    """The project's connections of equal key and signal that one dispatch would reach."""
    found: dict[tuple[str, object], list[Connected]] = {}
    for each in facts.own:
        if not each.is_dead and (what := key(each.receiver)) is not None:
            found.setdefault((each.signal, what), []).append(each)
    for group in found.values():
        yield from _that_meet(group)


def _that_meet(group: list[Connected]) -> Iterator[list[Connected]]:
    """Those that hear the same sender: all of any sender, and of each sender those."""
    any_sender = [each for each in group if each.sender_key is None]
    senders = {each.sender_key for each in group if each.sender_key is not None}
    of_one = [[*any_sender, *(x for x in group if x.sender_key == key)] for key in senders]
    meeting = [part for part in of_one if len(part) > 1] or [any_sender]
    if len(meeting[0]) > 1:
        yield max(meeting, key=len)


def _module(each: Connected) -> str:
    function: Any = innermost(each.receiver)
    return unmarked(each.name.name).removesuffix(f".{function.__qualname__}")


def _how(each: Connected) -> str:
    connection, where = each.connection, each.connected_at
    details = []
    if connection is not None and connection.dispatch_uid is not None:
        details.append(f"with dispatch_uid={connection.dispatch_uid!r}")
    if each.sender is not None:
        details.append(f"for sender {each.sender}")
    if not details:
        details.append("for any sender" if connection is None else "without dispatch_uid")
    return f"once {' '.join(details)}{at(where.path, where.line)}"
