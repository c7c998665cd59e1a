"""The dispatches of a test, with the objects that were sent.

``capture_dispatches`` for a block or a function, ``DispatchesMixin`` for each test of a class; the
list that they give has the assertions.
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

#: What assertions tell in words. Payloads and responses are at hand themselves.
_DETAILS: Final = Details.CALLER | Details.TRACEBACK | Details.STATEMENTS | Details.NOT_CALLED

D = TypeVar("D", bound=Callable[..., Any])


#: The captures that the code of this context runs in.
_inside: ContextVar[tuple[Capture, ...]] = ContextVar("signal_inspector_captures", default=())


class CapturedDispatches(list[CapturedDispatch], Assertions):
    """The dispatches of a capture in the order they started, and assertions about them."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__()
        self._wanted = wanted
        #: What was sent in threads that do not belong to the capture: signals by their ids, and
        #: how often in which thread.
        self._elsewhere: dict[int, tuple[Signal, Counter[str]]] = {}

    def also(self, *signals: SignalOrName) -> None:
        """Capture these signals too from now on, though settings leave them out."""
        self._wanted.add(signals)

    def of(self, *signals: SignalOrName) -> list[CapturedDispatch]:
        """The dispatches of these signals; of all where none is named."""
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
                f"{signal_name(found)} is not captured here, so nothing can be said of it. Name "
                "it to capture_dispatches(), or to also() of what that gives."
            )
        return found

    def check_heard(self, receiver: Receiver) -> None:
        """ValueError if the receiver is connected, but to nothing that is captured here."""
        __tracebackhide__ = True
        if any(is_connected(receiver, [sent.signal]) for sent in self):
            return  # without a look at all modules, which takes a few dozen milliseconds
        heard = [
            signal for signal in loaded_signals().values() if is_connected(receiver, [signal])
        ]
        if heard and not any(self._wanted.covers(signal) for signal in heard):
            names = listing(sorted(signal_name(signal) for signal in heard))
            raise ValueError(
                f"{receiver_name(receiver).name} is connected to {names}, which is not captured "
                "here, so nothing can be said of it."
            )

    def note_elsewhere(self, signal: Signal) -> None:
        """Count a dispatch of the current thread, which does not belong to the capture."""
        _, threads = self._elsewhere.setdefault(id(signal), (signal, Counter()))
        threads[current_thread().name] += 1

    def sent_elsewhere(
        self, signal: SignalOrName | None = None, receiver: Receiver | None = None
    ) -> list[str]:
        """What was sent in threads that are not captured, a line for each signal and thread.

        ``signal`` limits it to one, ``receiver`` to those that it is connected to.
        """
        asked = None if signal is None else self.named(signal)
        return [
            f"{signal_name(sent)} was sent {often(count)} in the thread {thread}, which is not "
            "captured. With threads=True all threads are."
            for sent, threads in list(self._elsewhere.values())
            if (asked is None or sent is asked)
            and (receiver is None or is_connected(receiver, [sent]))
            for thread, count in sorted(threads.items())
        ]

    def clear(self) -> None:
        """Let go of everything."""
        super().clear()
        self._elsewhere.clear()

    def mark(self) -> tuple[int, dict[int, Counter[str]]]:
        """How much there is now, for ``since``."""
        elsewhere = {key: Counter(each) for key, (_, each) in list(self._elsewhere.items())}
        return len(self), elsewhere

    def since(self, mark: tuple[int, dict[int, Counter[str]]]) -> CapturedDispatches:
        """What has come since the mark, with the assertions about it."""
        start, before = mark
        part = CapturedDispatches(self._wanted)
        part.extend(self[start:])
        for key, (signal, threads) in list(self._elsewhere.items()):
            part._elsewhere[key] = signal, threads - before.get(key, Counter())
        return part

    def _asserted(self) -> CapturedDispatches:
        return self


class Capture(ObjectCapture):
    """What one ``capture_dispatches`` hears; it holds nothing once it is closed.

    It listens to the whole process and takes what belongs to it: a test may run in a context
    that was made before its fixtures were set up.
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
        """Have the context of the code that calls belong to the capture."""
        _inside.set((*_inside.get(), self))
        context.open_capture(self)

    def enter_context_of(self, test: object) -> None:
        """Have the context belong too that unittest has made for the coroutines of a test."""
        own = getattr(test, "_asyncioTestContext", None)  # of IsolatedAsyncioTestCase
        if isinstance(own, Context):
            own.run(self.enter_context)

    def close(self) -> None:
        """Capture no more, and let go of everything."""
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
        """Whether what the current code sends belongs to the capture."""
        return self._everything or self in _inside.get() or get_ident() == self._thread


class _CapturingObserver(ObjectObserver):
    """Notes one dispatch for a capture."""

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

    Gives the dispatches in the order they started, with the objects themselves, and the
    assertions about them, which can be made inside and afterwards. Whoever holds the list holds
    the objects: let go of it with the test.

    Without ``signals``, all that ``INCLUDE`` and ``EXCLUDE`` let through are captured. With
    ``signals`` (objects, dotted names or globs) only those, and whatever settings say; ``also``
    adds signals to the others, such as ``post_save``. What other threads send belongs to the
    capture if asgiref started them; with ``threads=True`` everything does.

    A decorated function gets it as the argument ``dispatches``; of a decorated class, each test
    has it as ``self.dispatches``, from its set-up on. Where the wrapper is not installed, it is
    for that while.
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
            "gives to what it decorates."
        )


def _without_dispatches(decorated: D) -> D:
    """Hide the argument: pytest would look for a fixture of this name, and open another one."""
    signature = inspect.signature(decorated)
    left = [each for name, each in signature.parameters.items() if name != "dispatches"]
    decorated.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    return decorated


class DispatchesMixin(Assertions, unittest.TestCase):
    """For test classes of Django or ``unittest``: ``self.dispatches`` and its assertions.

    What is sent from ``setUp`` to the last clean-up belongs to a test. Its list is emptied
    afterwards: test runners keep test cases, and with them would keep what was sent.
    """

    #: Capture these signals alone, whatever settings say; empty for all that are inspected.
    captured_signals: ClassVar[Sequence[SignalOrName]] = ()
    #: Capture these too.
    captured_also: ClassVar[Sequence[SignalOrName]] = ()
    #: Whether what all threads send belongs to a test; None: if it has a live server.
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
