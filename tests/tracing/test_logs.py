"""Log records of what receivers raised: when there is one, and what stands in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from opentelemetry._logs import NoOpLoggerProvider, SeverityNumber
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from pytest_django import Settings

from signal_inspector import Details, Outcome
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.values import SendMethod
from signal_inspector.tracing.exceptions import EVENT, FailureLog
from tests.listening import ObservedBy, listening, run_python
from tests.tracing.spans import Traces

pytestmark = pytest.mark.usefixtures("nothing_failed")

order_placed = Signal()
ROBUST = [SendMethod.SEND_ROBUST, SendMethod.ASEND_ROBUST]


class Emitted:
    """A logger provider, and what was emitted by it."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))

    def records(self) -> list[ReadableLogRecord]:
        return list(self.exporter.get_finished_logs())


@pytest.fixture
def emitted() -> Iterator[Emitted]:
    emitted = Emitted()
    yield emitted
    emitted.provider.shutdown()


class Telling(Observer):
    """Tells a ``FailureLog`` what was swallowed, as a sink does."""

    def __init__(self, log: FailureLog, **untold: Any) -> None:
        self.log = log
        self.untold = untold

    def left(self, index: int | None, ended: bool) -> None:
        if index is None or not ended:
            return
        outcome, failure, _ = self.dispatch.end_of(index)
        if outcome is Outcome.RAISED and failure is not None:
            self.log.swallowed(self.dispatch, index, failure._replace(**self.untold))


def raises(**kwargs: Any) -> None:
    raise LookupError("order 42 is gone")


async def fails(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise LookupError("order 42 is gone")


def returns(**kwargs: Any) -> None:
    pass


def send(
    method: SendMethod,
    log: FailureLog,
    *receivers: Callable[..., Any],
    **untold: Any,
) -> list[str]:
    """Send to these receivers; the ids of the dispatches."""
    ids: list[str] = []

    class Noting(Telling):
        def finished(self, error: BaseException | None) -> None:
            ids.append(self.dispatch.id_text)

    for receiver in receivers:
        order_placed.connect(receiver)
    sink = ObservedBy(lambda: Noting(log, **untold))
    sink.details = Details.TRACEBACK
    try:
        with listening(sink):
            sending = getattr(order_placed, method)(None)
            if method.is_async:
                asyncio.run(sending)
    finally:
        for receiver in receivers:
            order_placed.disconnect(receiver)
    return ids


class TestSwallowed:
    @pytest.mark.parametrize("method", ROBUST)
    def test_is_told_once(self, emitted: Emitted, method: SendMethod) -> None:
        """A failure under a robust send is one record, and what returned is none."""
        ids = send(method, FailureLog(emitted.provider), returns, raises, returns)
        [record] = [each.log_record for each in emitted.records()]
        assert record.severity_number is SeverityNumber.ERROR
        assert record.severity_text == "ERROR"
        assert record.event_name == EVENT
        assert record.timestamp is not None
        attributes = dict(record.attributes or {})
        assert "LookupError: order 42 is gone" in attributes.pop("exception.stacktrace")
        assert attributes == {
            "django.signal.name": f"{__name__}.order_placed",
            "django.signal.method": method.value,
            "django.signal.dispatch.id": ids[0],
            "code.function.name": f"{__name__}.raises",
            "exception.type": "LookupError",
            "exception.message": "order 42 is gone",
        }

    def test_body_holds_names_alone(self, emitted: Emitted) -> None:
        """The text for people names receiver, method and signal, and nothing of the exception."""
        send(SendMethod.SEND_ROBUST, FailureLog(emitted.provider), raises)
        [record] = emitted.records()
        module = __name__
        assert record.log_record.body == (
            f"{module}.raises failed in send_robust of {module}.order_placed"
        )

    def test_has_the_span_as_its_context(self, emitted: Emitted) -> None:
        """A record carries the ids of the span that was current."""
        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
        with tracer.start_as_current_span("the span") as span:
            send(SendMethod.SEND_ROBUST, FailureLog(emitted.provider), raises)
        [record] = emitted.records()
        assert record.log_record.trace_id == span.get_span_context().trace_id
        assert record.log_record.span_id == span.get_span_context().span_id

    def test_without_what_is_not_to_be_told(self, emitted: Emitted) -> None:
        """A failure without message and traceback leaves the type, and no word of the rest."""
        log = FailureLog(emitted.provider)
        send(SendMethod.SEND_ROBUST, log, raises, message="", traceback=None)
        [record] = emitted.records()
        assert "order 42" not in record.to_json()
        attributes = record.log_record.attributes or {}
        assert [key for key in attributes if key.startswith("exception.")] == ["exception.type"]


class TestEmitException:
    def test_adds_to_what_it_is_given(self, emitted: Emitted) -> None:
        """The attributes of the caller and those of the exception stand side by side."""
        given = {"django.signal.name": "shop.order_placed"}
        FailureLog(emitted.provider).emit_exception("shop.Gone", "gone", "Traceback …", given)
        assert given == {"django.signal.name": "shop.order_placed"}
        [record] = emitted.records()
        assert record.log_record.event_name == EVENT
        assert dict(record.log_record.attributes or {}) == {
            "django.signal.name": "shop.order_placed",
            "exception.type": "shop.Gone",
            "exception.message": "gone",
            "exception.stacktrace": "Traceback …",
        }


class TestThroughTheSink:
    @pytest.fixture(autouse=True)
    def _connected(self) -> Iterator[None]:
        order_placed.connect(raises)
        order_placed.connect(fails)
        yield
        order_placed.disconnect(raises)
        order_placed.disconnect(fails)

    def sent(self, traces: Traces, emitted: Emitted, method: SendMethod) -> list[tuple[str, str]]:
        """Which receiver each record is about, and the span that it belongs to."""
        with traces.listening(logger_provider=emitted.provider):
            sending = getattr(order_placed, method)(None)
            if method.is_async:
                asyncio.run(sending)
        names = {span.context.span_id: span.name for span in traces.spans}
        told = []
        for record in emitted.records():
            attributes = dict(record.log_record.attributes or {})
            assert attributes["django.signal.dispatch.id"]
            span = names[record.log_record.span_id or 0]
            told.append((str(attributes["code.function.name"]), span))
        return sorted(told)

    own = sorted(
        (f"{__name__}.{name}", f"receive {__name__}.{name}") for name in ("raises", "fails")
    )

    @pytest.mark.parametrize("method", ROBUST)
    def test_each_failure_once(
        self, traces: Traces, emitted: Emitted, settings: Settings, method: SendMethod
    ) -> None:
        """With LOG_FAILURES each failure is one record, in the context of its receiver's span."""
        settings.SIGNAL_INSPECTOR = {"TRACING": {"LOG_FAILURES": True}}
        assert self.sent(traces, emitted, method) == self.own

    @pytest.mark.parametrize("method", ROBUST)
    def test_none_unless_asked(
        self, traces: Traces, emitted: Emitted, settings: Settings, method: SendMethod
    ) -> None:
        """By default there are none."""
        settings.SIGNAL_INSPECTOR = {}
        assert self.sent(traces, emitted, method) == []

    @pytest.mark.parametrize("opted", ["logs", "logs/dup", "http,logs"])
    @pytest.mark.parametrize("log_failures", [True, False])
    @pytest.mark.parametrize("method", ROBUST)
    def test_exceptions_as_logs(
        self,
        traces: Traces,
        emitted: Emitted,
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
        opted: str,
        log_failures: bool,
        method: SendMethod,
    ) -> None:
        """Where the conventions' opt-in makes records, LOG_FAILURES makes no second ones."""
        monkeypatch.setenv("OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN", opted)
        settings.SIGNAL_INSPECTOR = {"TRACING": {"LOG_FAILURES": log_failures}}
        assert self.sent(traces, emitted, method) == self.own
        events = [event for span in traces.spans for event in span.events]
        assert len(events) == (2 if opted == "logs/dup" else 0)

    @pytest.mark.parametrize("method", ROBUST)
    def test_settings_about_exceptions(
        self, traces: Traces, emitted: Emitted, settings: Settings, method: SendMethod
    ) -> None:
        """Without messages and stack traces a record holds no word of them."""
        settings.SIGNAL_INSPECTOR = {
            "TRACING": {
                "LOG_FAILURES": True,
                "EXCEPTION_MESSAGES": False,
                "EXCEPTION_STACKTRACES": False,
            }
        }
        self.sent(traces, emitted, method)
        for record in emitted.records():
            attributes = record.log_record.attributes or {}
            assert attributes["exception.type"] == "LookupError"
            assert "order 42" not in record.to_json()
            assert "exception.stacktrace" not in attributes

    @pytest.mark.parametrize("method", ROBUST)
    def test_stack_traces(
        self, traces: Traces, emitted: Emitted, settings: Settings, method: SendMethod
    ) -> None:
        """A record holds the stack trace, down to the line that raised."""
        settings.SIGNAL_INSPECTOR = {"TRACING": {"LOG_FAILURES": True}}
        self.sent(traces, emitted, method)
        for record in emitted.records():
            attributes = record.log_record.attributes or {}
            assert 'raise LookupError("order 42 is gone")' in str(
                attributes["exception.stacktrace"]
            )


class TestIdle:
    def test_without_an_sdk(self) -> None:
        """Where the API is alone nothing is emitted, until an SDK is set; then it is."""
        out = run_python(
            "from opentelemetry import _logs\n"
            "from signal_inspector.tracing.exceptions import FailureLog\n"
            "log = FailureLog()\n"
            "print(log.is_idle())\n"
            "log.emit_exception('Gone', None, None)\n"
            "from opentelemetry.sdk._logs import LoggerProvider\n"
            "from opentelemetry.sdk._logs import export\n"
            "provider = LoggerProvider()\n"
            "exporter = export.InMemoryLogRecordExporter()\n"
            "provider.add_log_record_processor(export.SimpleLogRecordProcessor(exporter))\n"
            "_logs.set_logger_provider(provider)\n"
            "print(log.is_idle())\n"
            "log.emit_exception('Gone', None, None)\n"
            "print(len(exporter.get_finished_logs()))\n"
        )
        assert out.split() == ["True", "False", "1"]

    def test_with_a_provider_that_does_nothing(self) -> None:
        """A provider whose loggers hear nothing is idle."""
        assert FailureLog(NoOpLoggerProvider()).is_idle()

    def test_with_an_api_that_cannot_say(self, emitted: Emitted) -> None:
        """Loggers from before the API could say whether they are enabled are taken to be."""

        class Old:
            def emit(self, **told: Any) -> None:
                pass

        log = FailureLog(emitted.provider)
        log._logger = Old()  # type: ignore[assignment]
        assert not log.is_idle()


class TestDoubles:
    @pytest.fixture
    def djangos(self) -> Iterator[logging.Logger]:
        """Django's logger of failures, whose handlers are put back."""
        djangos = logging.getLogger("django.dispatch")
        before = djangos.handlers[:]
        yield djangos
        djangos.handlers[:] = before

    def warnings(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.name == "signal_inspector" and record.levelno == logging.WARNING
        ]

    def test_are_told(
        self, emitted: Emitted, djangos: logging.Logger, caplog: pytest.LogCaptureFixture
    ) -> None:
        """With an exporting handler on Django's log failures arrive twice, and we say so once."""
        djangos.addHandler(LoggingHandler(logger_provider=emitted.provider))
        log = FailureLog(emitted.provider)
        send(SendMethod.SEND_ROBUST, log, raises)
        assert len(emitted.records()) == 2
        send(SendMethod.SEND_ROBUST, log, raises)
        [warning] = self.warnings(caplog)
        assert "LOG_FAILURES" in warning

    def test_are_none_where_the_log_stops(
        self, emitted: Emitted, djangos: logging.Logger, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A handler that Django's log does not reach makes no double."""
        handler = LoggingHandler(logger_provider=emitted.provider)
        logging.getLogger().addHandler(handler)
        djangos.propagate = False
        try:
            send(SendMethod.SEND_ROBUST, FailureLog(emitted.provider), raises)
        finally:
            djangos.propagate = True
            logging.getLogger().removeHandler(handler)
        assert len(emitted.records()) == 1
        assert self.warnings(caplog) == []

    def test_are_none_by_default(self, emitted: Emitted, caplog: pytest.LogCaptureFixture) -> None:
        """Where no handler exports, ours is the only record and nothing is said."""
        send(SendMethod.SEND_ROBUST, FailureLog(emitted.provider), raises)
        assert len(emitted.records()) == 1
        assert self.warnings(caplog) == []
