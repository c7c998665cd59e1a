"""Snapshots of a process's connections, to compare: no line numbers, no paths, nothing random.

As a text to commit, a snapshot has one line for each connection, so that a diff is easy to read.
Changes from one snapshot to another are described in words.
"""

from __future__ import annotations

import difflib
import gc
import json
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.apps import apps
from django.utils import inspect as django_inspect

from signal_inspector.catalog.connections import heard_sender
from signal_inspector.catalog.entries import ReceiverEntry, SignalEntry, describe
from signal_inspector.core.record.callers import is_third_party
from signal_inspector.names.safe import instance_attribute
from signal_inspector.source_code.project import is_test_module

FORMAT: Final = 1
COMMAND: Final = "manage.py signals snapshot"

_FIRST: Final = re.compile(r"# signal snapshot, format (\d{1,9}): ")
_SECOND: Final = re.compile(rf"# Update: {COMMAND}(.*) --output FILE")
_SIGNAL: Final = re.compile(r"[\w.\\]+([\[.].*)?")  # REGISTRY['paid'] is one, too
_INDENT: Final = " " * 4
_BETWEEN: Final = " | "


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a snapshot includes; the project's own connections are in every one."""

    apps: tuple[str, ...] = ()  # names or labels of installed apps that count as the project's own
    third_party: bool = False  # all inspected signals, no matter whose
    bare: bool = False  # without what a server imports in addition to django.setup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One connection."""

    receiver: str
    sender: str | None = None  # the only sender that it listens to
    dispatch_uid: str | None = None
    is_async: bool = False
    is_strong: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Receivers by signal: signals by name, receivers in the order of execution."""

    scope: Scope
    signals: Mapping[str, tuple[Line, ...]] = field(default_factory=dict)


def take(scope: Scope) -> Snapshot:
    """The current connections of this process, without dead and pending ones."""
    own = _Own(scope.apps)
    signals = {}
    for entry in describe(everything=True):
        is_whole = own.has(entry.signal) or (scope.third_party and entry.is_inspected)
        lines = tuple(
            _line(receiver)
            for receiver in _called(entry)
            if own.has(receiver.receiver) or (is_whole and _may_stand(receiver.receiver))
        )
        if (is_whole or lines) and _may_stand(entry.signal):
            signals[entry.signal] = lines
    return Snapshot(scope=scope, signals=signals)


def let_go() -> None:
    """Let receivers die that are only kept alive by chance, so that DEBUG makes no difference.

    With DEBUG, Django inspects each receiver's parameters and caches them for a while, and with
    them the receiver. A reference cycle keeps a receiver until Python's garbage collection.
    """
    for name in ("_get_func_parameters", "_get_callable_parameters"):
        clear = getattr(getattr(django_inspect, name, None), "cache_clear", None)
        if clear is not None:
            clear()
    gc.collect()


def _called(entry: SignalEntry) -> Iterator[ReceiverEntry]:
    return (receiver for receiver in entry.receivers if not receiver.is_dead)


def _may_stand(name: str) -> bool:
    """Whether a name stays the same from one process to the next."""
    if "(anonymous)" in name or name.startswith("anonymous "):
        return False
    return not name.startswith("signal_inspector.") and not is_test_module(_module_of(name))


def _line(receiver: ReceiverEntry) -> Line:
    return Line(
        receiver=receiver.receiver,
        sender=receiver.sender,
        dispatch_uid=receiver.dispatch_uid,
        is_async=receiver.is_async,
        is_strong=receiver.is_weak is False,
    )


class _Own:
    """What belongs to the project, and to the apps that are included."""

    def __init__(self, labels: tuple[str, ...]) -> None:
        self._apps = {
            config.name
            for config in apps.get_app_configs()
            if config.name in labels or config.label in labels
        }
        self._modules: dict[str, bool] = {}

    def has(self, name: str) -> bool:
        module = _module_of(name)
        if module not in self._modules:
            self._modules[module] = self._has_module(module)
        return self._modules[module] and _may_stand(name)

    def _has_module(self, name: str) -> bool:
        if any(name == app or name.startswith(f"{app}.") for app in self._apps):
            return True
        file = instance_attribute(sys.modules.get(name), "__file__")
        return type(file) is str and not is_third_party(file)


def _module_of(name: str) -> str:
    """The loaded module that an object of this dotted name is in; "" if there is none."""
    while name and name not in sys.modules:
        name = name.rpartition(".")[0]
    return name


class BrokenError(ValueError):
    """A text is not a snapshot; the message says why and where."""


def render(snapshot: Snapshot) -> str:
    """The whole text, with a final newline."""
    return "".join(f"{line}\n" for line in _lines(snapshot))


def _lines(snapshot: Snapshot) -> Iterator[str]:
    options = "".join(f" {each}" for each in scope_options(snapshot.scope))
    yield f"# signal snapshot, format {FORMAT}: who receives which signal, in the order of calls."
    yield f"# Update: {COMMAND}{options} --output FILE"
    for signal in sorted(snapshot.signals):
        yield ""
        yield _escaped(signal)
        for line in snapshot.signals[signal]:
            yield f"{_INDENT}{_BETWEEN.join(_parts(line))}"


def scope_options(scope: Scope) -> list[str]:
    """The options of the command that make a snapshot of this scope."""
    options = [word for app in sorted(set(scope.apps)) for word in ("--app", shlex.quote(app))]
    options += ["--third-party"] if scope.third_party else []
    return options + (["--bare"] if scope.bare else [])


def _parts(line: Line) -> Iterator[str]:
    yield _escaped(line.receiver)
    if line.sender is not None:
        yield f"sender {_escaped(line.sender)}"
    if line.dispatch_uid is not None:
        yield f"uid {json.dumps(line.dispatch_uid).replace('|', chr(92) + 'u007c')}"
    if line.is_async:
        yield "async"
    if line.is_strong:
        yield "strong"


def _escaped(name: str) -> str:
    """A name in one line, with the characters escaped that have a meaning in a snapshot."""
    escaped = name.encode("unicode_escape").decode("ascii") if not name.isprintable() else name
    return escaped.replace("|", "\\x7c")


def parse(text: str) -> Snapshot:
    """The snapshot of a text; raises ``BrokenError``."""
    lines = text.splitlines()
    scope = _scope(lines)
    signals: dict[str, tuple[Line, ...]] = {}
    signal = ""
    for number, line in enumerate(lines[2:], 3):
        if not line.strip():
            continue
        if line.startswith(_INDENT):
            if not signal:
                raise BrokenError(f"line {number}: a receiver comes before the first signal")
            signals[signal] += (_line_of_text(line, number),)
        elif _SIGNAL.fullmatch(line.rstrip()):
            signal = line.rstrip()
            if signal in signals:
                raise BrokenError(f"line {number}: {signal} occurs a second time")
            signals[signal] = ()
        else:
            raise BrokenError(f"line {number} is neither a signal nor a receiver: {line!r}")
    return Snapshot(scope=scope, signals=signals)


def _scope(lines: list[str]) -> Scope:
    first = _FIRST.match(lines[0]) if lines else None
    if first is None:
        raise BrokenError("the first line does not say that it is a signal snapshot")
    if int(first[1]) != FORMAT:
        raise BrokenError(f"it has format {first[1]}, but this version reads format {FORMAT}")
    second = _SECOND.fullmatch(lines[1].rstrip()) if len(lines) > 1 else None
    if second is None:
        raise BrokenError("the second line does not say how to update it")
    return _read_options(second[1])


def _read_options(text: str) -> Scope:
    try:
        words = iter(shlex.split(text))
    except ValueError as error:
        raise BrokenError(f"line 2: {error}") from error
    apps, flags = [], set()
    for word in words:
        if word == "--app":
            apps.append(next(words, ""))
        elif word in ("--third-party", "--bare"):
            flags.add(word)
        else:
            raise BrokenError(f"line 2: there is no option {word!r}")
    return Scope(apps=tuple(apps), third_party="--third-party" in flags, bare="--bare" in flags)


def _line_of_text(line: str, number: int) -> Line:
    receiver, *parts = line.strip().split(_BETWEEN)
    told: dict[str, str] = {}
    for part in parts:
        key, _, value = part.partition(" ")
        if key in told or key not in ("sender", "uid", "async", "strong"):
            raise BrokenError(f"line {number}: {part!r} does not describe a receiver")
        told[key] = value
    return Line(
        receiver=receiver,
        sender=told.get("sender"),
        dispatch_uid=_uid_of_text(told["uid"], number) if "uid" in told else None,
        is_async="async" in told,
        is_strong="strong" in told,
    )


def _uid_of_text(text: str, number: int) -> str:
    try:
        uid = json.loads(text)
    except ValueError:
        uid = None
    if not isinstance(uid, str):
        raise BrokenError(f"line {number}: {text!r} is not a dispatch_uid in quotes")
    return uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """All changes of one signal."""

    signal: str
    sentences: tuple[str, ...]


def changes(before: Snapshot, now: Snapshot) -> list[Change]:
    """The signals that differ, by name; none if the snapshots are equal."""
    found = []
    for signal in sorted({*before.signals, *now.signals}):
        sentences = tuple(_of_signal(before.signals.get(signal), now.signals.get(signal)))
        if sentences:
            found.append(Change(signal=signal, sentences=sentences))
    return found


def _of_signal(before: Sequence[Line] | None, now: Sequence[Line] | None) -> Iterator[str]:
    if before == now:
        return
    if before is None:
        yield "the signal is new"
        yield from (f"{each.receiver} receives it{_in_brackets(each)}" for each in now or ())
    elif now is None:
        yield "the signal is gone"
        yield from (f"{each.receiver} received it{_in_brackets(each)}" for each in before)
    else:
        yield from _of_receivers(before, now)


def _of_receivers(before: Sequence[Line], now: Sequence[Line]) -> Iterator[str]:
    pairs = _paired(before, now)
    old = {here for here, _ in pairs}
    kept = {there for _, there in pairs}
    for place, line in enumerate(now):
        if place not in kept:
            yield f"{line.receiver} is new{_in_brackets(line)}: it runs {_after(now, place)}"
    for place, line in enumerate(before):
        if place not in old:
            yield f"{line.receiver} is gone{_in_brackets(line)}"
    for here, there in sorted(pairs, key=lambda pair: pair[1]):
        for what in _differences(before[here], now[there]):
            yield f"{now[there].receiver} {what}"
    for place in _moved([there for _, there in sorted(pairs)]):
        yield f"{now[place].receiver} has moved: it now runs {_after(now, place)}"


def _paired(before: Sequence[Line], now: Sequence[Line]) -> list[tuple[int, int]]:
    """Pairs of places, before and now, of the same connection.

    Unchanged connections are paired first, because a receiver may be connected twice.
    """
    pairs: list[tuple[int, int]] = []
    left_before, left_now = dict(enumerate(before)), dict(enumerate(now))
    for is_same in (_is_equal, _has_same_name):
        for there, line in list(left_now.items()):
            here = next((each for each, old in left_before.items() if is_same(old, line)), None)
            if here is not None:
                pairs.append((here, there))
                del left_before[here], left_now[there]
    return pairs


def _is_equal(one: Line, other: Line) -> bool:
    return one == other


def _has_same_name(one: Line, other: Line) -> bool:
    return one.receiver == other.receiver


def _moved(order: Sequence[int]) -> Iterator[int]:
    """Given current places in the previous order: the places that have moved."""
    matcher = difflib.SequenceMatcher(None, order, sorted(order), autojunk=False)
    stay = {
        order[block.a + offset]
        for block in matcher.get_matching_blocks()
        for offset in range(block.size)
    }
    return (place for place in sorted(order) if place not in stay)


def _after(lines: Sequence[Line], place: int) -> str:
    return f"after {lines[place - 1].receiver}" if place else "first"


def _differences(before: Line, now: Line) -> Iterator[str]:
    if before.sender != now.sender:
        yield f"listens to {heard_sender(now.sender)} instead of {heard_sender(before.sender)}"
    if before.dispatch_uid != now.dispatch_uid:
        yield f"has {_uid(now)} instead of {_uid(before)}"
    if before.is_async != now.is_async:
        yield "has become async" if now.is_async else "is no longer async"
    if before.is_strong != now.is_strong:
        yield f"is now held {'strongly' if now.is_strong else 'weakly'}"


def _uid(line: Line) -> str:
    return "no uid" if line.dispatch_uid is None else f"uid {json.dumps(line.dispatch_uid)}"


def _in_brackets(line: Line) -> str:
    told = [f"sender {line.sender}"] if line.sender is not None else []
    told += [_uid(line)] if line.dispatch_uid is not None else []
    told += ["async"] if line.is_async else []
    told += ["strong"] if line.is_strong else []
    return f" ({', '.join(told)})" if told else ""
