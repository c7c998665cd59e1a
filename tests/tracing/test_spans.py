"""The spans of a dispatch: their tree, names, attributes and statuses."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import override_settings
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from signal_inspector import capture
from signal_inspector.core import internal_errors
from signal_inspector.core.record.values import SendMethod
from tests.clocks import HALF_AN_HOUR, let_an_hour_pass
from tests.listening import SHARES_CONTEXT, unknown_django
from tests.tracing.spans import Traces

METHODS = list(SendMethod)
ROBUST = [method for method in METHODS if method.is_robust]
RAISING = [method for method in METHODS if not method.is_robust]

#: Before Django 6.1 asend() runs the sync receivers beside the async ones.
RUNS_TOGETHER = not SHARES_CONTEXT

order_placed = Signal()

#: What a dispatch of these tests is called.
NAME = "tests.tracing.test_spans.order_placed"


class Sender:
    """Sends."""


def connected(*receivers: Callable[..., Any]) -> Signal:
    for receiver in receivers:
        order_placed.connect(receiver)
    return order_placed


@pytest.fixture(autouse=True)
def _disconnected() -> Any:
    yield
    order_placed.receivers.clear()
    order_placed.sender_receivers_cache.clear()


def send(method: SendMethod, signal: Signal = order_placed, **named: Any) -> Any:
    sending = getattr(signal, method)(Sender, **named)
    return asyncio.run(sending) if method.is_async else sending


def invoices(**kwargs: Any) -> str:
    return "sent"


def stocks(**kwargs: Any) -> None:
    """A second receiver."""


def fails(**kwargs: Any) -> None:
    raise LookupError("no stock")


async def notifies(**kwargs: Any) -> None:
    await asyncio.sleep(0)


async def notifies_too(**kwargs: Any) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize("method", METHODS)
class TestTree:
    def test_each_receiver_is_a_child_of_the_dispatch(
        self, method: SendMethod, traces: Traces
    ) -> None:
        """A dispatch span holds one span per receiver, sync and async, in their order."""
        with traces.listening():
            send(method, connected(invoices, notifies))
        [(name, receivers)] = traces.tree()
        assert name == f"{method} test_spans.order_placed"
        if RUNS_TOGETHER and method.is_async:
            receivers.sort()
        assert receivers == ["receive test_spans.invoices", "receive test_spans.notifies"]

    def test_it_hangs_under_the_current_span(self, method: SendMethod, traces: Traces) -> None:
        """The dispatch span is a child of what was current where the signal was sent."""
        with traces.listening(), traces.tracer.start_as_current_span("request"):
            send(method, connected(invoices))
        assert [name for name, _ in traces.tree()] == ["request"]
        assert traces.named("order_placed").parent == traces.named("request").context

    def test_spans_of_a_receiver_are_its_children(
        self, method: SendMethod, traces: Traces
    ) -> None:
        """A span that a receiver starts, before or after an await, is a child of its span."""

        def queries(**kwargs: Any) -> None:
            with traces.tracer.start_as_current_span("sync query"):
                pass

        async def awaits(**kwargs: Any) -> None:
            with traces.tracer.start_as_current_span("before"):
                await asyncio.sleep(0)
                with traces.tracer.start_as_current_span("within"):
                    await asyncio.sleep(0)
            with traces.tracer.start_as_current_span("after"):
                pass

        with traces.listening():
            send(method, connected(queries, awaits))
        for name, parent in (
            ("sync query", "queries"),
            ("before", "awaits"),
            ("within", "before"),
            ("after", "awaits"),
        ):
            assert traces.named(name).parent == traces.named(parent).context

    def test_nested_dispatches_are_children_of_the_receiver(
        self, method: SendMethod, traces: Traces
    ) -> None:
        """A dispatch that a receiver sends hangs under that receiver."""
        stock_low = Signal()
        stock_low.connect(stocks)

        def sends(**kwargs: Any) -> None:
            stock_low.send(None)

        async def sends_async(**kwargs: Any) -> None:
            await stock_low.asend(None)

        with traces.listening():
            send(method, connected(sends, sends_async))
        [(_, receivers)] = traces.tree()
        for _, [(name, inner)] in receivers:
            assert name.startswith(("send ", "asend "))
            assert inner == ["receive test_spans.stocks"]

    def test_it_may_recurse(self, method: SendMethod, traces: Traces) -> None:
        """A signal whose receiver sends it again has a span for each, one inside the other."""

        def again(depth: int, **kwargs: Any) -> None:
            if depth:
                order_placed.send(Sender, depth=depth - 1)

        with traces.listening():
            send(method, connected(again), depth=3)
        names = []
        branch = traces.tree()[0]
        while isinstance(branch, tuple):
            names.append(branch[0].split()[0])
            branch = branch[1][0]
        assert names == [str(method), "receive", *["send", "receive"] * 2, "send"]

    def test_on_an_unknown_django(self, method: SendMethod, traces: Traces) -> None:
        """Where Django's own loop runs the spans are the same."""
        with unknown_django(), traces.listening():
            send(method, connected(invoices, notifies))
        [(name, receivers)] = traces.tree()
        assert name == f"{method} test_spans.order_placed"
        if RUNS_TOGETHER and method.is_async:
            receivers.sort()
        assert receivers == ["receive test_spans.invoices", "receive test_spans.notifies"]

    def test_who_else_listens_changes_nothing(self, method: SendMethod, traces: Traces) -> None:
        """Under capture() the spans are the same, and the record knows them."""
        with traces.listening(), capture() as dispatches:
            send(method, connected(invoices, notifies))
        [dispatch] = dispatches
        span = traces.named("order_placed")
        assert len(traces.spans) == 3
        assert dispatch.trace_id == f"{span.context.trace_id:032x}"
        assert dispatch.span_id == f"{span.context.span_id:016x}"


@pytest.mark.parametrize("method", ROBUST)
@pytest.mark.parametrize("receiver_spans", [True, False])
@pytest.mark.parametrize("with_async", [False, True])
def test_djangos_log_of_a_failure_is_written_in_a_recording_span(
    method: SendMethod, receiver_spans: bool, with_async: bool, traces: Traces
) -> None:
    """Whatever listens to that log may add to the current span, which is of this dispatch."""
    current: list[Any] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            current.append(get_current_span())
            recording.append(get_current_span().is_recording())

    async def fails_soon(**kwargs: Any) -> None:
        await asyncio.sleep(0)
        raise LookupError("no stock")

    recording: list[bool] = []
    handler, told = Handler(), logging.getLogger("django.dispatch")
    told.addHandler(handler)
    tracing = {"TRACING": {"RECEIVER_SPANS": receiver_spans}}
    try:
        with override_settings(SIGNAL_INSPECTOR=tracing), traces.listening():
            send(method, connected(fails, *([fails_soon] if with_async else [])))
    finally:
        told.removeHandler(handler)
    assert recording == [True, True] if with_async else [True]
    failed = ["fails", "fails_soon"][: len(current)] if receiver_spans else ["order_placed"]
    assert {span.name.rpartition(".")[2] for span in current} == set(failed)
    dispatch = traces.named("order_placed").context.span_id
    for span in current:
        assert dispatch in (span.context.span_id, span.parent and span.parent.span_id)


@pytest.mark.parametrize("method", METHODS)
class TestAttributes:
    def test_of_a_dispatch(self, method: SendMethod, traces: Traces) -> None:
        """Signal, method, sender, the number of receivers and the id of the record."""
        with traces.listening(), capture() as dispatches:
            send(method, connected(invoices, notifies))
        span = traces.named("order_placed")
        assert span.name == f"{method} {NAME}"
        assert span.kind is SpanKind.INTERNAL
        caller = dispatches[0].caller
        assert caller is not None
        assert span.attributes == {
            "django.signal.name": NAME,
            "django.signal.method": method.value,
            "django.signal.sender": "tests.tracing.test_spans.Sender",
            "django.signal.receiver.count": 2,
            "django.signal.dispatch.id": dispatches[0].id_text,
            "code.function.name": caller.function,
            "code.file.path": __file__,
            "code.line.number": caller.line,
        }
        assert span.status.status_code is StatusCode.UNSET

    @pytest.mark.parametrize(
        ("sender", "name"),
        [
            (None, None),
            ("two words", None),
            ("checkout", "'checkout'"),
            (Sender(), "tests.tracing.test_spans.Sender instance"),
        ],
    )
    def test_other_senders(
        self, method: SendMethod, sender: object, name: str | None, traces: Traces
    ) -> None:
        """They are called as in every room; what tells nothing is left out."""
        with traces.listening():
            sending = getattr(connected(invoices), method)(sender)
            if method.is_async:
                asyncio.run(sending)
        attributes = traces.named("order_placed").attributes or {}
        assert attributes.get("django.signal.sender") == name

    def test_of_a_receiver(self, method: SendMethod, traces: Traces) -> None:
        """Function, file and line, and the signal."""
        with traces.listening():
            send(method, connected(invoices))
        span = traces.named("invoices")
        assert span.name == "receive tests.tracing.test_spans.invoices"
        assert span.kind is SpanKind.INTERNAL
        assert span.attributes == {
            "code.function.name": "tests.tracing.test_spans.invoices",
            "code.file.path": __file__,
            "code.line.number": invoices.__code__.co_firstlineno,
            "django.signal.name": NAME,
        }

    def test_of_an_orphan(self, method: SendMethod, traces: Traces) -> None:
        """A dispatch that nobody receives has a span that says so."""
        with traces.listening():
            send(method)
        [span] = traces.spans
        assert span.attributes is not None
        assert span.attributes["django.signal.receiver.count"] == 0


def statuses(traces: Traces) -> dict[str, tuple[str, Any]]:
    """Status and error.type by the last part of the name."""
    return {
        span.name.rpartition(".")[2]: (
            span.status.status_code.name,
            (span.attributes or {}).get("error.type"),
        )
        for span in traces.spans
    }


def recorded(traces: Traces) -> list[tuple[str, Any]]:
    """On which spans which exceptions are recorded."""
    return [
        (span.name.rpartition(".")[2], (event.attributes or {}).get("exception.type"))
        for span in traces.spans
        for event in span.events
    ]


class TestFailures:
    @pytest.mark.parametrize("method", RAISING)
    def test_raised_to_the_sender(self, method: SendMethod, traces: Traces) -> None:
        """Receiver and dispatch are errors of one type; the exception is recorded once."""
        with traces.listening(), pytest.raises(LookupError):
            send(method, connected(invoices, fails))
        assert statuses(traces) == {
            "order_placed": ("ERROR", "LookupError"),
            "invoices": ("UNSET", None),
            "fails": ("ERROR", "LookupError"),
        }
        assert recorded(traces) == [("fails", "LookupError")]
        assert traces.named("fails").status.description == "no stock"
        attributes = traces.named("order_placed").attributes or {}
        assert attributes["django.signal.receiver.failed_count"] == 1

    @pytest.mark.parametrize("method", ROBUST)
    def test_swallowed(self, method: SendMethod, traces: Traces) -> None:
        """Under a robust send only the receiver is an error; the dispatch counts it."""
        with traces.listening():
            send(method, connected(fails, invoices))
        assert statuses(traces) == {
            "order_placed": ("UNSET", None),
            "fails": ("ERROR", "LookupError"),
            "invoices": ("UNSET", None),
        }
        assert recorded(traces) == [("fails", "LookupError")]
        attributes = traces.named("order_placed").attributes or {}
        assert attributes["django.signal.receiver.failed_count"] == 1

    @pytest.mark.parametrize("method", RAISING)
    def test_skipped_receivers_have_no_span(self, method: SendMethod, traces: Traces) -> None:
        """What never ran has no span; the dispatch says how many there were."""
        with traces.listening(), pytest.raises(LookupError):
            send(method, connected(fails, invoices, stocks))
        assert "invoices" not in statuses(traces)
        attributes = traces.named("order_placed").attributes or {}
        assert attributes["django.signal.receiver.skipped_count"] == 2
        assert attributes["django.signal.receiver.count"] == 3

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
    def test_what_no_send_swallows(
        self, method: SendMethod, kind: type[BaseException], traces: Traces
    ) -> None:
        """KeyboardInterrupt and SystemExit end robust sends too, as errors.

        Where the receiver has a task of its own, as before Django 6.1, they end the event loop,
        and the send is cancelled.
        """

        def stops(**kwargs: Any) -> None:
            raise kind

        with traces.listening(), pytest.raises(kind):
            send(method, connected(stops))
        error = ("ERROR", kind.__name__)
        is_cancelled = RUNS_TOGETHER and method.is_async
        assert statuses(traces) == {
            "order_placed": ("UNSET", None) if is_cancelled else error,
            "stops": error,
        }
        assert recorded(traces) == [("stops", kind.__name__)]

    @pytest.mark.parametrize("method", RAISING)
    def test_through_two_dispatches(self, method: SendMethod, traces: Traces) -> None:
        """An exception on its way through nested dispatches is recorded where it came from."""
        stock_low = Signal()
        stock_low.connect(fails)

        def sends(**kwargs: Any) -> None:
            stock_low.send(None)

        with traces.listening(), pytest.raises(LookupError):
            send(method, connected(sends))
        assert recorded(traces) == [("fails", "LookupError")]
        assert statuses(traces)["sends"] == ("ERROR", "LookupError")

    def test_another_one_in_its_place(self, traces: Traces) -> None:
        """One raised after another was caught is recorded, even at the address of the first."""
        stock_low = Signal()
        stock_low.connect(fails)

        def sends(**kwargs: Any) -> None:
            with contextlib.suppress(LookupError):
                stock_low.send(None)
            raise LookupError

        with traces.listening(), pytest.raises(LookupError):
            send(SendMethod.SEND, connected(sends))
        assert [name for name, _ in recorded(traces)] == ["sends", "fails"]

    @pytest.mark.parametrize("method", [SendMethod.SEND_ROBUST, SendMethod.ASEND_ROBUST])
    def test_when_django_fails_to_log(self, method: SendMethod, traces: Traces) -> None:
        """An exception of Django's own, raised while it logs a failure, is the dispatch's."""
        failing = functools.partial(fails)
        order_placed.connect(failing, weak=False)
        with traces.listening(), pytest.raises(AttributeError):
            send(method)
        assert statuses(traces) == {
            "order_placed": ("ERROR", "AttributeError"),
            "fails (partial)": ("ERROR", "LookupError"),
        }
        assert recorded(traces) == [
            ("order_placed", "AttributeError"),
            ("fails (partial)", "LookupError"),
        ]

    def test_several_at_once(self, traces: Traces) -> None:
        """Of several async failures each is recorded on its own span, and nothing twice."""

        async def fails_too(**kwargs: Any) -> None:
            raise KeyError("other")

        async def fails_async(**kwargs: Any) -> None:
            raise LookupError

        with traces.listening(), pytest.raises((LookupError, ExceptionGroup)):
            send(SendMethod.ASEND, connected(fails_async, fails_too))
        assert recorded(traces) == [("fails_async", "LookupError"), ("fails_too", "KeyError")]
        kind = "ExceptionGroup" if SHARES_CONTEXT else "LookupError"
        assert statuses(traces)["order_placed"] == ("ERROR", kind)

    @pytest.mark.parametrize("way", ["awaited", "in a group of tasks"])
    def test_several_at_once_further_in(self, way: str, traces: Traces) -> None:
        """Failures that come out of a nested asend() in a group are not recorded again."""

        async def fails_too(**kwargs: Any) -> None:
            raise KeyError("other")

        async def fails_async(**kwargs: Any) -> None:
            raise LookupError

        async def sends(**kwargs: Any) -> None:
            if way == "awaited":
                await stock_low.asend(None)
            else:
                async with asyncio.TaskGroup() as group:
                    group.create_task(stock_low.asend(None))

        stock_low = Signal()
        for receiver in (fails_async, fails_too):
            stock_low.connect(receiver)
        with traces.listening(), pytest.raises((LookupError, ExceptionGroup)):
            send(SendMethod.ASEND, connected(sends))
        assert recorded(traces) == [("fails_async", "LookupError"), ("fails_too", "KeyError")]
        assert statuses(traces)["sends"][0] == "ERROR"

    @pytest.mark.parametrize("method", SendMethod)
    def test_a_group_of_ones_own(self, method: SendMethod, traces: Traces) -> None:
        """A group that a receiver raises itself is recorded once, there."""

        def raises(**kwargs: Any) -> None:
            raise ExceptionGroup("both", [LookupError(), KeyError()])

        with traces.listening(), contextlib.suppress(ExceptionGroup):
            send(method, connected(raises))
        assert recorded(traces) == [("raises", "ExceptionGroup")]

    def test_a_group_with_a_stranger(self, traces: Traces) -> None:
        """A group that holds an exception which nobody has met is recorded, with what is known."""

        def sends(**kwargs: Any) -> None:
            try:
                stock_low.send(None)
            except LookupError as error:
                raise ExceptionGroup("both", [error, KeyError()]) from None

        stock_low = Signal()
        stock_low.connect(fails)
        with traces.listening(), pytest.raises(ExceptionGroup):
            send(SendMethod.SEND, connected(sends))
        assert recorded(traces) == [("sends", "ExceptionGroup"), ("fails", "LookupError")]

    def test_a_message_that_cannot_be_read(self, traces: Traces) -> None:
        """An exception whose str() raises is recorded by its type."""

        class Unreadable(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        def raises(**kwargs: Any) -> None:
            raise Unreadable

        with traces.listening(), pytest.raises(Unreadable):
            send(SendMethod.SEND, connected(raises))
        [(_, kind)] = recorded(traces)
        assert kind.endswith("Unreadable")


class TestCancellation:
    def test_a_timeout(self, traces: Traces) -> None:
        """A dispatch that is cancelled, and its receivers, are no errors; both say what it was."""

        async def waits(**kwargs: Any) -> None:
            let_an_hour_pass()
            await asyncio.sleep(60)

        async def times_out() -> None:
            async with asyncio.timeout(HALF_AN_HOUR):
                await order_placed.asend(Sender)

        connected(waits)
        with traces.listening(), pytest.raises(TimeoutError):
            asyncio.run(times_out())
        assert statuses(traces) == {"order_placed": ("UNSET", None), "waits": ("UNSET", None)}
        receiver, dispatch = traces.named("waits"), traces.named("order_placed")
        assert (receiver.attributes or {})["django.signal.receiver.outcome"] == "cancelled"
        assert (dispatch.attributes or {})["django.signal.dispatch.outcome"] == "cancelled"
        assert recorded(traces) == []

    def test_a_sibling_of_a_failure(self, traces: Traces) -> None:
        """The sibling of a failure, which Django 6.1 cancels, is no error; before, it runs on."""
        ended = asyncio.Event()

        async def waits(**kwargs: Any) -> None:
            try:
                await asyncio.sleep(0.05)
            finally:
                ended.set()

        async def fails_async(**kwargs: Any) -> None:
            await asyncio.sleep(0)
            raise LookupError

        async def main() -> None:
            with pytest.raises(LookupError):
                await order_placed.asend(Sender)
            await ended.wait()
            await asyncio.sleep(0)

        connected(waits, fails_async)
        with traces.listening():
            asyncio.run(main())
        assert statuses(traces) == {
            "order_placed": ("ERROR", "LookupError"),
            "waits": ("UNSET", None),
            "fails_async": ("ERROR", "LookupError"),
        }
        outcome = (traces.named("waits").attributes or {}).get("django.signal.receiver.outcome")
        assert outcome == ("cancelled" if SHARES_CONTEXT else None)

    def test_a_closed_generator(self, traces: Traces) -> None:
        """A coroutine that is closed while a receiver waits ends both spans as cancelled."""

        async def waits(**kwargs: Any) -> None:
            await asyncio.Event().wait()

        async def main() -> None:
            stepping = order_placed.asend(Sender)
            task = asyncio.ensure_future(stepping)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        connected(waits)
        with traces.listening():
            asyncio.run(main())
        assert len(traces.spans) == 2
        assert recorded(traces) == []


class TestRestoring:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("receiver", [invoices, fails, notifies])
    def test_the_current_span_afterwards(
        self, method: SendMethod, receiver: Callable[..., Any], traces: Traces
    ) -> None:
        """However it ended, what was current before is current after it."""
        connected(receiver)

        async def sends() -> None:
            with traces.tracer.start_as_current_span("request") as request:
                with contextlib.suppress(LookupError):
                    await getattr(order_placed, method)(Sender)
                assert get_current_span() is request

        with traces.listening():
            if method.is_async:
                asyncio.run(sends())
            else:
                with traces.tracer.start_as_current_span("request") as request:
                    with contextlib.suppress(LookupError):
                        order_placed.send(Sender)
                    assert get_current_span() is request
        assert traces.named("order_placed").parent == traces.named("request").context

    def test_concurrent_receivers_are_siblings(self, traces: Traces) -> None:
        """Async receivers that run at once are never parents of each other's spans."""

        async def works(name: str) -> None:
            for step in range(3):
                with traces.tracer.start_as_current_span(f"{name} {step}"):
                    await asyncio.sleep(0)

        async def one(**kwargs: Any) -> None:
            await works("one")

        async def two(**kwargs: Any) -> None:
            await works("two")

        with traces.listening():
            send(SendMethod.ASEND, connected(one, two))
        for name in ("one", "two"):
            receiver = traces.named(f"<locals>.{name}")
            for step in range(3):
                assert traces.named(f"{name} {step}").parent == receiver.context


class TestHarm:
    def test_a_processor_that_raises(self, traces: Traces) -> None:
        """What a span processor raises, at start or end, never reaches the sender."""
        from opentelemetry.sdk.trace import SpanProcessor

        class Broken(SpanProcessor):
            def on_start(self, span: Any, parent_context: Any = None) -> None:
                if span.name.startswith("receive"):
                    raise RuntimeError

            def on_end(self, span: Any) -> None:
                raise RuntimeError

        traces.provider.add_span_processor(Broken())
        with traces.listening():
            assert send(SendMethod.SEND, connected(invoices, stocks)) == [
                (invoices, "sent"),
                (stocks, None),
            ]
        assert [span.name for span in traces.spans] == [f"send {NAME}"]
        assert sum(internal_errors.counts().values()) == 3
        internal_errors.reset()
