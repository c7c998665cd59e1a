"""Capture the dispatches of a test, with the objects that were sent.

``capture_dispatches`` is for a block, a function or a class, ``DispatchesMixin`` for each test of
a class. Both give a list of dispatches that has the assertions as methods.
"""

from __future__ import annotations

import inspect
import unittest
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context, ContextVar
from threading import current_thread, get_ident
from types import TracebackType
from typing import Any, ClassVar, Final, TypeVar

from django.dispatch import Signal
from django.test import LiveServerTestCase

from signal_inspector.core.listening import context
from signal_inspector.core.listening.captures import ObjectCapture, ObjectObserver
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Details
from signal_inspector.core.wrapper import muting
from signal_inspector.display.numbers import often
from signal_inspector.display.text import listing
from signal_inspector.names import loaded_signals, receiver_name, signal_name
from signal_inspector.testing import contexts
from signal_inspector.testing.assertions import Assertions
from signal_inspector.testing.captures import (
    CapturedDispatch,
    Receiver,
    SignalOrName,
    Wanted,
    find_signal,
    is_connected,
)
from signal_inspector.testing.contexts import TestContext
from signal_inspector.testing.faults import real

__unittest = True

#: What the messages of assertions need. Payloads and responses are available as objects.
_DETAILS: Final = Details.CALLER | Details.TRACEBACK | Details.STATEMENTS | Details.NOT_CALLED

D = TypeVar("D", bound=Callable[..., Any])


#: The captures that the code of this context runs in.
_inside: ContextVar[tuple[Capture, ...]] = ContextVar("signal_inspector_captures", default=())


class CapturedDispatches(list[CapturedDispatch], Assertions):
    """The dispatches of a capture, in the order they started, and assertions about them."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self._wanted = wanted
        #: What was sent in threads that do not belong to the capture: by the id of the signal,
        #: the signal and how often each thread sent it.
        self._elsewhere: dict[int, tuple[Signal, Counter[str]]] = {}

    def also(self, *signals: SignalOrName) -> None:
        """Capture these signals too from now on, even if settings leave them out."""
        self._wanted.add(signals)

    def of(self, *signals: SignalOrName) -> list[CapturedDispatch]:
        """The dispatches of these signals, or of all signals if none is given."""
        if not signals:
            return list(self)
        chosen = [self.named(signal) for signal in signals]
        return [sent for sent in self if any(sent.signal is signal for signal in chosen)]

    def named(self, signal: SignalOrName) -> Signal:
        """The signal of this name; ValueError if it is not captured here."""
        __tracebackhide__ = True
        found = find_signal(signal)
        if not self._wanted.covers(found):
            raise ValueError(
                f"{signal_name(found)} is not captured here, so nothing is known about it. Pass "
                "it to capture_dispatches(), or to also() of its result."
            )
        return found

    def check_heard(self, receiver: Receiver) -> None:
        """Raise ValueError if the receiver is connected, but only to signals not captured here."""
        __tracebackhide__ = True
        if any(is_connected(receiver, [sent.signal]) for sent in self):
            return  # saves a search of all modules, which takes a few dozen milliseconds
        heard = [
            signal for signal in loaded_signals().values() if is_connected(receiver, [signal])
        ]
        if heard and not any(self._wanted.covers(signal) for signal in heard):
            names = listing(sorted(signal_name(signal) for signal in heard))
            raise ValueError(
                f"{receiver_name(receiver).name} is connected to {names}, which is not captured "
                "here, so nothing is known about it."
            )

    def note_elsewhere(self, signal: Signal) -> None:
        """Count a dispatch in the current thread, which does not belong to the capture."""
        _, threads = self._elsewhere.setdefault(id(signal), (signal, Counter()))
        threads[current_thread().name] += 1

    def sent_elsewhere(
        self, signal: SignalOrName | None = None, receiver: Receiver | None = None
    ) -> list[str]:
        """What was sent in threads that are not captured, a line for each signal and thread.

        ``signal`` limits the lines to one signal, ``receiver`` to the signals that this receiver
        is connected to.
        """
        asked = None if signal is None else self.named(signal)
        return [
            f"{signal_name(sent)} was sent {often(count)} in the thread {thread}, which is not "
            "captured. Use threads=True to capture all threads."
            for sent, threads in list(self._elsewhere.values())
            if (asked is None or sent is asked)
            and (receiver is None or is_connected(receiver, [sent]))
            for thread, count in sorted(threads.items())
        ]

    def clear(self) -> None:
        """Release all dispatches and their objects."""
        super().clear()
        self._elsewhere.clear()

    def mark(self) -> tuple[int, dict[int, Counter[str]]]:
        """The current position in the list, for ``since``."""
        elsewhere = {key: Counter(each) for key, (_, each) in list(self._elsewhere.items())}
        return len(self), elsewhere

    def since(self, mark: tuple[int, dict[int, Counter[str]]]) -> CapturedDispatches:
        """The dispatches captured since the mark, with the assertions about them."""
        start, before = mark
        part = CapturedDispatches(self._wanted)
        part.extend(self[start:])
        for key, (signal, threads) in list(self._elsewhere.items()):
            part._elsewhere[key] = signal, threads - before.get(key, Counter())
        return part

    def _asserted(self) -> CapturedDispatches:
        return self


class Capture(ObjectCapture):
    """The capture behind one ``capture_dispatches``; it holds nothing once it is closed.

    It listens to the whole process and keeps the dispatches that belong to it, because a test may
    run in a context that was made before its fixtures were set up.
    """

    __slots__ = ("_everything", "_thread", "captured", "wanted")

    def __init__(self, wanted: Wanted, *, everything: bool) -> None:
        super().__init__(_DETAILS)
        self.wanted = wanted
        self._everything = everything
        self._thread = get_ident()
        self.captured: CapturedDispatches | None = None

    def open(self) -> CapturedDispatches:
        """Capture from now on."""
        contexts.acquire_wrapper()
        self.captured = captured = CapturedDispatches(self.wanted)
        self.enter_context()
        context.capture_everywhere(self)
        return captured

    def enter_context(self) -> None:
        """Make the current context belong to the capture."""
        _inside.set((*_inside.get(), self))
        context.open_capture(self)

    def enter_context_of(self, test: object) -> None:
        """Also include the context that unittest has made for the coroutines of a test."""
        own = getattr(test, "_asyncioTestContext", None)  # of IsolatedAsyncioTestCase
        if isinstance(own, Context):
            own.run(self.enter_context)

    def close(self) -> None:
        """Stop capturing, and release everything."""
        context.close_capture(self)
        _inside.set(tuple(each for each in _inside.get() if each is not self))
        self.captured = None
        contexts.release_wrapper()

    def asks_for(self, signal: Signal) -> bool:
        return self.wanted.asks_for(signal)

    def observer_for(
        self, signal: Signal, sender: Any, named: Mapping[str, Any], receivers: Sequence[Any]
    ) -> ObjectObserver | None:
        if self.captured is None or not self.wanted.covers(signal):
            return None
        return _CapturingObserver(self, signal, sender, named, receivers)

    def belongs(self) -> bool:
        """Whether a dispatch that is sent here and now belongs to the capture."""
        return self._everything or self in _inside.get() or get_ident() == self._thread


class _CapturingObserver(ObjectObserver):
    """Adds one dispatch, with its objects, to a capture."""

    def __init__(
        self,
        capture: Capture,
        signal: Signal,
        sender: Any,
        named: Mapping[str, Any],
        receivers: Sequence[Any],
    ) -> None:
        self._capture = capture
        self._what = signal, sender, named
        self._receivers = receivers
        self._sent: CapturedDispatch | None = None

    def started(self, dispatch: Dispatch) -> None:
        captured, (signal, sender, named) = self._capture.captured, self._what
        if captured is None:
            return
        if not self._capture.belongs():
            captured.note_elsewhere(signal)
            return
        self._sent = sent = CapturedDispatch(dispatch, signal, sender, dict(named))
        sent.muted = muting.muted_receivers(signal)
        sent.note_receivers([real(receiver) for receiver in self._receivers])
        captured.append(sent)

    def called(self, receivers: Sequence[Any]) -> None:
        if self._sent is not None:
            self._sent.note_receivers([real(receiver) for receiver in receivers])

    def returned(self, index: int, response: Any) -> None:
        if self._sent is not None:
            self._sent.note_response(index, response)

    def raised(self, index: int, error: BaseException) -> None:
        if self._sent is not None:
            self._sent.note_exception(index, error)

    def withdrawn(self) -> None:
        captured, sent = self._capture.captured, self._sent
        if sent is not None and captured is not None:
            captured[:] = [each for each in captured if each is not sent]


class capture_dispatches(TestContext[CapturedDispatches]):  # noqa: N801 - reads as a statement
    """Capture what is sent: ``with capture_dispatches() as dispatches: ...``

    Gives a list of the dispatches in the order in which they started, with the objects that were
    sent. The list has the assertions, which can be made inside the block and after it. The list
    keeps the objects alive, so do not keep it beyond the test.

    Without ``signals``, all signals are captured that ``INCLUDE`` and ``EXCLUDE`` let through.
    With ``signals`` (objects, dotted names or globs), only these are captured, regardless of
    settings. ``also`` adds signals that settings leave out, such as ``post_save``. Dispatches in
    other threads are captured if asgiref started the thread; with ``threads=True`` all are.

    A decorated function receives the list as the argument ``dispatches``; in a decorated class,
    each test has it as ``self.dispatches``, from its set-up on. If the wrapper is not installed,
    it is installed for the duration of the capture.
    """

    covers_set_up = True

    def __init__(
        self,
        *signals: SignalOrName,
        also: Iterable[SignalOrName] = (),
        threads: bool = False,
    ) -> None:
        self._signals = signals
        self._also = tuple(also)
        self._threads = threads
        self._open: list[Capture] = []

    def __enter__(self) -> CapturedDispatches:
        capture = Capture(Wanted(self._signals, self._also), everything=self._threads)
        self._open.append(capture)
        return capture.open()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.pop().close()

    def __call__(self, decorated: D) -> D:
        if inspect.isfunction(decorated) and not self.is_of_class:
            _check_takes_dispatches(decorated)
            return _without_dispatches(super().__call__(decorated))
        return super().__call__(decorated)

    def give(
        self, entered: CapturedDispatches, arguments: dict[str, Any], args: tuple[Any, ...]
    ) -> None:
        if self.is_of_class:
            args[0].dispatches = entered
            self._open[-1].enter_context_of(args[0])
        else:
            arguments["dispatches"] = entered

    def _again(self) -> capture_dispatches:
        again = super()._again()
        again._open = []
        return again


def _check_takes_dispatches(function: Callable[..., Any]) -> None:
    kinds = {each.name: each.kind for each in inspect.signature(function).parameters.values()}
    if "dispatches" not in kinds and inspect.Parameter.VAR_KEYWORD not in kinds.values():
        raise TypeError(
            f"{function.__qualname__} has no argument `dispatches`, which capture_dispatches() "
            "passes to the function that it decorates."
        )


def _without_dispatches(decorated: D) -> D:
    """Hide the argument, or pytest would use the fixture of this name, which opens a capture."""
    signature = inspect.signature(decorated)
    left = [each for name, each in signature.parameters.items() if name != "dispatches"]
    decorated.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    return decorated


class DispatchesMixin(Assertions, unittest.TestCase):
    """For test classes of Django or ``unittest``: ``self.dispatches`` and its assertions.

    Each test captures what is sent from its ``setUp`` to its last clean-up. The list is emptied
    afterwards, because test runners keep the test cases and would keep what was sent with them.
    """

    #: Capture only these signals, regardless of settings; if empty, all that settings let through.
    captured_signals: ClassVar[Sequence[SignalOrName]] = ()
    #: Capture these signals too.
    captured_also: ClassVar[Sequence[SignalOrName]] = ()
    #: Whether to capture what all threads send; None means only if the test has a live server.
    captured_threads: ClassVar[bool | None] = None

    dispatches: CapturedDispatches

    def run(self, result: unittest.TestResult | None = None) -> unittest.TestResult | None:
        with self._capturing():
            return super().run(result)

    def debug(self) -> None:
        with self._capturing():
            super().debug()

    @contextmanager
    def _capturing(self) -> Iterator[None]:
        everything = self.captured_threads
        if everything is None:
            everything = isinstance(self, LiveServerTestCase)
        capture = Capture(Wanted(self.captured_signals, self.captured_also), everything=everything)
        self.dispatches = dispatches = capture.open()
        try:
            capture.enter_context_of(self)
            yield
        finally:
            capture.close()
            dispatches.clear()

    def _asserted(self) -> CapturedDispatches:
        return self.dispatches
