"""Receivers under a wrong key, and receivers that only Django's weak reference holds.

Under a wrong key, a receiver runs twice for one dispatch, or not at all, or still after
``disconnect()``. A receiver that is only weakly referenced is dead, or will be.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType, FunctionType, MethodType, ModuleType
from typing import Any, Final

from django.utils import inspect as django_inspect

from signal_inspector.catalog.connections import Way, differences, identity, key_words, source
from signal_inspector.checks.facts import Connected, Facts
from signal_inspector.checks.findings import Finding, Kind, at
from signal_inspector.core.record.values import Caller, ReceiverName
from signal_inspector.core.wrapper import connection_log
from signal_inspector.display.numbers import often
from signal_inspector.display.text import last_part, listing
from signal_inspector.names import unmarked
from signal_inspector.names.receivers import innermost
from signal_inspector.names.safe import class_module, class_path, instance_attribute, is_class

_Key = Callable[[Any], object]

_MAX_STEPS: Final = 20  # steps from an object to what holds it
_MAX_HOLDERS: Final = 500  # holders of a receiver, direct or not; with more, it counts as held
_AT_ONCE: Final = 500  # receivers per walk: every object in memory is compared with all of them
_HERE: Final = str(Path(__file__).parent)

#: With DEBUG, Django calls this for each receiver. Its cache keeps 512 results with receivers.
_CACHE: Final = getattr(django_inspect, "_get_func_parameters", None)

_HINT: Final = (
    "Connect a module-level function, keep a lasting reference to the receiver, or connect it "
    "with weak=False."
)


def connected_twice(facts: Facts) -> Iterator[Finding]:
    """W014: one receiver, connected under two keys, which Django treats as two receivers."""
    for group in _groups(facts, identity):
        first = group[0]
        times = often(len(group))
        yield Finding(
            kind=Kind.TWICE,
            subject=first.name.name,
            message=(
                f"The receiver{at(first.name.path, first.name.line)} is connected to "
                f"{first.signal} {times}, so it runs {times} per dispatch: "
                f"{listing(_how(group))}."
            ),
            hint="Connect it in one place only, or give both connections the same dispatch_uid.",
            names=(first.name.name, first.signal),
            path=group[-1].connected_at.path,
            line=group[-1].connected_at.line,
        )


def imported_twice(facts: Facts) -> Iterator[Finding]:
    """W015: a receiver defined twice by the same lines, imported as two modules or reloaded."""
    for group in _groups(facts, source):
        functions = {id(innermost(each.receiver)): each for each in group}
        copies = list(functions.values())
        if len(copies) < 2:
            continue  # that is W014
        first = copies[0]
        modules = sorted({_module(each) for each in copies})
        how = (
            f"as {listing(modules)}"
            if len(modules) > 1
            else f"as {modules[0]}, which was reloaded"
        )
        yield Finding(
            kind=Kind.IMPORTED_TWICE,
            subject=first.name.name,
            message=(
                f"The file of the receiver{at(first.name.path, first.name.line)} was imported "
                f"{often(len(copies))}, {how}. So {first.signal} has {len(copies)} copies of the "
                "receiver, and each of them runs."
            ),
            hint=(
                "Import the module by the same name everywhere, and remove the directory that "
                "allows the other name from sys.path; or give the receiver a dispatch_uid."
            ),
            names=(*{each.name.name for each in copies}, first.signal),
            path=first.name.path,
            line=first.name.line,
        )


def uid_taken(facts: Facts) -> Iterator[Finding]:
    """W020: Django ignores a ``connect()`` with a ``dispatch_uid`` that is already in use."""
    for signal, it in facts.signals.items():
        for refused, holder in connection_log.refusals(it):
            name, other = refused.receiver, holder.receiver
            where = refused.connected_at or Caller("", 0, "")
            if not _is_own(facts, name, where) or (name.path, name.line) == (
                other.path,
                other.line,
            ):
                continue  # not the project's, or the same receiver of a file imported twice
            yield Finding(
                kind=Kind.UID_TAKEN,
                subject=name.name,
                message=(
                    f"The receiver{at(name.path, name.line)} is not connected to {signal}: its "
                    f"dispatch_uid {refused.dispatch_uid!r} is already used by {other.name}"
                    f"{at(other.path, other.line)}, so Django ignored the connect()."
                ),
                hint="Give each receiver its own dispatch_uid.",
                names=(name.name, signal),
                path=where.path or name.path,
                line=where.line or name.line,
            )


def vain_disconnect(facts: Facts) -> Iterator[Finding]:
    """W030: ``disconnect()`` with a different sender or ``dispatch_uid`` than ``connect()``."""
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
                    f"disconnect(){at(where.path, where.line)} found no such connection, and "
                    f"the receiver is still connected to {signal}: it was connected {is_}, but "
                    f"disconnect() was called {how}."
                ),
                hint="Pass the same sender and dispatch_uid to disconnect() as to connect().",
                names=(vain.receiver.name, signal),
                path=where.path or vain.receiver.path,
                line=where.line or vain.receiver.line,
            )


def _is_own(facts: Facts, name: ReceiverName, where: Caller) -> bool:
    return facts.is_own_place(name.path) or facts.is_own_place(where.path)


def _key(dispatch_uid: str | None, sender: str | None) -> str:
    return _words(key_words(dispatch_uid, sender))


def _words(ways: Iterable[Way]) -> str:
    return " ".join(f"{joint} {what}" for joint, what in ways)


def _groups(facts: Facts, key: _Key) -> Iterator[list[Connected]]:
    """The project's connections with the same key and signal that one dispatch would call."""
    found: dict[tuple[str, object], list[Connected]] = {}
    for each in facts.own:
        if not each.is_dead and (what := key(each.receiver)) is not None:
            found.setdefault((each.signal, what), []).append(each)
    for group in found.values():
        yield from _that_meet(group)


def _that_meet(group: list[Connected]) -> Iterator[list[Connected]]:
    """The largest part of a group that is called for the same sender."""
    any_sender = [each for each in group if each.sender_key is None]
    senders = {each.sender_key for each in group if each.sender_key is not None}
    of_one = [[*any_sender, *(x for x in group if x.sender_key == key)] for key in senders]
    meeting = [part for part in of_one if len(part) > 1] or [any_sender]
    if len(meeting[0]) > 1:
        yield max(meeting, key=len)


def _module(each: Connected) -> str:
    function: Any = innermost(each.receiver)
    return unmarked(each.name.name).removesuffix(f".{function.__qualname__}")


def _how(group: Sequence[Connected]) -> Iterator[str]:
    keys = [(it.connection.dispatch_uid if it.connection else None, it.sender) for it in group]
    for each, ways in zip(group, differences(keys), strict=True):
        where = each.connected_at
        yield f"once {_words(ways)}{at(where.path, where.line)}"


def unheld(suspects: Sequence[Connected]) -> list[Connected]:
    """The connections whose receiver is not held by anything that lasts; in doubt, it is held.

    This walks from each object to its holders, for all receivers at once, as each step looks at
    every object in memory. If it reaches a module or a running function, the receiver is held. It
    is also held if the walk reaches an object that has no holder and exists all the same, because
    C code must hold it. If the walk ends without reaching any of these, the receiver is held only
    by Django's cache, or by objects that it holds itself.
    """
    found = []
    for start in range(0, len(suspects), _AT_ONCE):
        found += _Walk(suspects[start : start + _AT_ONCE]).unheld()
    return found


class _Walk:
    """A walk from some receivers to the objects that hold them, and on to the holders of those."""

    def __init__(self, suspects: Sequence[Connected]) -> None:
        self.suspects = suspects
        self.objects: dict[int, Any] = {}  # all objects reached, so that no id is reused
        self.holders: dict[int, list[int]] = {}  # by the id of the held object
        self.lasting: set[int] = set()

    def unheld(self) -> list[Connected]:
        starts = [self._start(each) for each in self.suspects]
        open_ = set(starts)
        for _ in range(_MAX_STEPS):
            waiting: dict[int, None] = {}
            for start in sorted(open_, key=starts.index):
                reached = self._reached(start)
                if reached is None or len(reached) > _MAX_HOLDERS:
                    open_.discard(start)  # it is held, or there is doubt
                else:
                    waiting.update((it, None) for it in reached if it not in self.holders)
            if not waiting:
                break
            self._ask(list(waiting))
        else:
            open_.clear()
        return [each for each, start in zip(self.suspects, starts, strict=True) if start in open_]

    def _start(self, suspect: Connected) -> int:
        receiver = suspect.receiver
        start = receiver.__self__ if type(receiver) is MethodType else receiver
        self.objects[id(start)] = start
        return id(start)

    def _reached(self, start: int) -> list[int] | None:
        """The object and everything known to hold it; None if something among them lasts."""
        reached = {start: None}
        waiting = [start]
        while waiting:
            each = waiting.pop()
            if each in self.lasting:
                return None
            for holder in self.holders.get(each, ()):
                if holder not in reached:
                    reached[holder] = None
                    waiting.append(holder)
            if len(reached) > _MAX_HOLDERS:
                break
        return list(reached)

    def _ask(self, ids: list[int]) -> None:
        """Find the holders of these objects."""
        level = [self.objects[each] for each in ids]
        own = {id(it) for it in (level, self.objects, self.holders, self.suspects)}
        explained: set[int] = set()
        for each in ids:
            self.holders[each] = []
        for holder in _referrers(level, own):
            held = {id(it) for it in gc.get_referents(holder)}.intersection(ids)
            explained |= held
            if holder is _CACHE:
                continue
            self.objects[id(holder)] = holder
            if type(holder) in (ModuleType, FrameType):
                self.lasting.add(id(holder))
            for each in held:
                self.holders[each].append(id(holder))
        self.lasting.update(each for each in ids if each not in explained)


def _referrers(level: list[Any], own: set[int]) -> list[Any]:
    """What holds any of these objects, without the holders that this search itself creates."""
    mark = object()  # identifies the tuple of arguments, which Python 3.13 reports as a holder
    found = []
    # No comprehension: before Python 3.12, it has a cell that holds the mark.
    for holder in gc.get_referrers(*level, mark):
        if id(holder) not in own and not _is_ours(holder, mark):
            found.append(holder)  # noqa: PERF401
    return found


def _is_ours(holder: Any, mark: object) -> bool:
    if type(holder) is tuple:
        return bool(holder) and holder[-1] is mark
    if type(holder) is FrameType:
        return holder.f_code.co_filename.startswith(_HERE)
    return type(holder) is Connected


def dead(facts: Facts) -> Iterator[Finding]:
    """W012: a receiver that has already been garbage collected."""
    for each in facts.own:
        if each.is_dead:
            yield _finding(
                Kind.DEAD,
                each,
                "{name} was garbage collected and is never called: it was connected to "
                "{signal}{at}, and nothing else refers to it. Signals hold their receivers by "
                "weak references.",
            )


def fleeting(facts: Facts) -> Iterator[Finding]:
    """W013: a receiver that only Django's cache keeps, or that the next collection will free.

    With DEBUG, Django inspects the parameters of each receiver, and caches them with the receiver.
    """
    for each in unheld([each for each in facts.own if _is_suspect(each)]):
        yield _finding(
            Kind.FLEETING,
            each,
            "{name} will be garbage collected, and is not called after that: it is connected to "
            "{signal}{at} by a weak reference, and no lasting reference to it exists. It is "
            "still alive only because Django caches it while DEBUG is on, or because the "
            "garbage collector has not run yet.",
        )


def _finding(kind: Kind, each: Connected, message: str) -> Finding:
    where = each.connected_at
    what = each.name.name
    if what.endswith("<lambda>"):
        name = "A lambda"
    elif each.receiver is None or isinstance(each.receiver, FunctionType | MethodType):
        name = "The receiver"
    else:
        name = f"A {last_part(class_path(type(each.receiver)))}"
    return Finding(
        kind=kind,
        subject=what,
        message=message.format(name=name, signal=each.signal, at=at(where.path, where.line)),
        hint=_HINT,
        names=(what, each.signal),
        path=where.path or each.name.path,
        line=where.line or each.name.line,
    )


def _is_suspect(each: Connected) -> bool:
    """Whether a receiver is held weakly, and is not in its module under its own name."""
    if each.is_dead or each.connection is None or not each.connection.is_weak:
        return False
    return not _is_in_module(each.receiver)


def _is_in_module(receiver: Any) -> bool:
    if type(receiver) is MethodType:
        receiver = receiver.__self__
    if is_class(receiver):
        module = class_module(receiver)
        path = class_path(receiver).removeprefix(f"{module}.")
    elif type(receiver) is FunctionType:
        module, path = receiver.__module__, receiver.__qualname__
    else:
        return False
    found: object = sys.modules.get(module)
    for name in path.split("."):
        found = instance_attribute(found, name)
    return found is receiver
