"""Describes an exception: its class, its message, and the useful part of its traceback."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from traceback import FrameSummary
from types import TracebackType
from typing import Any

from asgiref import sync
from django.dispatch import dispatcher
from django.utils.functional import Promise

from signal_inspector.conf import Limits
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Failure, Summary
from signal_inspector.names.safe import MISSING, class_attribute, derives, stored_attribute
from signal_inspector.payload.redaction import Redactor
from signal_inspector.payload.summaries import type_name
from signal_inspector.payload.text import clean_text
from signal_inspector.payload.values import Work, describe

_MARGIN = 1_024  # characters of a message read beyond its cap, for secrets that the cap would cut
_MOST_FRAMES = 100  # of one exception: the last ones
_MOST_CAUSES = 10
_MOST_MEMBERS = 10  # of an exception group, at each level
_MOST_LEVELS = 3  # of groups in groups
_UNREADABLE = "(its message cannot be read)"
_BUILT_IN = Redactor()


def summarize_exception(
    error: BaseException,
    limits: Limits,
    *,
    with_traceback: bool,
    with_messages: bool = True,
    with_machinery: bool = False,
    redactor: Redactor = _BUILT_IN,
) -> Failure:
    """What is kept of an exception. Never raises, and keeps nothing of it alive.

    The traceback has Python's layout, but not the frames that carry a send to its receivers; if
    it is too long, the end is kept. Without messages, the messages of the exception, its causes,
    members and notes are left out, in the traceback too.
    """
    name = type_name(type(error))
    try:
        teller = _Teller(limits, redactor, with_messages, with_machinery)
        text = teller.traceback(error) if with_traceback else None
        return Failure(exception_class=name, message=teller.message(error), traceback=text)
    except Exception as problem:
        try:  # noqa: SIM105 - suppress() would need more room on a full stack
            internal_errors.report("putting an exception in words", problem)
        except RecursionError:  # the stack may be full
            pass
        return Failure(
            exception_class=name,
            message=_UNREADABLE if with_messages else "",
            traceback=name if with_traceback else None,
        )


class _Teller:
    """Describes one exception, with its causes."""

    __slots__ = ("_known", "_limits", "_machinery", "_messages", "_redactor", "_told")

    def __init__(
        self, limits: Limits, redactor: Redactor, messages: bool, machinery: bool = False
    ) -> None:
        self._limits = limits
        self._machinery = machinery
        self._redactor = redactor
        self._messages = messages and not redactor.strict
        self._told: set[int] = set()
        self._known: dict[int, str] = {}  # messages, by the id of the exception

    def message(self, error: BaseException) -> str:
        """``str()`` of the exception, or what is known without running its arguments' code."""
        if not self._messages:
            return ""
        known = self._known.get(id(error))
        if known is None:  # once, as it may run the user's __str__
            try:
                text = self._raw_message(error)
            except (Exception, SystemExit) as problem:  # whatever a __str__ may raise
                internal_errors.resume(internal_errors.arrived(problem))
                text = _UNREADABLE
            known = self._known[id(error)] = self._clean(text)
        return known

    def _raw_message(self, error: BaseException) -> str:
        own = class_attribute(type(error), "__str__", MISSING)
        if own is not BaseException.__str__ and own is not KeyError.__str__:
            return str(error)
        args = _args(error)
        if all(type(arg) in _SPEAK_FOR_THEMSELVES or _is_lazy_text(arg) for arg in args):
            return str(error)
        # For example, str() of a model would run the user's code, and perhaps a query.
        work = Work(self._limits, self._redactor)
        return ", ".join(_in_words(describe(work, arg)) for arg in args[: work.items])

    def _clean(self, text: str) -> str:
        limit = self._limits.message_length
        text = text if type(text) is str else str.__str__(text)
        return clean_text(self._redactor.redact_text(text[: limit + _MARGIN]), limit)

    def traceback(self, error: BaseException) -> str:
        """The traceback with its causes, at most ``traceback_length`` characters of its end."""
        limit = self._limits.traceback_length
        text = "".join(self._chain(error, 0)).rstrip("\n")
        if len(text) <= limit:
            return text
        note = f"(the last of {len(text)} characters)\n…"
        kept = limit - len(note)
        return note + text[-kept:] if kept > 0 else text[len(text) - limit :]

    def _chain(self, error: BaseException, level: int) -> Iterator[str]:
        """The causes first, as Python prints them."""
        chain: list[tuple[BaseException, str]] = []
        current: BaseException | None = error
        link = ""
        while current is not None and id(current) not in self._told:
            if len(chain) == _MOST_CAUSES:
                yield "(earlier causes are left out)\n\n"
                break
            self._told.add(id(current))
            chain.append((current, link))
            current, link = _reason(current)
        if not chain:
            yield f"{type_name(type(error))} (shown above)\n"
        for shown, after in reversed(chain):
            yield from self._one(shown, level)
            yield after

    def _one(self, error: BaseException, level: int) -> Iterator[str]:
        trace = _traceback(error)
        if trace is not None:
            yield "Traceback (most recent call last):\n"
            yield from self._frames(trace)
        yield from self._last_lines(error)
        if derives(type(error), BaseExceptionGroup):
            yield from self._members(_exceptions(error), level)

    def _frames(self, trace: TracebackType) -> Iterator[str]:
        frames, left_out = _frames_to_show(trace, self._machinery)
        if left_out:
            yield f"  ({left_out} earlier frames are left out)\n"
        limit = self._limits.traceback_length
        shown = [self._cut(frame, limit + _MARGIN) for frame in frames]
        for lines in traceback.StackSummary.from_list(shown).format():
            text = clean_text(self._redacted_code(lines[: limit + _MARGIN]), limit)
            yield text if text.endswith("\n") else f"{text}\n"

    def _cut(self, frame: FrameSummary, limit: int) -> FrameSummary:
        """The frame, without its source in strict mode, and with a long line cut.

        A line of generated code may be longer than everything that is kept.
        """
        line = "" if self._redactor.strict else frame.line or ""
        if not self._redactor.strict and len(line) <= limit:
            return frame
        return FrameSummary(
            frame.filename, frame.lineno, frame.name, lookup_line=False, line=line[:limit]
        )

    def _redacted_code(self, lines: str) -> str:
        return lines if self._redactor.strict else self._redactor.redact_code(lines)

    def _last_lines(self, error: BaseException) -> Iterator[str]:
        if self._messages and derives(type(error), SyntaxError):
            source = _syntax_text(error)
            if type(source) is str:
                yield f"    {self._clean(source.strip())}\n"
        message = self.message(error)
        yield (
            f"{type_name(type(error))}: {message}\n" if message else f"{type_name(type(error))}\n"
        )
        notes = stored_attribute(error, "__notes__")
        if self._messages and type(notes) is list:
            for note in notes[: self._limits.payload_items]:
                if type(note) is str:
                    yield f"{self._clean(note)}\n"

    def _members(self, members: tuple[BaseException, ...], level: int) -> Iterator[str]:
        if level == _MOST_LEVELS:
            yield f"  ({len(members)} exceptions inside are left out)\n"
            return
        for number, member in enumerate(members[:_MOST_MEMBERS], start=1):
            yield f"  +---- {number} of {len(members)} ----\n"
            text = "".join(self._chain(member, level + 1))
            for line in text.splitlines():
                yield f"  | {line}\n"
        if len(members) > _MOST_MEMBERS:
            yield f"  +---- {len(members) - _MOST_MEMBERS} more are left out ----\n"


def _reason(error: BaseException) -> tuple[BaseException | None, str]:
    """The exception that this one was raised from or after, and Python's words for it."""
    cause = _cause(error)
    if cause is not None:
        return cause, "\nThe above exception was the direct cause of the following exception:\n\n"
    if _suppress_context(error):
        return None, ""
    return (
        _context(error),
        "\nDuring handling of the above exception, another exception occurred:\n\n",
    )


def _frames_to_show(trace: TracebackType, everything: bool) -> tuple[list[FrameSummary], int]:
    """The user's frames among the last ones, outermost first, and how many came before those."""
    last = traceback.extract_tb(trace, -_MOST_FRAMES)
    users = [frame for frame in last if everything or not frame.filename.startswith(_MACHINERY)]
    count = sum(1 for _ in traceback.walk_tb(trace))
    return users or list(last), count - len(last)


def _in_words(shown: Summary) -> str:
    """A summary with its items, as text for a message."""
    if not shown.items:
        is_text = shown.kind == "plain" and type(shown.value) is str
        return str(shown.value) if is_text else shown.text
    more = ", …" if shown.truncated else ""
    if shown.items[0][0] == "0":
        return f"[{', '.join(_in_words(item) for _, item in shown.items)}{more}]"
    return f"{{{', '.join(f'{key}: {_in_words(item)}' for key, item in shown.items)}{more}}}"


def _is_lazy_text(arg: object) -> bool:
    return derives(type(arg), Promise)


def _beside(file: str, *, levels: int = 0) -> str:
    """The beginning of all paths in a file's folder, or in one above it."""
    return f"{Path(file).parents[levels]}{os.sep}"


def _slot(cls: type, name: str) -> Callable[[BaseException], Any]:
    """A reader of an attribute that Python keeps of an exception, bypassing its class."""
    reader: Callable[[BaseException], Any] = cls.__dict__[name].__get__
    return reader


_MACHINERY = (
    _beside(__file__, levels=1),
    _beside(dispatcher.__file__),
    _beside(sync.__file__),
)
_SPEAK_FOR_THEMSELVES = frozenset((str, int, float, bool, bytes, type(None)))
_args = _slot(BaseException, "args")
_cause = _slot(BaseException, "__cause__")
_context = _slot(BaseException, "__context__")
_suppress_context = _slot(BaseException, "__suppress_context__")
_traceback = _slot(BaseException, "__traceback__")
_exceptions = _slot(BaseExceptionGroup, "exceptions")
_syntax_text = _slot(SyntaxError, "text")
