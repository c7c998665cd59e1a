"""Find the failures that robust sends swallow, and say which of them a test expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from django.dispatch import Signal

from signal_inspector.core.listening import context
from signal_inspector.core.listening.captures import ObjectCapture, ObjectObserver
from signal_inspector.core.record.dispatch import Dispatch
from signal_inspector.core.record.values import Details
from signal_inspector.core.wrapper.muting import is_receiver
from signal_inspector.display.numbers import often
from signal_inspector.display.text import listing
from signal_inspector.names import receiver_name, signal_name
from signal_inspector.testing import contexts
from signal_inspector.testing.captures import Receiver, SignalOrName, find_signal
from signal_inspector.testing.contexts import TestContext
from signal_inspector.testing.faults import real, was_injected
from signal_inspector.testing.mutes import check_receivers

__unittest = True

Exceptions = type[Exception] | tuple[type[Exception], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Swallowed:
    """An exception that a robust send returned to the sender instead of raising it."""

    dispatch: Dispatch
    signal: Signal
    receiver: Any
    error: Exception


class SwallowCapture(ObjectCapture):
    """Hears of every failure that a robust send swallows, in the whole process."""

    __slots__ = ("_asked", "_note")

    def __init__(self, note: Callable[[Swallowed], None], asked: Signal | None = None) -> None:
        super().__init__(Details.CALLER)
        self._note = note
        self._asked = asked

    def asks_for(self, signal: Signal) -> bool:
        return signal is self._asked

    def open(self) -> None:
        """Start listening."""
        contexts.acquire_wrapper()
        context.open_capture(self)
        context.capture_everywhere(self)

    def close(self) -> None:
        """Stop listening."""
        context.close_capture(self)
        contexts.release_wrapper()

    def observer_for(
        self,
        signal: Signal,
        sender: Any,  # noqa: ARG002
        named: Mapping[str, Any],  # noqa: ARG002
        receivers: Sequence[Any],
    ) -> ObjectObserver | None:
        return _SwallowObserver(self._note, signal, receivers)


class _SwallowObserver(ObjectObserver):
    """Notes the failures of one dispatch if it is a robust send, which swallows them."""

    def __init__(
        self, note: Callable[[Swallowed], None], signal: Signal, receivers: Sequence[Any]
    ) -> None:
        self._note = note
        self._signal = signal
        self._receivers = receivers

    def called(self, receivers: Sequence[Any]) -> None:
        self._receivers = receivers

    def raised(self, index: int, error: BaseException) -> None:
        dispatch, receivers = self.dispatch, self._receivers
        if not dispatch.method.is_robust or not isinstance(error, Exception):
            return
        receiver = real(receivers[index]) if index < len(receivers) else None
        self._note(
            Swallowed(dispatch=dispatch, signal=self._signal, receiver=receiver, error=error)
        )


class Expectation:
    """Which failures are expected; what is not given may be anything."""

    def __init__(
        self,
        exceptions: Exceptions = Exception,
        receiver: Receiver | None = None,
        signal: SignalOrName | None = None,
    ) -> None:
        if receiver is not None:
            check_receivers((receiver,), "What is expected to be swallowed")
        self.exceptions = exceptions
        self.receiver = receiver
        self.signal = None if signal is None else find_signal(signal)

    def covers(self, swallowed: Swallowed) -> bool:
        """Whether this failure is expected."""
        if self.signal is not None and swallowed.signal is not self.signal:
            return False
        if self.receiver is not None and not is_receiver(self.receiver, swallowed.receiver):
            return False
        return isinstance(swallowed.error, self.exceptions)

    def __str__(self) -> str:
        kinds = self.exceptions if isinstance(self.exceptions, tuple) else (self.exceptions,)
        parts = [listing((kind.__qualname__ for kind in kinds), joint="or")]
        if self.receiver is not None:
            parts.append(f"raised by {receiver_name(self.receiver).name}")
        if self.signal is not None:
            parts.append(f"under {signal_name(self.signal)}")
        return " ".join(parts)


#: The expectations that are in force now.
_expected: list[Expectation] = []


def expect(expectation: Expectation) -> None:
    """Make failures of this kind count as expected."""
    _expected.append(expectation)


def expect_no_longer(expectation: Expectation) -> None:
    """Undo ``expect``."""
    _expected[:] = [each for each in _expected if each is not expectation]


#: The failures that tests have asserted, while a run is watched; None otherwise.
asserted: list[BaseException] | None = None


def forgive(error: BaseException) -> None:
    """Make a failure count as expected, because a test has asserted it."""
    if asserted is not None:
        asserted.append(error)


def watch(*, on: bool) -> None:
    """Start or stop remembering the failures that tests assert; starting again forgets them."""
    global asserted
    asserted = [] if on else None


def was_asserted(error: BaseException) -> bool:
    """Whether a test has asserted this failure."""
    return asserted is not None and any(each is error for each in asserted)


def is_expected(swallowed: Swallowed) -> bool:
    """Whether a test expects this failure or has injected it."""
    return was_injected(swallowed.error) or any(each.covers(swallowed) for each in _expected)


class expect_swallowed(TestContext[list[Exception]]):  # noqa: N801 - reads as a statement
    """Expect that a robust send swallows a failure: ``with expect_swallowed(KeyError): ...``

    ``receiver`` and ``signal`` narrow down which failures are expected. Gives a list, to which
    each expected exception is added when it is swallowed. Raises AssertionError on exit if the
    list is empty, or if it does not have ``times`` exceptions. ``--fail-on-swallowed`` accepts
    these failures. Covers all threads and tasks of the process; also works as a decorator.
    """

    def __init__(
        self,
        exceptions: Exceptions = Exception,
        *,
        receiver: Receiver | None = None,
        signal: SignalOrName | None = None,
        times: int | None = None,
    ) -> None:
        self._expectation = Expectation(exceptions, receiver, signal)
        self._times = times
        self._entered: list[tuple[SwallowCapture, list[Exception], list[str]]] = []

    def __enter__(self) -> list[Exception]:
        found: list[Exception] = []
        others: list[str] = []

        def note(swallowed: Swallowed) -> None:
            if self._expectation.covers(swallowed):
                found.append(swallowed.error)
            else:
                kind = type(swallowed.error).__qualname__
                others.append(f"{kind} under {swallowed.dispatch.signal}")

        object_capture = SwallowCapture(note, self._expectation.signal)
        self._entered.append((object_capture, found, others))
        expect(self._expectation)
        object_capture.open()
        return found

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        object_capture, found, others = self._entered.pop()
        object_capture.close()
        expect_no_longer(self._expectation)
        if exc is not None:
            return
        if not found:
            instead = f" Instead: {', '.join(others)}." if others else ""
            raise AssertionError(
                f"Expected {self._expectation} to be swallowed; it was not.{instead}"
            )
        if self._times is not None and len(found) != self._times:
            raise AssertionError(
                f"Expected {self._expectation} to be swallowed {often(self._times)}; it was "
                f"swallowed {often(len(found))}."
            )

    def _again(self) -> expect_swallowed:
        again = super()._again()
        again._entered = []
        return again
