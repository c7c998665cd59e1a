"""An exception that only passes through our code is the application's: a time limit, mostly."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import opcode
import signal
import sys
import threading
import time
import types
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from django.dispatch import Signal

from signal_inspector import Dispatch, Sink, capture
from signal_inspector.core import internal_errors
from signal_inspector.core.listening import context
from signal_inspector.core.listening.context import current
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.values import Details, Outcome, SendMethod
from signal_inspector.core.wrapper import async_path, connection_log, instrument
from signal_inspector.names import signals as signal_names
from signal_inspector.payload import failures
from tests.listening import listening, unknown_django

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no SIGUSR1")


class Limit(Exception):
    """What the handler of a time limit raises."""


class Sub(Signal):
    """Overrides two of the methods, and goes on to Django's."""

    def send(self, sender: Any, **named: Any) -> Any:
        return super().send(sender, **named)

    def send_robust(self, sender: Any, **named: Any) -> Any:
        return super().send_robust(sender, **named)


placed = Signal()
nested = Signal()
overridden = Sub()


def ring() -> None:
    """Have Python run the handler now."""
    signal.raise_signal(signal.SIGUSR1)


def handler(number: int, frame: types.FrameType | None) -> None:
    raise Limit


@pytest.fixture
def handle() -> Iterator[Callable[[Any], None]]:
    """Sets the handler of SIGUSR1."""
    before = signal.getsignal(signal.SIGUSR1)

    def handle(what: Any) -> None:
        signal.signal(signal.SIGUSR1, what)

    yield handle
    signal.signal(signal.SIGUSR1, before)


class _Object:
    def method(self, number: int, frame: object) -> None:
        raise Limit

    def __call__(self, number: int, frame: object) -> None:
        raise Limit

    @classmethod
    def of_class(cls, number: int, frame: object) -> None:
        raise Limit

    @staticmethod
    def static(*args: object) -> None:
        raise Limit


def _decorated() -> Any:
    @functools.wraps(handler)
    def inner(*args: Any, **kwargs: Any) -> None:
        handler(*args, **kwargs)

    return inner


def _one_shot(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Limit


def _deeper(number: int, frame: object) -> None:
    del frame
    _deepest()


def _deepest() -> None:
    raise Limit


def _with_prefix(prefix: str, number: int, frame: object) -> None:
    raise Limit


def _forgetful(*args: Any) -> None:
    del args
    raise Limit


def _from_another(number: int, frame: object) -> None:
    try:
        raise KeyError("what it looked up")
    except KeyError as error:
        raise Limit from error


HANDLERS = {
    "function": handler,
    "lambda": lambda number, frame: _deepest(),
    "method": _Object().method,
    "instance": _Object(),
    "class method": _Object.of_class,
    "static method": _Object.static,
    "partial": functools.partial(_with_prefix, "x"),
    "partial of a method": functools.partial(_Object().method),
    "decorated": _decorated(),
    "cached": functools.lru_cache(_forgetful),
    "one-shot": _one_shot,
    "deeper": _deeper,
    "any arguments": _forgetful,
    "from another exception": _from_another,
}


@pytest.mark.parametrize("name", HANDLERS)
def test_each_form_of_a_handler_is_known(name: str, handle: Callable[[Any], None]) -> None:
    """Whatever form the handler has: a sink that is interrupted does not swallow it."""

    class Interrupted(Sink):
        def dispatch_finished(self, dispatch: Dispatch) -> None:
            handle(HANDLERS[name])
            ring()

    with listening(Interrupted()), pytest.raises(Limit):
        placed.send(None)
    assert internal_errors.counts() == {}


def test_a_timeout_of_the_system_is_known(handle: Callable[[Any], None]) -> None:
    """Also a built-in exception, TimeoutError say, which an ``except OSError`` of ours catches."""

    def expired(number: int, frame: object) -> None:
        raise TimeoutError

    handle(expired)
    try:
        ring()
    except OSError as error:
        with pytest.raises(TimeoutError):
            internal_errors.let_through(error)


def test_a_failure_of_ours_is_none(handle: Callable[[Any], None]) -> None:
    """What no handler raised is counted, also one that was raised while a limit is handled."""
    handle(handler)
    try:
        ring()
    except Limit:
        try:
            raise ValueError("ours")
        except ValueError as error:
            internal_errors.report("a test", error)
    assert internal_errors.counts() == {"a test": 1}


def test_one_that_a_library_has_turned_into_its_own_is_found(
    handle: Callable[[Any], None],
) -> None:
    """A library makes an error of its own of it: the application gets what its handler raised."""
    handle(handler)

    def library() -> None:
        try:
            ring()
        except Limit:
            raise ValueError("the connection is lost") from None

    try:
        library()
    except ValueError as error:
        with pytest.raises(Limit) as raised:
            internal_errors.report("a test", error)
    assert raised.value.__context__ is None
    assert internal_errors.counts() == {}


def test_a_function_that_is_given_its_callers_frame_is_no_handler() -> None:
    """Without the number of a signal before it, a frame among the arguments means nothing."""

    def look(frame: types.FrameType) -> None:
        raise ValueError

    try:
        look(sys._getframe())
    except ValueError as error:
        internal_errors.report("a test", error)
    assert internal_errors.counts() == {"a test": 1}


# Where it may be raised


class Recording(Observer):
    """Keeps count of what it was told, and rings where it is asked to."""

    def __init__(self, sink: Observing) -> None:
        self.sink = sink
        self.inside: list[int | None] = []
        self.needs_record = sink.needs_record
        sink.observers.append(self)

    def _ring(self, where: str) -> None:
        # Python runs the handler in the main thread alone. An async receiver of a sync send runs
        # in a thread of asgiref's: rung there, it would reach the test wherever that is by then.
        if self.sink.where == where and threading.current_thread() is threading.main_thread():
            ring()

    def started(self, dispatch: Dispatch) -> None:
        super().started(dispatch)
        self._ring("started")

    def entered(self, index: int | None) -> None:
        self.inside.append(index)
        self._ring("entered" if index is not None else "entered the whole")

    def left(self, index: int | None, ended: bool) -> None:
        if index in self.inside:
            self.inside.remove(index)
        self._ring("left" if index is not None else "left the whole")

    def raised(self, index: int, error: BaseException) -> None:
        self._ring("raised")

    def finished(self, error: BaseException | None) -> None:
        self.sink.finished += 1
        self._ring("finished")


class Observing(Sink):
    details = Details.ALL

    def __init__(self, where: str = "", *, needs_record: bool = True) -> None:
        self.where = where
        self.needs_record = needs_record
        self.observers: list[Recording] = []
        self.finished = 0

    def observer_for(
        self, signal: str, sender: str, method: SendMethod, receivers: int | None
    ) -> Observer | None:
        observer = Recording(self)
        if self.where == "asked":
            ring()
        return observer


class Heard(Sink):
    details = Details.ALL

    def __init__(self) -> None:
        self.heard: list[Dispatch] = []

    def dispatch_finished(self, dispatch: Dispatch) -> None:
        self.heard.append(dispatch)


def receive(signal: Any, **named: Any) -> str:
    return "received"


def fail(**named: Any) -> None:
    raise ValueError("the receiver's own")


async def fail_async(**named: Any) -> None:
    raise ValueError("the receiver's own")


async def receive_async(**named: Any) -> str:
    await asyncio.sleep(0)
    return "received"


def send(target: Signal, method: str) -> Any:
    found = getattr(target, method)(None, order={"id": 1})
    return asyncio.run(found) if asyncio.iscoroutine(found) else found


def _until(happened: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if happened():
            return
        time.sleep(0.01)


PLACES = ("asked", "started", "entered", "left", "finished", "raised")


CASES = [
    (where, method, second)
    for where in (*PLACES, "entered the whole", "left the whole")
    # Sync receivers of an async send run in another thread, where no handler does.
    for method, seconds in {
        "send": (receive, fail, receive_async),
        "send_robust": (receive, fail, receive_async),
        "asend": (receive_async, fail_async),
        "asend_robust": (receive_async, fail_async),
    }.items()
    for second in seconds
    if where != "raised" or second in (fail, fail_async)
    if "whole" not in where or second in (receive, fail)  # it is told of sync ones
]


@pytest.mark.parametrize(("where", "method", "second"), CASES)
@pytest.mark.parametrize("target", [placed, overridden], ids=["Signal", "subclass"])
def test_an_observer_that_is_interrupted(
    where: str,
    method: str,
    target: Signal,
    second: Callable[..., Any],
    handle: Callable[[Any], None],
) -> None:
    """It arrives; the other observer was told of the end all the same; nothing stays entered."""
    handle(handler)
    sink, other = Observing(where), Observing()
    first = receive if method.startswith("send") else receive_async
    target.connect(first)
    target.connect(second)
    try:
        with listening(other, sink, Heard()), pytest.raises(Limit):
            send(target, method)
    finally:
        target.disconnect(first)
        target.disconnect(second)
    assert current.get() is None
    assert internal_errors.counts() == {}
    observers = (*sink.observers, *other.observers)
    if second is receive_async and method.startswith("send"):
        # It runs in a thread of asgiref's, which goes on when the sender is interrupted.
        _until(lambda: not any(observer.inside for observer in observers))
    assert [observer.inside for observer in observers] == [[] for _ in observers]
    assert (other.finished, len(other.observers)) == (1, 1)


@pytest.mark.parametrize("loop", ["own", "Django's"])
def test_one_that_meets_our_own_code_beside_a_receiver(
    loop: str, handle: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A robust send does not swallow it, as it is none of the receiver's; nobody is blamed."""
    handle(handler)
    meet = functools.partial(signal.raise_signal, signal.SIGUSR1)  # no frame of its own
    placed.connect(receive)
    try:
        with contextlib.ExitStack() as stack:
            if loop != "own":
                stack.enter_context(unknown_django())
            stack.enter_context(capture())
            monkeypatch.setattr(instrument, "perf_counter_ns", meet)
            monkeypatch.setattr(async_path, "perf_counter_ns", meet)
            with pytest.raises(Limit):
                placed.send_robust(None)
    finally:
        placed.disconnect(receive)
    assert current.get() is None


def test_an_observer_without_a_record(handle: Callable[[Any], None]) -> None:
    """One that only keeps something set: what was set is taken back, and the limit arrives."""
    handle(handler)
    placed.connect(receive)
    try:
        for where in ("entered the whole", "left the whole"):
            other, sink = Observing(needs_record=False), Observing(where, needs_record=False)
            with listening(other, sink), pytest.raises(Limit):
                placed.send(None)
            assert [each.inside for each in (*sink.observers, *other.observers)] == [[], []]
    finally:
        placed.disconnect(receive)


def test_the_record_blames_no_receiver(handle: Callable[[Any], None]) -> None:
    """A limit that is met between two receivers: the first returned, the second did not run."""
    handle(handler)
    sink = Observing("left")
    placed.connect(receive)
    placed.connect(fail)
    try:
        with listening(sink), capture() as dispatches, pytest.raises(Limit):
            placed.send(None)
    finally:
        placed.disconnect(receive)
        placed.disconnect(fail)
    [dispatch] = dispatches
    assert dispatch.outcome is Outcome.RAISED
    assert [call.outcome for call in dispatch.calls] == [Outcome.RETURNED, Outcome.SKIPPED]


def test_the_receiver_has_failed_all_the_same(
    handle: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted while what it raised is put in words: its class is kept."""
    handle(handler)
    monkeypatch.setattr(failures._Teller, "message", lambda *_: ring())
    placed.connect(fail)
    try:
        for method in ("send", "send_robust"):
            with capture() as dispatches, pytest.raises(Limit):
                send(placed, method)
            [call] = dispatches[0].calls
            assert call.outcome is Outcome.RAISED
            assert call.failure is not None
            assert call.failure.exception_class == "ValueError"
    finally:
        placed.disconnect(fail)


# Everywhere

_CHECKED_AFTER = ("RESUME", "CALL", "PRECALL", "JUMP_BACKWARD")


@functools.cache
def _instructions(code: types.CodeType) -> list[tuple[str, bool]]:
    """By place in the code: the instruction, and whether Python looks for signals after it.

    Worked out once, as each is traced many times, and a code asked for its bytes copies them.
    """
    names = [opcode.opname[each] for each in code.co_code]
    return [(name, name.startswith(_CHECKED_AFTER)) for name in names]


class Interrupter:
    """Rings at the n-th place in our code at which Python looks for signals.

    That is where a function begins, after a call and before a loop goes on.
    """

    def __init__(self, number: int) -> None:
        self.left = number
        self.callers: set[int] = set()
        self.where = ""

    def __enter__(self) -> Self:
        gc.disable()  # what it runs by the way, such as the end of a generator, loses exceptions
        sys._getframe().f_trace_opcodes = True  # Python 3.12 looks for one when it sets the trace
        sys.settrace(self.trace)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.settrace(None)
        gc.enable()

    def trace(self, frame: types.FrameType, event: str, _: object) -> Any:
        if frame.f_back is not None:
            self.callers.add(id(frame.f_back))
        module = frame.f_globals.get("__name__", "")
        if (
            not module.startswith("signal_inspector.")
            or module == "signal_inspector.core.internal_errors"
        ):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        was, is_checked_after = "", False
        instructions = _instructions(frame.f_code)

        def local(frame: types.FrameType, event: str, _: object) -> Any:
            nonlocal was, is_checked_after
            if event == "opcode":
                before, is_after = was, is_checked_after
                was, is_checked_after = instructions[frame.f_lasti]
                if id(frame) in self.callers:  # after a call of Python code it looks nowhere
                    self.callers.discard(id(frame))
                elif is_after and was != "PUSH_EXC_INFO" and (before, was) != ("PRECALL", "CALL"):
                    self.count(frame)
            return local

        return local

    def count(self, frame: types.FrameType) -> None:
        self.left -= 1
        if self.left == 0:
            self.where = f"{frame.f_code.co_qualname}:{frame.f_lineno}"
            ring()


def _sends() -> dict[str, Callable[[], Any]]:
    return {
        "send": lambda: send(placed, "send"),
        "robust": lambda: send(placed, "send_robust"),
        "orphan": lambda: send(nested, "send"),
        "override": lambda: send(overridden, "send"),
    }


@pytest.mark.parametrize("fails", [False, True], ids=["returns", "fails"])
@pytest.mark.parametrize("what", _sends())
def test_wherever_it_is_raised_it_arrives(
    what: str, fails: bool, handle: Callable[[Any], None]
) -> None:
    """At each place of our code: the limit reaches the sender, and all is left in order."""
    if what == "orphan" and fails:
        return
    _everywhere(what, fails, handle)


@pytest.mark.parametrize("what", ["send", "robust"])
def test_wherever_on_watched_receivers(
    what: str, handle: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same on a Django whose loop is not known."""

    def is_interrupted(trace: types.TracebackType) -> bool:
        """Here the function that traces lies between our code and the handler."""
        inner = trace.tb_next
        return inner is not None and inner.tb_frame.f_code.co_name == "local"

    monkeypatch.setattr(internal_errors, "is_interrupted", is_interrupted)
    with unknown_django():
        _everywhere(what, True, handle)


def _let_go_of_locks() -> None:
    """Give back what a with block holds that was left here an instruction later than in Python.

    A function that traces rings before the next instruction, which may be one past the block that
    would have given the lock back. Python itself raises at the call, which is in the block.
    """
    for module in (connection_log, context):
        while module._lock._is_owned():  # type: ignore[attr-defined]
            module._lock.release()


def _everywhere(what: str, fails: bool, handle: Callable[[Any], None]) -> None:
    run = _sends()[what]
    with capture():
        run()  # which looks for the signals' names
    lost, number = [], 0
    while True:
        number += 1
        names = (lambda **_: 1, fail if fails else lambda **_: 2)
        for signal_ in (placed, overridden):
            for each in names:
                signal_.connect(each, weak=False, dispatch_uid=str(names.index(each)))
        before = current.get()
        observing, heard = Observing(), Heard()
        handle(handler)
        interrupter = Interrupter(number)
        arrived = False
        with listening(observing, heard), capture() as dispatches:
            inside = current.get()
            try:
                with interrupter:
                    run()
            except Limit:
                arrived = True
            except ValueError:
                pass
            is_restored = current.get() is inside
            current.set(inside)
        _let_go_of_locks()
        for signal_ in (placed, overridden):
            for each in names:
                signal_.disconnect(dispatch_uid=str(names.index(each)))
        assert current.get() is before
        if not interrupter.where:
            break
        problems = [
            word
            for word, is_wrong in {
                "lost": not arrived,
                "context": not is_restored,
                # Where the last function begins that could end it, nothing can.
                "running": not interrupter.where.startswith(("complete:", "outcome_of:"))
                and any(each.outcome is Outcome.RUNNING for each in dispatches),
                "lock": signal_names._lock._is_owned(),  # type: ignore[attr-defined]
                "failed": bool(internal_errors.counts()),
            }.items()
            if is_wrong
        ]
        internal_errors.reset()
        if problems:
            lost.append(f"{interrupter.where}: {', '.join(problems)}")
    assert number > 100
    assert not lost, "\n".join(lost)
