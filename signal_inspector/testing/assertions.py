"""Assertions about captured dispatches; their messages show what was sent instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from unittest.mock import ANY

from signal_inspector.core.record.values import SendMethod
from signal_inspector.core.wrapper.muting import is_receiver
from signal_inspector.display.numbers import dispatch_count, often, plural
from signal_inspector.display.text import exception_line, listing, place
from signal_inspector.names import receiver_name
from signal_inspector.testing import messages, swallowed
from signal_inspector.testing.captures import (
    CapturedCall,
    CapturedDispatch,
    Receiver,
    SignalOrName,
)
from signal_inspector.testing.messages import (
    Pattern,
    dispatch_lines,
    first_missing,
    first_out_of_place,
    indented,
    instead,
    list_of,
    sending,
    statements,
)
from signal_inspector.testing.mutes import check_receivers

if TYPE_CHECKING:
    from signal_inspector.testing.capturing import CapturedDispatches


__unittest = True  # unittest leaves our frames out of the traceback of a failure

E = TypeVar("E", bound=BaseException)


class Assertions:
    """Assertions about captured dispatches.

    An assertion about a signal that is not captured raises ValueError, as it would prove nothing.
    """

    def _asserted(self) -> CapturedDispatches:
        raise NotImplementedError

    def assert_sent(
        self,
        signal: SignalOrName,
        *,
        sender: Any = ANY,
        times: int | None = None,
        payload: Mapping[str, Any] | None = None,
        method: SendMethod | str | None = None,
    ) -> CapturedDispatch:
        """Assert that a signal was sent: at least once, or exactly ``times`` times.

        ``payload`` holds some of the arguments, which are compared with ``==``; its values may
        be ``mock.ANY`` or ``where(...)``. Returns the first dispatch that matches.
        """
        __tracebackhide__ = True
        if times is not None and times < 1:
            raise ValueError("To assert that nothing was sent, use assert_not_sent().")
        sent_here = self._asserted()
        sent_here.named(signal)
        pattern = sending(signal, sender=sender, payload=payload, method=method)
        found = [sent for sent in sent_here if pattern.matches(sent)]
        if not found:
            elsewhere = sent_here.sent_elsewhere(signal)
            raise _failure(
                f"Expected {pattern} to be sent; it was not sent.",
                [*elsewhere, *instead(sent_here, pattern)],
            )
        if times is not None and len(found) != times:
            title = (
                f"Expected {pattern} to be sent {often(times)}; it was sent {often(len(found))}:"
            )
            raise _failure(title, [*sent_here.sent_elsewhere(signal), *list_of(found)])
        return found[0]

    def assert_not_sent(
        self,
        signal: SignalOrName,
        *,
        sender: Any = ANY,
        payload: Mapping[str, Any] | None = None,
        method: SendMethod | str | None = None,
    ) -> None:
        """Assert that no such dispatch was sent; takes the same arguments as ``assert_sent``.

        Also fails if the signal was sent in a thread that is not captured, as the details of
        those dispatches are unknown.
        """
        __tracebackhide__ = True
        sent_here = self._asserted()
        sent_here.named(signal)
        pattern = sending(signal, sender=sender, payload=payload, method=method)
        found = [sent for sent in sent_here if pattern.matches(sent)]
        if found:
            title = f"Expected {pattern} not to be sent; it was sent {often(len(found))}:"
            raise _failure(title, list_of(found))
        elsewhere = sent_here.sent_elsewhere(signal)
        if elsewhere:
            raise _failure(f"Expected {pattern} not to be sent:", elsewhere)

    def assert_nothing_sent(self) -> None:
        """Assert that no dispatch was captured at all, and that no other thread sent one."""
        __tracebackhide__ = True
        found = self._asserted()
        if found:
            verb = "was" if len(found) == 1 else "were"
            title = f"Expected nothing to be sent; {dispatch_count(len(found))} {verb} sent:"
            raise _failure(title, list_of(found))
        elsewhere = found.sent_elsewhere()
        if elsewhere:
            raise _failure("Expected nothing to be sent:", elsewhere)

    def assert_sent_in_order(
        self, patterns: Iterable[SignalOrName | Pattern], *, exact: bool = False
    ) -> None:
        """Assert that these dispatches were sent in this order, going by when each one started.

        A pattern is a signal, its dotted name, or the result of ``sending(...)``. Other dispatches
        may come before, between and after them, unless ``exact=True`` forbids any others.
        """
        __tracebackhide__ = True
        asked = [each if isinstance(each, Pattern) else sending(each) for each in patterns]
        found = self._asserted()
        for pattern in asked:
            found.named(pattern.signal)
        missing = first_out_of_place(asked, found) if exact else first_missing(asked, found)
        if missing is None:
            return
        which, why = missing
        lines = [f"{number}. {pattern}" for number, pattern in enumerate(asked, 1)]
        if which < len(asked):
            lines[which] += f"   <-- {why}"
        else:
            lines.append(why)
        title = (
            "Expected these to be sent in this order, and nothing else:"
            if exact
            else "Expected these to be sent in this order:"
        )
        told = [*list_of(found), *found.sent_elsewhere()]
        raise _failure("\n".join([title, indented(lines), "What was sent:"]), told)

    def assert_received(
        self,
        receiver: Receiver,
        *,
        signal: SignalOrName | None = None,
        sender: Any = ANY,
        times: int | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> CapturedCall:
        """Assert that a receiver was called, whether or not it raised.

        The other arguments are those of ``assert_sent``. If the assertion fails, its message says
        why the receiver was not called. Returns the receiver's first matching call.
        """
        __tracebackhide__ = True
        if times is not None and times < 1:
            raise ValueError("To assert that it was not called, use assert_not_received().")
        found, others = _received(self._asserted(), receiver, signal, sender, payload)
        name = receiver_name(receiver).name
        if not found:
            raise self._not_called(receiver, signal, others)
        if times is not None and len(found) != times:
            title = (
                f"Expected {name} to be called {often(times)}; it was called {often(len(found))}."
            )
            raise _failure(title, list_of(sent for sent, _ in found))
        return found[0][1]

    def assert_not_received(
        self,
        receiver: Receiver,
        *,
        signal: SignalOrName | None = None,
        sender: Any = ANY,
        payload: Mapping[str, Any] | None = None,
    ) -> None:
        """Assert that a receiver was not called, or not with these arguments.

        Also fails if a thread that is not captured sent a signal the receiver is connected to.
        """
        __tracebackhide__ = True
        found, _ = _received(self._asserted(), receiver, signal, sender, payload)
        name = receiver_name(receiver).name
        if found:
            title = f"Expected {name} not to be called; it was called {often(len(found))}."
            raise _failure(title, list_of(sent for sent, _ in found))
        elsewhere = self._asserted().sent_elsewhere(signal, receiver)
        if elsewhere:
            raise _failure(f"Expected {name} not to be called:", elsewhere)

    def assert_no_failures(self, *signals: SignalOrName) -> None:
        """Assert that no receiver of these signals (or of any) raised, in any send method."""
        __tracebackhide__ = True
        failed = [(sent, call) for sent in self._asserted().of(*signals) for call in sent.failures]
        if not failed:
            return
        lines = []
        for number, (sent, call) in enumerate(failed, 1):
            lines += [f"{number}. {call.name}, of {sent.name} by {sent.method.value}()"]
            failure = call.record.failure
            if failure is not None:
                text = failure.traceback or exception_line(
                    failure.exception_class, failure.message
                )
                lines.append(indented([text.rstrip()], 3))
        raise _failure(f"{plural(len(failed), 'receiver')} raised:", lines)

    def assert_failed(
        self,
        receiver: Receiver,
        exception: type[E] | tuple[type[E], ...] = Exception,  # type: ignore[assignment]
        *,
        signal: SignalOrName | None = None,
    ) -> E:
        """Assert that a receiver raised such an exception, and return the first one.

        ``--fail-on-swallowed`` accepts a failure that is asserted.
        """
        __tracebackhide__ = True
        found, others = _received(self._asserted(), receiver, signal, ANY, None)
        for _, call in found:
            if isinstance(call.exception, exception):
                swallowed.forgive(call.exception)
                return call.exception
        name = receiver_name(receiver).name
        if not found:
            raise self._not_called(receiver, signal, others)
        wanted = exception if isinstance(exception, tuple) else (exception,)
        classes = listing((each.__qualname__ for each in wanted), joint="or")
        title = f"Expected {name} to raise {classes}; it did not."
        raise _failure(title, list_of(sent for sent, _ in found))

    def expect(
        self,
        signal: SignalOrName,
        *,
        sender: Any = ANY,
        times: int | None = None,
        payload: Mapping[str, Any] | None = None,
        method: SendMethod | str | None = None,
    ) -> Expected:
        """Assert what a block sends: ``with dispatches.expect(order_placed, times=1): ...``

        Takes the same arguments as ``assert_sent``; ``times=0`` asserts that the signal is not
        sent. If the block raises, nothing is asserted.
        """
        asked = {"sender": sender, "payload": payload, "method": method}
        return Expected(self._asserted(), signal, times, asked)

    def _not_called(
        self, receiver: Receiver, signal: SignalOrName | None, others: list[str]
    ) -> AssertionError:
        sent_here = self._asserted()
        reason = messages.why_not(receiver, sent_here.of(*_one(signal)), others)
        elsewhere = sent_here.sent_elsewhere(signal, receiver)
        return _failure(
            f"Expected {receiver_name(receiver).name} to be called; it was not called.",
            [*elsewhere, *reason],
        )

    def assert_max_queries_per_receiver(self, count: int, *signals: SignalOrName) -> None:
        """Assert that no receiver call ran more than ``count`` database queries.

        Queries of a nested dispatch count for the receivers of that dispatch.
        """
        __tracebackhide__ = True
        lines = []
        for sent in self._asserted().of(*signals):
            for call in sent.calls:
                if call.record.query_count > count:
                    at = place(call.record.path, call.record.line)
                    lines.append(f"{call.name} ({at}), of {sent.name}: {_queries(call)}")
                    lines += [indented([told], 3) for told in statements(call.record.queries)]
        if lines:
            raise _failure(f"More than {count} queries in one call of a receiver:", lines)


class Expected:
    """A context manager that asserts what its block sends. See ``Assertions.expect``."""

    def __init__(
        self,
        dispatches: CapturedDispatches,
        signal: SignalOrName,
        times: int | None,
        asked: dict[str, Any],
    ) -> None:
        self._dispatches = dispatches
        self._signal = dispatches.named(signal)
        self._times = times
        self._asked = asked

    def __enter__(self) -> None:
        self._mark = self._dispatches.mark()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        if exc is not None:
            return
        block = self._dispatches.since(self._mark)
        if self._times == 0:
            block.assert_not_sent(self._signal, **self._asked)
        else:
            block.assert_sent(self._signal, times=self._times, **self._asked)


def _received(
    dispatches: CapturedDispatches,
    receiver: Receiver,
    signal: SignalOrName | None,
    sender: Any,
    payload: Mapping[str, Any] | None,
) -> tuple[list[tuple[CapturedDispatch, CapturedCall]], list[str]]:
    """The calls of a receiver that match, and how its other calls differ."""
    check_receivers((receiver,), "An assertion about receivers")
    found: list[tuple[CapturedDispatch, CapturedCall]] = []
    others: list[str] = []
    for sent in dispatches.of(*_one(signal)):
        pattern = sending(sent.signal, sender=sender, payload=payload)
        for call in sent.calls:
            if call.ran and is_receiver(receiver, call.receiver):
                differences = pattern.differences(sent)
                if differences:
                    told = indented([f"but {difference}" for difference in differences], 3)
                    others.append("\n".join([*dispatch_lines(len(others) + 1, sent), told]))
                else:
                    found.append((sent, call))
    if signal is None and not found and not others:
        dispatches.check_heard(receiver)
    return found, others


def _failure(title: str, lines: Iterable[str]) -> AssertionError:
    return AssertionError(f"{title}\n{indented(lines)}")


def _one(signal: SignalOrName | None) -> tuple[SignalOrName, ...]:
    return () if signal is None else (signal,)


def _queries(call: CapturedCall) -> str:
    return plural(call.record.query_count, "query", "queries")
