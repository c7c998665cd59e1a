"""Dispatches as lines in a terminal, down to 80 columns.

There is a line for the dispatch, one for its sender and arguments, and one for each receiver; the
dispatches that a receiver sent are below it. An outcome has a glyph and a color, and a word if
something went wrong. Characters of foreign text that are commands to the terminal, and those
that its encoding lacks, are escaped.
"""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import ReceiverCall
from signal_inspector.display.numbers import clock, plural, took
from signal_inspector.display.outcomes import (
    Ended,
    OutcomeWords,
    dispatch_outcome,
    recorded_call_outcome,
)
from signal_inspector.display.text import exception_line, printable
from signal_inspector.watch.listening import Family, Filters, Seen

#: By glyph: its character, its ASCII replacement, and the name of Django's style.
_SIGNS: Final = {
    "ok": ("✓", "+", "SUCCESS"),
    "raised": ("⬢", "X", "ERROR"),
    "swallowed": ("⬡", "x", "ERROR"),
    "skipped": ("⊘", "-", "plain"),
    "cancelled": ("▣", "o", "WARNING"),
    "running": ("…", "~", "plain"),
    "orphan": ("◌", "?", "WARNING"),
    "sent": ("→", ">", "plain"),
    "cut": ("…", "~", "plain"),
    "dot": ("·", "-", "plain"),
    "minus": ("–", "-", "plain"),
}

_LEAST: Final = 40  # columns
_NAME: Final = 16  # the fewest columns for a name, however long the text after it
_DEEPEST: Final = 6  # the most levels of indentation
_LONGEST: Final = 2_000  # the most characters of a text that are used
_MOST_CALLS: Final = 200  # the most receivers listed for a dispatch


def cells(text: str) -> int:
    """How many columns a printable text takes up."""
    if text.isascii():
        return len(text)
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def shortened(text: str, room: int, cut: str = "…") -> str:
    """The beginning of a text, in at most ``room`` columns."""
    if cells(text) <= room:
        return text
    taken, used = [], cells(cut)
    for letter in text:
        used += _width(letter)
        if used > room:
            break
        taken.append(letter)
    return "".join(taken) + cut


def end_of(text: str, room: int, cut: str = "…") -> str:
    """The end of a text, which is what matters most in a dotted name."""
    if cells(text) <= room:
        return text
    return shortened(text[::-1], room, cut)[::-1]


class Signs:
    """Glyphs and colors of outcomes; in ASCII if the output's encoding lacks the glyphs."""

    def __init__(self, style: Any, encoding: str | None) -> None:
        """``encoding`` is that of the output; None if it takes every character."""
        self._style = style
        self._is_plain = not _takes(encoding)
        self._encoding = encoding or "utf-8"

    def sign(self, what: str) -> str:
        """The glyph, without color."""
        glyph, plain, _ = _SIGNS.get(what, _SIGNS["running"])
        return plain if self._is_plain else glyph

    def painted(self, what: str, text: str) -> str:
        """The text in the color of this outcome."""
        name = _SIGNS.get(what, _SIGNS["running"])[2]
        return text if name == "plain" else str(getattr(self._style, name)(text))

    def text(self, foreign: str) -> str:
        """The text; what the terminal would obey, or what the output cannot encode, is escaped."""
        text = printable(foreign)
        if text.isascii():
            return text
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def strong(self, text: str) -> str:
        """The text in bold."""
        return str(self._style.HTTP_INFO(text))


def _takes(encoding: str | None) -> bool:
    try:
        "".join(glyph for glyph, _, _ in _SIGNS.values()).encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is shown of dispatches."""

    filters: Filters
    receivers: bool = True
    #: The number of columns; 0: that of the terminal, which may change at any time.
    width: int = 0
    #: Whether several processes send, so that each dispatch has to name its process.
    with_process: bool = False


@dataclass(frozen=True, slots=True)
class _Node:
    family: Family
    depth: int


class Lines:
    """Makes the lines of families of dispatches."""

    def __init__(self, shown: Shown, signs: Signs) -> None:
        self._shown = shown
        self._signs = signs
        #: Numbers of dispatches: those shown, those of them that failed, those filtered out.
        self.count = self.failed = self.left_out = 0

    def of(self, family: Family, *, with_process: bool = False) -> Iterator[str]:
        """The lines of a family, without line ends."""
        width = self._shown.width or max(shutil.get_terminal_size().columns, _LEAST)
        todo: list[_Node | str] = [_Node(family, 0)]
        while todo:
            node = todo.pop()
            if isinstance(node, str):
                yield node
            else:
                todo += [*self._expanded(node, width, with_process)][::-1]

    def taken(self, family: Family) -> Iterator[Seen]:
        """The dispatches of a family that pass the filters, each before those it caused."""
        todo = [family]
        while todo:
            each = todo.pop()
            if self._take(each.seen):
                yield each.seen
            todo += each.children[::-1]

    def _take(self, seen: Seen) -> bool:
        if not self._shown.filters.take(seen):
            self.left_out += 1
            return False
        self.count += 1
        self.failed += seen.has_failed
        return True

    def _expanded(self, node: _Node, width: int, with_process: bool) -> Iterator[_Node | str]:
        """The lines of one dispatch, with the dispatches it caused in their places."""
        family, depth = node.family, node.depth
        seen = family.seen
        if not self._take(seen):
            yield from (_Node(child, depth) for child in family.children)
            return
        indent = "    " * min(depth, _DEEPEST)
        yield self._heading(family, indent, depth, width)
        yield from self._circumstances(family, indent, width, with_process)
        waiting = list(family.children)
        calls = seen.dispatch.calls
        for index, call in enumerate(calls[:_MOST_CALLS]):
            if self._shown.receivers:
                yield from self._call(call, seen.dispatch, indent, width)
            yield from (_Node(child, depth + 1) for child in waiting if child.sent_by == index)
        if self._shown.receivers and len(calls) > _MOST_CALLS:
            more = plural(len(calls) - _MOST_CALLS, "more receiver")
            yield f"{indent}  {more}"
        known = range(min(len(calls), _MOST_CALLS))
        yield from (_Node(child, depth + 1) for child in waiting if child.sent_by not in known)

    def _heading(self, family: Family, indent: str, depth: int, width: int) -> str:
        seen = family.seen.dispatch
        outcome = dispatch_outcome(Ended.of(seen))
        at = clock(seen.started_at, with_day=False)
        start = f"{indent}{self._signs.sign('sent')} " if depth else f"{at} "
        more = ["rolled back"] if seen.rolled_back else []
        time = took(seen.duration_ns)
        return self._row(start, outcome, seen.signal, more, time, width, strong=True)

    def _circumstances(
        self, family: Family, indent: str, width: int, with_process: bool
    ) -> Iterator[str]:
        seen = family.seen.dispatch
        parts = [f"{seen.method[:_LONGEST]} from {seen.sender[:_LONGEST]}"]
        if seen.in_transaction and not seen.rolled_back:
            parts.append("in a transaction")
        if family.is_alone:
            parts.append("sent by a receiver of another dispatch")
        if with_process and not indent:
            parts.append(f"process {family.seen.process}")
        payload = [f"{key}={each.text[:_LONGEST]}" for key, each in (seen.payload or {}).items()]
        arguments = self._signs.text(", ".join(payload))
        dot = f" {self._signs.sign('dot')} "
        text = self._signs.text(dot.join(parts))
        room = width - len(indent) - 2
        together = f"{text}{dot}{arguments}"
        for line in [together] if cells(together) <= room else [text, arguments]:
            if line:
                cut = self._signs.sign("cut")
                yield f"{indent}  {shortened(line.removesuffix(dot), room, cut)}"

    def _call(self, call: ReceiverCall, seen: Dispatch, indent: str, width: int) -> Iterator[str]:
        outcome = recorded_call_outcome(seen, call)
        more = ["async"] if call.is_async else []
        if call.query_count:
            more.append(plural(call.query_count, "query", "queries"))
        has_time = call.timed and outcome.glyph not in ("skipped", "running")
        time = took(call.duration_ns) if has_time else self._signs.sign("minus")
        yield self._row(f"{indent}  ", outcome, call.receiver, more, time, width)
        if call.failure is not None and call.failure.exception_class:
            path, message = call.failure.exception_class, call.failure.message
            text = self._signs.text(exception_line(path[:_LONGEST], message[:_LONGEST]))
            room = width - len(indent) - 6
            short = shortened(text, room, self._signs.sign("cut"))
            yield f"{indent}      {self._signs.painted('raised', short)}"

    def _row(
        self,
        start: str,
        outcome: OutcomeWords,
        name: str,
        more: list[str],
        time: str,
        width: int,
        *,
        strong: bool = False,
    ) -> str:
        """``start ✓ name  word, more  time``: the time at the right, the name cut to fit."""
        cut = self._signs.sign("cut")
        room = width - len(start) - 2 - 11  # less the sign, and the time with a space before it
        told = "" if outcome.tone == "ok" else outcome.text
        words = ", ".join(filter(None, [told, *more]))
        words = shortened(words, max(room - _NAME - 2, 0), cut) if words else ""
        left = room - (cells(words) + 2 if words else 0)
        shown = end_of(self._signs.text(name[-_LONGEST:]), max(left, 8), cut)
        gap = " " * max(left - cells(shown), 0)
        if strong:
            head, dot, last = shown.rpartition(".")
            shown = f"{head}{dot}{self._signs.strong(last)}"
        glyph = outcome.glyph
        sign = self._signs.painted(glyph, self._signs.sign(glyph))
        said = f"  {self._signs.painted(glyph, words) if told else words}" if words else ""
        return f"{start}{sign} {shown}{said}{gap} {time:>10}"
