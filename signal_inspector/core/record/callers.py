"""Finds the code that sends: the line that called, and the project's line that led to it."""

from __future__ import annotations

import asyncio
import os
import sys
import sysconfig
import threading
from functools import lru_cache
from pathlib import Path
from sys import _getframe
from types import CodeType, FrameType, FunctionType
from typing import Any, Final

from asgiref.sync import AsyncToSync
from django.dispatch import Signal

import signal_inspector
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import Caller
from signal_inspector.names import IdentityMap
from signal_inspector.names.receivers import innermost
from signal_inspector.names.safe import Place, class_mro, class_namespace

# The kinds of frames.
_OURS: Final = 1  # the machinery of a send or connect, not the code that called it
_PASSED: Final = 2  # Python's own, and code that runs functions that were put off
_INSTALLED: Final = 3  # another package
_PROJECT: Final = 4

#: Modules whose frames are the machinery of a send or connect.
_MACHINERY: Final = (
    "signal_inspector.",
    "django.dispatch.",
    "django.db.models.signals.",  # ModelSignal.connect(), which waits for lazy senders
    "django.apps.registry.",
)
#: Packages and modules that run functions later or elsewhere: event loops, Django's on_commit().
_RUNNERS: Final = frozenset({"anyio", "asgiref", "eventlet", "gevent", "trio", "uvloop"})
_ON_COMMIT: Final = frozenset(
    {"django.db.backends.base.base", "django.db.transaction", "django.test.testcases"}
)

_NOT_OURS: Final = frozenset({"site-packages", "dist-packages"})

_kinds: Final[dict[str, int]] = {}  # by file
_MOST_FILES: Final = 10_000  # limited, because running code may generate files without end
_MOST_FRAMES: Final = 300  # how many frames are searched for one of the project's

#: The code of the methods of a Signal class, without Django's own.
_methods: Final[IdentityMap[frozenset[CodeType]]] = IdentityMap()
_NONE: Final[frozenset[CodeType]] = frozenset()

_caller: Final = tuple.__new__  # what Caller() itself calls

_STDLIB: Final = ("stdlib", "platstdlib")


def calling_place() -> Place | None:
    """The place that called the Signal method that asks, for ``line_at()``; None if unknown."""
    try:
        # Nearly always the right frame; and the only one that Python has to make an object for.
        frame = _getframe(2)
        code = frame.f_code
        if _kinds.get(code.co_filename, _OURS) > _PASSED:
            return code, frame.f_lasti
        sender = _sending_frame()
        return None if sender is None else (sender.f_code, sender.f_lasti)
    except ValueError:  # a thread that only connects
        return None
    except Exception as error:
        internal_errors.report("gathering the caller", error)
        return None


def callers_of(signal: Signal | None) -> tuple[Caller | None, Caller | None]:
    """The line that sends, and the nearest line of the project that led to it.

    They are the same, unless an installed package or a method of the signal's own class sends.
    If the send itself was passed to an event loop, an executor or ``on_commit()``, the line that
    sends is the project's line, if it is on the stack.
    """
    frame = _sending_frame()
    if frame is None:
        return None, None
    caller = _told(frame)
    own = _NONE if signal is None or type(signal) is Signal else _methods_of(type(signal))
    if _kinds.get(caller.path) == _PROJECT and frame.f_code not in own:
        return caller, caller
    project = _project_frame(frame, own)
    return caller, None if project is None else _told(project)


def call_stack(depth: int) -> tuple[Caller, ...]:
    """The innermost ``depth`` frames of the code that is sending, innermost last."""
    frames: list[Caller] = []
    frame = _sending_frame()
    while frame is not None and len(frames) < depth:
        if _kind(frame) != _OURS:
            frames.append(_told(frame))
        frame = frame.f_back
    return tuple(reversed(frames))


def _told(frame: FrameType) -> Caller:
    code = frame.f_code
    return _caller(Caller, (code.co_filename, frame.f_lineno, code.co_qualname))


def _sending_frame() -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)
    kind = 0
    while frame is not None:
        kind = _kinds.get(frame.f_code.co_filename) or _kind(frame)
        if kind != _OURS:
            break
        frame = frame.f_back
    if kind == _PASSED:
        return _project_frame(frame, _NONE) or frame
    return frame


def _project_frame(frame: FrameType | None, own: frozenset[CodeType]) -> FrameType | None:
    """The first frame of the project from this one on outwards; None if there is none."""
    has_crossed = False
    for _ in range(_MOST_FRAMES):
        if frame is None:
            if has_crossed:
                return None
            has_crossed, frame = True, _waiting_frame()
            continue
        if _kind(frame) == _PROJECT and frame.f_code not in own:
            return frame
        frame = frame.f_back
    return None


def _waiting_frame() -> FrameType | None:
    """The frame of the thread that waits in ``async_to_sync()`` for what this thread runs."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    executor = AsyncToSync.loop_thread_executors.get(loop)
    thread = getattr(executor, "_work_thread", None)
    if thread is None or thread is threading.current_thread():
        return None
    return sys._current_frames().get(thread.ident)


def _kind(frame: FrameType) -> int:
    path = frame.f_code.co_filename
    return _kinds.get(path) or _learn(path, frame.f_globals.get("__name__"))


def _learn(path: str, name: object) -> int:
    module = name if type(name) is str else ""
    if f"{module}.".startswith(_MACHINERY):
        kind = _OURS
    elif (
        module in _ON_COMMIT
        or module.partition(".")[0] in _RUNNERS
        or path.startswith("<frozen ")
        or _is_pythons(path)
    ):
        kind = _PASSED
    else:
        kind = _INSTALLED if is_third_party(path) else _PROJECT
    if len(_kinds) < _MOST_FILES:
        _kinds[path] = kind
    return kind


def _methods_of(kind: type[Signal]) -> frozenset[CodeType]:
    """The code of all methods that the signal's class, or a base below Signal, defines."""
    known = _methods.get(kind)
    if known is None:
        found: set[CodeType] = set()
        for base in class_mro(kind):
            if base is Signal or base is object:
                continue
            for value in class_namespace(base).values():
                function: Any = innermost(value)
                if type(function) is FunctionType:
                    found.add(function.__code__)
        known = frozenset(found)
        _methods.set(kind, known)
    return known


def is_third_party(path: str) -> bool:
    """Whether a file does not belong to the project: installed, Python's or Signal Inspector's."""
    return _is_third_party_directory(os.path.dirname(path))  # noqa: PTH120 - quicker, cached


@lru_cache(maxsize=4096)
def _is_third_party_directory(directory: str) -> bool:
    return _is_in_packages(directory) or any(_is_below(directory, root) for root in _installed())


def _is_pythons(path: str) -> bool:
    directory = os.path.dirname(path)  # noqa: PTH120 - as above
    if _is_in_packages(directory):
        return False
    return any(_is_below(directory, sysconfig.get_path(name)) for name in _STDLIB)


def _is_in_packages(directory: str) -> bool:
    return any(not _NOT_OURS.isdisjoint(Path(each).parts) for each in _spellings(directory))


def _is_below(directory: str, root: str) -> bool:
    roots = {root, os.path.realpath(root)}
    return any(
        each == form or each.startswith(form.rstrip(os.sep) + os.sep)
        for each in _spellings(directory)
        for form in roots
    )


def _spellings(directory: str) -> set[str]:
    return {os.path.abspath(directory), os.path.realpath(directory)}  # noqa: PTH100


@lru_cache(maxsize=1)
def _installed() -> frozenset[str]:
    names = (*_STDLIB, "purelib", "platlib", "scripts")
    package = str(Path(signal_inspector.__file__).parent)
    return frozenset({*(sysconfig.get_path(name) for name in names), package})
