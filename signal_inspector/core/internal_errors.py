"""Failures inside Signal Inspector, and its own work, which other tools need not see.

Failures are logged once per kind, always counted, never raised. What was dropped is counted too.
An exception that only interrupts our code, because a signal handler of the process or another
thread raised it, is not our failure: it propagates.

A room that knows a tool that watches the process adds a way to suppress it. Code that has work to
hide, such as writing to the database in the user's request, uses ``suppress_instrumentation`` and
need not know these tools.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import functools
import inspect
import itertools
import logging
import opcode
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from threading import RLock
from types import (
    BuiltinFunctionType,
    CodeType,
    FrameType,
    FunctionType,
    MethodType,
    NoneType,
    TracebackType,
)
from typing import Any, Final, TypeAlias

logger = logging.getLogger("signal_inspector")

_counts: Counter[str] = Counter()
_drops: Counter[str] = Counter()
_known_failures: set[str] = {"opening a record", "closing a record", "recording an exception"}
_known_drops: set[str] = {"dispatches"}
lock = RLock()

_teller: Callable[[BaseException], str] | None = None

#: Dotted names of the base classes of exceptions that are thrown into a thread with a message.
_TIME_LIMITS: Final = frozenset(
    (
        "billiard.exceptions.SoftTimeLimitExceeded",
        "rq.timeouts.BaseTimeoutException",
        "stopit.utils.TimeoutException",
    )
)

_SIGNALS: Final = tuple(map(int, signal.valid_signals()))
_WITHOUT_CODE: Final = frozenset((int, NoneType, BuiltinFunctionType))
_partial_func = functools.partial.__dict__["func"].__get__

Suppressor: TypeAlias = Callable[[], AbstractContextManager[object]]

_suppressors: list[Suppressor] = []


def report(kind: str, error: BaseException) -> None:
    """Count an internal error; log the first of its kind, with its traceback.

    ``kind`` names the place that failed ("payload", "sink shop.sinks.Audit"), so that a failure
    on every dispatch does not fill the log. Must be called while ``error`` is being handled or
    afterwards. Raises what is not an internal error (see ``interruption``).
    """
    let_through(error)
    note(kind, error)


def note(kind: str, error: BaseException) -> None:
    """Like ``report``, but for any exception, and without raising: for the end of our threads."""
    with lock:
        _counts[kind] += 1
        first = _counts[kind] == 1
    if first:
        logger.error(
            "Signal Inspector failed in %s. The signal was sent as usual. Further failures of "
            "this kind are only counted.\n%s",
            kind,
            _in_words(error),
        )


def _in_words(error: BaseException) -> str:
    """The traceback as text, without secrets; logging it as ``exc_info`` would include them."""
    try:
        if _teller is not None:
            return _teller(error)
    except Exception as problem:
        let_through(problem)
    # Without messages and source lines, which may contain anything.
    frames = traceback.StackSummary.extract(
        traceback.walk_tb(error.__traceback__), lookup_lines=False
    )
    places = [f'  File "{each.filename}", line {each.lineno}, in {each.name}' for each in frames]
    title = "Traceback (most recent call last):"
    return "\n".join([title, *places, type(error).__qualname__])


def tell_by(teller: Callable[[BaseException], str]) -> None:
    """Use this function to describe exceptions in the log."""
    global _teller
    _teller = teller


def tell(kind: str, text: str) -> None:
    """Like ``report``, for a failure that a sentence explains better than a traceback."""
    with lock:
        _counts[kind] += 1
        first = _counts[kind] == 1
    if first:
        logger.error("Signal Inspector: %s", text)


def announce(*, failures: Iterable[str] = (), drops: Iterable[str] = ()) -> None:
    """Show these kinds with a count of 0 before the first one happens, for alerts to compare."""
    with lock:
        _known_failures.update(failures)
        _known_drops.update(drops)


def hold(
    kind: str, error: BaseException, held: BaseException | None = None
) -> BaseException | None:
    """Like ``report``, for code that has more to do: return what to ``resume`` afterwards."""
    passing = interruption(error)
    if passing is None:
        note(kind, error)
        return held
    return passing if held is None else held


def resume(held: BaseException | None) -> None:
    """Raise what was held, if anything."""
    if held is None:
        return
    context = _context(held)
    try:
        raise held
    finally:
        held.__context__ = context  # the context of the first raise, not of this one
        del held, context


def let_through(error: BaseException) -> None:
    """Raise what is not an internal error; each ``except Exception`` calls this or ``report``."""
    resume(interruption(error))


def interruption(error: BaseException) -> BaseException | None:
    """The interruption in an exception that our code caught; None if it is a failure of ours.

    An interruption is what a signal handler of the process raised while our code ran (a time limit
    of Celery or ``signal.alarm``), what another thread threw into this one (RQ's time limit in a
    thread), and everything that is not an ``Exception``. If a library has turned it into an error
    of its own, it is found as the context of that error.
    """
    return arrived(error) if issubclass(type(error), Exception) else error


def arrived(error: BaseException) -> BaseException | None:
    """The part raised by a signal handler or thrown in; None if the code itself raised it all."""
    handlers: set[CodeType] | None = None
    around: set[FrameType] = set()
    passing: BaseException | None = error
    while passing is not None:
        trace = traceback_of(passing)
        if passing is not error and (trace is None or trace.tb_frame not in around):
            return None  # it was being handled before: it is the user's own exception
        if _is_time_limit(type(passing)):
            return passing
        frame: FrameType | None = None
        while trace is not None:
            if handlers is None:
                handlers = set(_handlers())
            if trace.tb_frame.f_code in handlers or _is_given(frame, trace.tb_frame):
                return passing
            if frame is not None:  # not the frame that caught it, which may be handling another
                around.add(trace.tb_frame)
            frame, last = trace.tb_frame, trace.tb_lasti
            trace = trace.tb_next
        if frame is not None and _was_thrown(passing, frame.f_code, last):
            return passing
        passing = _context(passing)
        if passing is error:
            return None
    return None


def _is_time_limit(kind: type) -> bool:
    return any(f"{base.__module__}.{base.__qualname__}" in _TIME_LIMITS for base in kind.__mro__)


def _handlers() -> Iterator[CodeType]:
    """The code of each signal handler of the process that is written in Python."""
    for number in _SIGNALS:  # plain ints, not Enums: this runs for each failure of a receiver
        handler = _signal.getsignal(number)
        if type(handler) not in _WITHOUT_CODE:
            yield from _codes(handler)


def _codes(handler: object) -> Iterator[CodeType]:
    """The code of a callable and of what it wraps, read without running any of it."""
    seen: set[int] = set()
    waiting = [handler]
    while waiting:
        target: Any = waiting.pop()
        if not callable(target) or id(target) in seen:
            continue
        seen.add(id(target))
        if type(target) is FunctionType:
            yield target.__code__
        elif type(target) is MethodType:
            waiting.append(target.__func__)
        elif issubclass(type(target), functools.partial):
            waiting.append(_partial_func(target))
        else:
            waiting.append(inspect.getattr_static(type(target), "__call__", None))
        waiting.append(inspect.getattr_static(target, "__wrapped__", None))


def is_interrupted(trace: TracebackType) -> bool:
    """Whether the next frame of a traceback belongs to a signal handler of the process."""
    inner = trace.tb_next
    if inner is None:
        return False
    return _is_given(trace.tb_frame, inner.tb_frame) or inner.tb_frame.f_code in _handlers()


def met_our_code(error: BaseException) -> bool:
    """Whether a signal handler of the process raised this while a function of ours ran."""
    trace = traceback_of(error)
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__")
        is_ours = isinstance(module, str) and module.startswith("signal_inspector.")
        if is_ours and is_interrupted(trace):
            return True
        trace = trace.tb_next
    return False


def _is_given(outer: FrameType | None, frame: FrameType) -> bool:
    """Whether a frame was given the number of a signal and the frame that it interrupted.

    This also recognizes a former handler, which installed another one before it raised.
    """
    code = frame.f_code
    if outer is None or not code.co_flags & inspect.CO_OPTIMIZED:
        return False
    count = code.co_argcount + bool(code.co_flags & inspect.CO_VARARGS)
    names = code.co_varnames
    if code.co_flags & inspect.CO_VARARGS:  # `*args` comes after the keyword-only arguments
        rest = code.co_argcount + code.co_kwonlyargcount
        names = (*names[: code.co_argcount], names[rest])
    values = frame.f_locals
    given: list[object] = []
    for name in names[:count]:
        value = values.get(name)
        given.extend(value if type(value) is tuple else (value,))
    return any(
        second is outer and isinstance(first, int) for first, second in itertools.pairwise(given)
    )


def _was_thrown(error: BaseException, code: CodeType, position: int) -> bool:
    """Whether another thread threw this in (PyThreadState_SetAsyncExc), and no code raised it."""
    instruction = opcode.opname[code.co_code[position]]
    if instruction in ("RESUME", "JUMP_BACKWARD"):  # these fail in no other way
        return not issubclass(type(error), RecursionError | MemoryError)
    # A call into C raises a builtin exception, or gives arguments; a thrown one has no arguments.
    is_call = instruction.startswith(("CALL", "PRECALL"))
    return is_call and not _args(error) and type(error).__module__ != "builtins"


def _slot(name: str) -> Callable[[BaseException], Any]:
    """A reader of an attribute that Python keeps of an exception, bypassing its class."""
    reader: Callable[[BaseException], Any] = BaseException.__dict__[name].__get__
    return reader


_args = _slot("args")
_context = _slot("__context__")

#: The traceback of an exception, even if its class overrides the attribute.
traceback_of: Final[Callable[[BaseException], TracebackType | None]] = _slot("__traceback__")


def counts() -> dict[str, int]:
    """How often each kind of failure happened in this process."""
    with lock:
        return dict(_counts)


def drop(kind: str, count: int = 1) -> None:
    """Count what was not kept because of a limit: not a failure, but something is missing."""
    with lock:
        _drops[kind] += count


def drops() -> dict[str, int]:
    """How much of each kind was dropped in this process."""
    with lock:
        return dict(_drops)


def known_counts() -> dict[str, int]:
    """Like ``counts``, with the announced kinds that have not happened."""
    with lock:
        return dict.fromkeys(_known_failures, 0) | _counts


def known_drops() -> dict[str, int]:
    """Like ``drops``, with the announced kinds that have not happened."""
    with lock:
        return dict.fromkeys(_known_drops, 0) | _drops


def reset() -> None:
    """Forget all counts, so that the next failure of each kind is logged again (for tests)."""
    with lock:
        _counts.clear()
        _drops.clear()


def add_suppressor(suppressor: Suppressor) -> None:
    """Run our own work within the context manager that this returns. May be added twice."""
    if suppressor not in _suppressors:
        _suppressors.append(suppressor)


def suppress_instrumentation() -> ExitStack:
    """A context in which no known tool watches what is done; for one thread, without await."""
    stack = ExitStack()
    for suppressor in _suppressors:
        try:
            stack.enter_context(suppressor())
        except BaseException as error:
            held = hold("suppressing other instrumentation", error)
            if held is not None:
                stack.close()
                resume(held)
    return stack
