"""What ``SIGNAL_INSPECTOR["TRACING"]`` changes, and what is wrong in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from django.test import override_settings
from opentelemetry import context
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import get_current_span

from signal_inspector import Dispatch, suppress
from signal_inspector.checks import check_settings
from signal_inspector.conf import get_config
from signal_inspector.core import internal_errors
from signal_inspector.core.listening.captures import NO_CAPTURES
from signal_inspector.core.record.values import Details
from signal_inspector.tracing.otel import Tracing
from tests.tracing.spans import Traces

order_placed = Signal()
stock_low = Signal()

NAME = "tests.tracing.test_tracing_settings"

OPT_IN = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"


def invoices(**kwargs: Any) -> None:
    """Receives."""


def fails(**kwargs: Any) -> None:
    raise LookupError("ann@example.com has no stock")


async def notifies(**kwargs: Any) -> None:
    get_current_span().set_attribute("seen", True)


@pytest.fixture(autouse=True)
def _disconnected() -> Iterator[None]:
    yield
    for signal in (order_placed, stock_low):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


def set_to(**values: Any) -> Any:
    """Settings with these keys of TRACING."""
    return override_settings(SIGNAL_INSPECTOR={"TRACING": values})


def names(traces: Traces) -> list[str]:
    return [span.name.removeprefix(f"{NAME}.") for span in traces.spans]


class TestSignals:
    def test_globs_leave_signals_out(self, traces: Traces) -> None:
        """INCLUDE and EXCLUDE of TRACING apply to spans alone."""
        order_placed.connect(invoices)
        with set_to(INCLUDE=["*.order_placed"]), traces.listening():
            order_placed.send(None)
            stock_low.send(None)
        with set_to(EXCLUDE=["*.order_placed"]), traces.listening():
            order_placed.send(None)
        assert [span.name for span in traces.spans] == [
            f"send {NAME}.order_placed",
            f"receive {NAME}.invoices",
        ]

    def test_the_general_ones_apply_too(self, traces: Traces) -> None:
        """A model signal that the general INCLUDE lets in is traced; others are not."""
        from django.db.models.signals import post_save, pre_save

        with (
            override_settings(
                SIGNAL_INSPECTOR={"INCLUDE": ["django.db.models.signals.post_save"]}
            ),
            traces.listening(),
        ):
            pre_save.send(Traces)
            post_save.send(Traces)
        [span] = traces.spans
        assert span.name == "send django.db.models.signals.post_save"

    def test_settings_take_effect_as_they_change(self, traces: Traces) -> None:
        """A sink that listens reads settings anew when they change."""
        with traces.listening():
            with set_to(RECEIVER_SPANS=False):
                order_placed.connect(invoices)
                order_placed.send(None)
            assert len(traces.spans) == 1
            order_placed.send(None)
        assert len(traces.spans) == 3


class TestReceiverSpans:
    def test_none(self, traces: Traces) -> None:
        """Without receiver spans, what receivers do belongs to the dispatch span."""

        def queries(**kwargs: Any) -> None:
            with traces.tracer.start_as_current_span("query"):
                pass

        order_placed.connect(queries)
        order_placed.connect(notifies)
        with set_to(RECEIVER_SPANS=False), traces.listening():
            order_placed.send(None)
            asyncio.run(order_placed.asend(None))
        assert len(traces.spans) == 4
        for span in traces.spans:
            if span.name != "query":
                assert (span.attributes or {})["seen"] is True

    @pytest.mark.parametrize("is_robust", [True, False])
    def test_failures_stand_on_the_dispatch_then(self, is_robust: bool, traces: Traces) -> None:
        """Without receiver spans an exception is recorded on the dispatch span, once."""
        order_placed.connect(fails)
        with set_to(RECEIVER_SPANS=False), traces.listening():
            if is_robust:
                order_placed.send_robust(None)
            else:
                with pytest.raises(LookupError):
                    order_placed.send(None)
        [span] = traces.spans
        assert [event.name for event in span.events] == ["exception"]
        assert span.status.is_ok is is_robust
        assert (span.attributes or {})["django.signal.receiver.failed_count"] == 1

    @pytest.mark.parametrize("method", ["send_robust", "asend_robust"])
    def test_each_failure_names_its_receiver(self, method: str, traces: Traces) -> None:
        """On the one span of a dispatch, failures of the same text are told apart by name."""

        async def fails_too(**kwargs: Any) -> None:
            raise LookupError("ann@example.com has no stock")

        order_placed.connect(fails)
        order_placed.connect(fails_too)
        with set_to(RECEIVER_SPANS=False), traces.listening():
            sending = getattr(order_placed, method)(None)
            if method == "asend_robust":
                asyncio.run(sending)
        [span] = traces.spans
        functions = [str((event.attributes or {})["code.function.name"]) for event in span.events]
        assert sorted(each.rpartition(".")[2] for each in functions) == ["fails", "fails_too"]


class TestStartTraces:
    def test_off(self, traces: Traces) -> None:
        """Without a span around it a dispatch has none, and with one it has."""
        order_placed.connect(invoices)
        with set_to(START_TRACES=False), traces.listening():
            order_placed.send(None)
            assert traces.spans == []
            with traces.tracer.start_as_current_span("request"):
                order_placed.send(None)
        assert len(traces.spans) == 3

    def test_on_by_default(self, traces: Traces) -> None:
        """A dispatch in a worker or command starts a trace, so its receivers' spans share it."""
        order_placed.connect(invoices)
        with traces.listening():
            order_placed.send(None)
        assert len({span.context.trace_id for span in traces.spans}) == 1


class TestHooks:
    def test_they_see_what_has_ended(self, traces: Traces) -> None:
        """Hooks get the span before it ends, the dispatch, and the number of the receiver."""

        def on_dispatch(span: Any, dispatch: Dispatch) -> None:
            assert get_current_span() is span
            span.set_attribute("outcome", dispatch.outcome.value)

        def on_receiver(span: Any, dispatch: Dispatch, index: int) -> None:
            assert get_current_span() is span
            span.set_attribute("outcome", dispatch.end_of(index)[0].value)

        order_placed.connect(invoices)
        order_placed.connect(notifies)
        order_placed.connect(fails)
        hooks = {"DISPATCH_HOOK": on_dispatch, "RECEIVER_HOOK": on_receiver}
        with set_to(**hooks), traces.listening():
            order_placed.send_robust(None)
            asyncio.run(order_placed.asend_robust(None))
        told = [(span.attributes or {})["outcome"] for span in traces.spans]
        assert sorted(told) == ["raised"] * 2 + ["returned"] * 6

    def test_one_that_raises(self, traces: Traces) -> None:
        """A hook that raises changes nothing, and is reported once per kind."""

        def raises(*args: Any) -> None:
            raise RuntimeError

        order_placed.connect(invoices)
        with set_to(DISPATCH_HOOK=raises, RECEIVER_HOOK=raises), traces.listening():
            order_placed.send(None)
            order_placed.send(None)
        assert len(traces.spans) == 4
        assert internal_errors.counts() == {"tracing DISPATCH_HOOK": 2, "tracing RECEIVER_HOOK": 2}
        internal_errors.reset()

    def test_named_by_its_path(self, traces: Traces) -> None:
        """A hook may be named by its dotted path."""
        order_placed.connect(invoices)
        with set_to(DISPATCH_HOOK=f"{NAME}.marks"), traces.listening():
            order_placed.send(None)
        assert (traces.named("order_placed").attributes or {})["marked"] is True

    def test_one_that_cannot_be_found(self, traces: Traces) -> None:
        """A path that leads nowhere is reported, and nothing else changes."""
        with set_to(DISPATCH_HOOK="nowhere.at_all"), traces.listening():
            order_placed.send(None)
        assert len(traces.spans) == 1
        [kind] = internal_errors.counts()
        assert "nowhere.at_all" in kind
        internal_errors.reset()


def marks(span: Any, dispatch: Dispatch) -> None:
    span.set_attribute("marked", True)


class TestPayload:
    def test_only_named_arguments(self, traces: Traces) -> None:
        """Arguments that settings name become attributes, redacted and capped; no others."""
        keys = ["number", "card_token", "text", "order", "missing"]
        with set_to(PAYLOAD_ATTRIBUTES=keys), traces.listening():
            order_placed.send(
                None, number=3, card_token="tok_1", text="x" * 5000, order=object(), other=1
            )
        [span] = traces.spans
        prefix = "django.signal.payload."
        payload = {
            key.removeprefix(prefix): value
            for key, value in (span.attributes or {}).items()
            if key.startswith(prefix)
        }
        assert payload["number"] == 3
        assert payload["card_token"] == "redacted"
        assert len(str(payload["text"])) < 300
        assert payload["order"] == "object object"
        assert set(payload) == {"number", "card_token", "text", "order"}

    def test_none_by_default(self, traces: Traces) -> None:
        """No argument is an attribute, and none is looked at, unless it is named."""
        with traces.listening():
            assert not NO_CAPTURES.now().details & Details.PAYLOAD
            order_placed.send(None, number=3)
        [span] = traces.spans
        assert not any("payload" in key for key in span.attributes or {})


class Logs:
    """Log records kept in memory."""

    def __init__(self) -> None:
        self.exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self.exporter))

    @property
    def records(self) -> list[Any]:
        return [each.log_record for each in self.exporter.get_finished_logs()]


class TestExceptions:
    @pytest.mark.parametrize(
        ("opt_in", "events", "records"),
        [(None, 1, 0), ("", 1, 0), ("logs", 0, 1), ("logs/dup", 1, 1), ("other", 1, 0)],
    )
    def test_the_opt_in(
        self,
        opt_in: str | None,
        events: int,
        records: int,
        traces: Traces,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN decides between span events and log records."""
        monkeypatch.delenv(OPT_IN, raising=False)
        if opt_in is not None:
            monkeypatch.setenv(OPT_IN, opt_in)
        logs = Logs()
        order_placed.connect(fails)
        with traces.listening(logger_provider=logs.provider), pytest.raises(LookupError):
            order_placed.send(None)
        span = traces.named("fails")
        assert len(span.events) == events
        assert len(logs.records) == records
        for record in logs.records:
            assert record.span_id == span.context.span_id
            assert record.attributes["exception.type"] == "LookupError"
            assert record.attributes["django.signal.method"] == "send"
            assert record.body == f"{NAME}.fails failed in send of {NAME}.order_placed"

    @pytest.mark.parametrize("opt_in", ["", "logs", "logs/dup"])
    def test_log_failures(
        self, opt_in: str, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """LOG_FAILURES emits what a robust send swallowed, once, whatever is opted in."""
        monkeypatch.setenv(OPT_IN, opt_in)
        logs = Logs()
        order_placed.connect(fails)
        with set_to(LOG_FAILURES=True), traces.listening(logger_provider=logs.provider):
            order_placed.send_robust(None)
        [record] = logs.records
        assert record.span_id == traces.named("fails").context.span_id

    def test_log_failures_without_spans(self) -> None:
        """They are emitted where the trace is not sampled, too."""
        traces, logs = Traces(ParentBased(ALWAYS_OFF)), Logs()
        order_placed.connect(fails)
        with set_to(LOG_FAILURES=True), traces.listening(logger_provider=logs.provider):
            order_placed.send_robust(None)
        assert len(logs.records) == 1
        assert traces.spans == []

    @pytest.mark.parametrize("opt_in", ["", "logs"])
    def test_without_message_and_stack_trace(
        self, opt_in: str, traces: Traces, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Switched off, neither is anywhere: not in events, status or log records."""
        monkeypatch.setenv(OPT_IN, opt_in)
        logs = Logs()
        order_placed.connect(fails)
        off = {"EXCEPTION_MESSAGES": False, "EXCEPTION_STACKTRACES": False}
        with (
            set_to(**off),
            traces.listening(logger_provider=logs.provider),
            pytest.raises(LookupError),
        ):
            order_placed.send(None)
        told = [span.to_json() for span in traces.spans]
        everything = " ".join([*told, *(str(dict(each.attributes)) for each in logs.records)])
        assert "exception.type" in everything
        assert "ann@example.com" not in everything
        assert "Traceback" not in everything

    def test_with_both(self, traces: Traces) -> None:
        """By default the event has type, message and stack trace."""
        order_placed.connect(fails)
        with traces.listening(), pytest.raises(LookupError):
            order_placed.send(None)
        [event] = traces.named("fails").events
        attributes = event.attributes or {}
        assert attributes["exception.type"] == "LookupError"
        assert attributes["exception.message"] == "ann@example.com has no stock"
        assert "in fails" in str(attributes["exception.stacktrace"])


class TestSuppression:
    def test_of_contrib(self, traces: Traces) -> None:
        """Under contrib's suppress_instrumentation nothing is traced."""
        with traces.listening(), suppress_instrumentation():
            order_placed.send(None)
        assert traces.spans == []

    @pytest.mark.parametrize(
        "key",
        ["suppress_instrumentation", context._SUPPRESS_INSTRUMENTATION_KEY],
        ids=["contrib", "api"],  # the API's ends with what is random
    )
    def test_by_either_key(self, key: str, traces: Traces) -> None:
        """Each of the two keys that are in use is enough."""
        token = context.attach(context.set_value(key, True))
        with traces.listening():
            order_placed.send(None)
        context.detach(token)
        assert traces.spans == []

    def test_of_ours(self, traces: Traces) -> None:
        """Under suppress() nothing is traced."""
        with traces.listening(), suppress():
            order_placed.send(None)
        assert traces.spans == []


class TestWrongValues:
    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("RECEIVER_SPANS", "yes"),
            ("INCLUDE", "*"),
            ("DISPATCH_HOOK", 3),
            ("DISPATCH_HOOK", "not a path"),
            ("PAYLOAD_ATTRIBUTES", "order"),
            ("TRACER_PROVIDER", None),
            ("NO_SUCH_KEY", 1),
        ],
    )
    def test_they_are_warnings(self, key: str, value: object) -> None:
        """A wrong value is a warning that names the key, and its default holds."""
        with set_to(**{key: value}):
            [warning] = check_settings(None)
            assert f'["TRACING"]["{key}"]' in warning.msg
            assert warning.hint
            assert get_config().room(Tracing) == Tracing()

    def test_right_ones_are_not(self, traces: Traces) -> None:
        """Every key may be set to what its meaning says."""
        with set_to(
            RECEIVER_SPANS=False,
            INCLUDE=["shop.*"],
            DISPATCH_HOOK=marks,
            RECEIVER_HOOK=f"{NAME}.marks",
        ):
            assert check_settings(None) == []
