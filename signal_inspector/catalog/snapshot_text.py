"""A snapshot as a text to commit: one line for each connection, so that a diff reads well."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Final

from signal_inspector.catalog.snapshots import Line, Scope, Snapshot

FORMAT: Final = 1
COMMAND: Final = "manage.py signals snapshot"

_FIRST: Final = re.compile(r"# signal snapshot, format (\d{1,9}): ")
_SECOND: Final = re.compile(rf"# Update: {COMMAND}(.*) --output FILE")
_SIGNAL: Final = re.compile(r"[\w.\\]+([\[.].*)?")  # REGISTRY['paid'] is one, too
_INDENT: Final = " " * 4
_BETWEEN: Final = " | "


class BrokenError(ValueError):
    """A text is no snapshot; the message says why and where."""


def render(snapshot: Snapshot) -> str:
    """The whole text, with the last line end."""
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
    """A name in one line, without what has a meaning in here."""
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
                raise BrokenError(f"line {number}: a receiver stands before any signal")
            signals[signal] += (_line(line, number),)
        elif _SIGNAL.fullmatch(line.rstrip()):
            signal = line.rstrip()
            if signal in signals:
                raise BrokenError(f"line {number}: {signal} stands there a second time")
            signals[signal] = ()
        else:
            raise BrokenError(f"line {number} is neither a signal nor a receiver: {line!r}")
    return Snapshot(scope=scope, signals=signals)


def _scope(lines: list[str]) -> Scope:
    first = _FIRST.match(lines[0]) if lines else None
    if first is None:
        raise BrokenError("the first line does not say that it is a signal snapshot")
    if int(first[1]) != FORMAT:
        raise BrokenError(f"it has format {first[1]}, and this version reads format {FORMAT}")
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


def _line(line: str, number: int) -> Line:
    receiver, *parts = line.strip().split(_BETWEEN)
    told: dict[str, str] = {}
    for part in parts:
        key, _, value = part.partition(" ")
        if key in told or key not in ("sender", "uid", "async", "strong"):
            raise BrokenError(f"line {number}: {part!r} says nothing of a receiver")
        told[key] = value
    return Line(
        receiver=receiver,
        sender=told.get("sender"),
        dispatch_uid=_uid(told["uid"], number) if "uid" in told else None,
        is_async="async" in told,
        is_strong="strong" in told,
    )


def _uid(text: str, number: int) -> str:
    try:
        uid = json.loads(text)
    except ValueError:
        uid = None
    if not isinstance(uid, str):
        raise BrokenError(f"line {number}: {text!r} is no dispatch_uid in quotes")
    return uid
