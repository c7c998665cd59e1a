"""An exception in words: its class, its message, and the part of its traceback worth reading."""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Iterator
from types import TracebackType

import django.dispatch

import signal_inspector
from signal_inspector import trouble
from signal_inspector.payload.anatomy import class_attribute, type_name
from signal_inspector.conf import Limits
from signal_inspector.records import Failure
from signal_inspector.payload.redaction import Redactor
from signal_inspector.payload.secrets_in_text import redact_code
from signal_inspector.payload.summaries import Work, describe
from signal_inspector.payload.text import clean_text

_MACHINERY = tuple(
    os.path.join(os.path.dirname(package.__file__ or ""), "")  # noqa: PTH118, PTH120
    for package in (signal_inspector, django.dispatch)
)
_MARGIN = 1_024  # of a message read past its cap, for the secrets that the cap would cut
_MOST_FRAMES = 100  # of one exception, the last ones
_MOST_CAUSES = 10
_MOST_MEMBERS = 10  # of an exception group, at each level
_MOST_LEVELS = 3  # of groups in groups
_BUILTIN = Redactor()
_UNREADABLE = "(its message cannot be read)"


def summarize_exception(
    error: BaseException,
    limits: Limits,
    *,
    with_traceback: bool,
    redactor: Redactor = _BUILTIN,
) -> Failure:
    """What is kept of an exception. Never raises, and keeps nothing of it alive.

    The traceback is laid out as Python does it, without locals, without the frames of the
    machinery of a send; of one that is too long the end is kept.
    """
    writer = _Writer(limits, redactor)
    text = None
    if with_traceback:
        try:
            text = writer.traceback(error)
        except Exception as trouble_of_ours:
            trouble.report("traceback", trouble_of_ours)
            text = f"(the traceback cannot be shown)\n{type_name(type(error))}"
    return Failure(
        exception_class=type_name(type(error)), message=writer.message(error), traceback=text
    )


class _Writer:
    __slots__ = ("_limits", "_redactor", "_seen")

    def __init__(self, limits: Limits, redactor: Redactor) -> None:
        self._limits = limits
        self._redactor = redactor
        self._seen: set[int] = set()

    def message(self, error: BaseException) -> str:
        """``str()`` of the exception, or what can be said without the code of its arguments."""
        limit = self._limits.message_length
        try:
            text = self._raw_message(error)
            text = text if type(text) is str else str.__str__(text)
            return clean_text(self._redactor.redact_text(text[: limit + _MARGIN]), limit)
        except Exception:
            return clean_text(_UNREADABLE, limit)

    def _raw_message(self, error: BaseException) -> str:
        shown = class_attribute(type(error), "__str__")
        if shown is not BaseException.__str__ and shown is not KeyError.__str__:
            return str(error)
        args = BaseException.__dict__["args"].__get__(error)
        if all(type(arg) in _SPEAK_FOR_THEMSELVES for arg in args):
            return str(error)
        # str() of a model, say, would run the user's code, and with it perhaps a query.
        work = Work(self._limits, self._redactor)
        return ", ".join(
            arg if type(arg) is str else describe(work, arg).text
            for arg in args[: self._limits.payload_items]
        )

    def traceback(self, error: BaseException) -> str:
        limit = self._limits.traceback_length
        text = "".join(self._chain(error, 0)).rstrip("\n")
        if len(text) <= limit:
            return text
        note = f"({len(text)} characters, the last of them:)\n…"
        kept = limit - len(note)
        return note + text[-kept:] if kept > 0 else text[len(text) - max(limit, 0) :]

    def _chain(self, error: BaseException, level: int) -> Iterator[str]:
        """The causes first, as Python prints them."""
        chain: list[tuple[BaseException, str]] = []
        current: BaseException | None = error
        link = ""
        while current is not None and id(current) not in self._seen:
            self._seen.add(id(current))
            chain.append((current, link))
            if len(chain) > _MOST_CAUSES:
                yield "(earlier causes are left out)\n\n"
                break
            if current.__cause__ is not None:
                current, link = current.__cause__, _CAUSE
            elif current.__suppress_context__:
                break
            else:
                current, link = current.__context__, _CONTEXT
        for shown, after in reversed(chain):
            yield from self._one(shown, level)
            if after:
                yield after

    def _one(self, error: BaseException, level: int) -> Iterator[str]:
        trace = error.__traceback__
        if trace is not None:
            yield "Traceback (most recent call last):\n"
            yield from self._frames(trace)
        yield self._last_lines(error)
        if isinstance(error, BaseExceptionGroup):
            yield from self._members(error, level)

    def _frames(self, trace: TracebackType) -> Iterator[str]:
        frames, left_out = _frames_to_show(trace)
        if left_out:
            yield f"  ({left_out} earlier frames are left out)\n"
        for line in traceback.StackSummary.extract(iter(frames)).format():
            yield clean_text(redact_code(line), self._limits.traceback_length)

    def _last_lines(self, error: BaseException) -> str:
        lines = [f"{type_name(type(error))}: {self.message(error)}".removesuffix(": ")]
        if isinstance(error, SyntaxError) and type(error.text) is str:
            lines.insert(0, f"    {clean_text(error.text.strip(), self._limits.message_length)}")
        notes = getattr(error, "__notes__", None)
        if type(notes) is list:
            lines += [self._note(note) for note in notes if type(note) is str]
        return "\n".join(lines) + "\n"

    def _note(self, note: str) -> str:
        limit = self._limits.message_length
        return clean_text(self._redactor.redact_text(note[: limit + _MARGIN]), limit)

    def _members(self, group: BaseExceptionGroup[BaseException], level: int) -> Iterator[str]:
        members = group.exceptions
        if level >= _MOST_LEVELS:
            yield f"  ({len(members)} exceptions inside are left out)\n"
            return
        for number, member in enumerate(members[:_MOST_MEMBERS], start=1):
            yield f"  +---- {number} of {len(members)} ----\n"
            text = "".join(self._chain(member, level + 1))
            yield "".join(f"  | {line}\n" for line in text.splitlines())
        if len(members) > _MOST_MEMBERS:
            yield f"  +---- {len(members) - _MOST_MEMBERS} more are left out ----\n"


def _frames_to_show(trace: TracebackType) -> tuple[list[tuple[object, int]], int]:
    """The last frames of the user's code, outermost first, and how many there were before."""
    users: deque[tuple[object, int]] = deque(maxlen=_MOST_FRAMES)
    every: deque[tuple[object, int]] = deque(maxlen=_MOST_FRAMES)
    count = 0
    for frame, line in traceback.walk_tb(trace):
        every.append((frame, line))
        if not frame.f_code.co_filename.startswith(_MACHINERY):
            users.append((frame, line))
            count += 1
    return (list(users), count - len(users)) if users else (list(every), 0)


_CAUSE = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT = "\nDuring handling of the above exception, another exception occurred:\n\n"
_SPEAK_FOR_THEMSELVES = frozenset((str, int, float, bool, bytes, type(None)))
