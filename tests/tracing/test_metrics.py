"""What the histograms say of dispatches and receiver calls, and what they leave out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider, sampling
from pytest_django import Settings

from signal_inspector.core import internal_errors
from signal_inspector.core.listening.sinks import Observer
from signal_inspector.core.record.values import SendMethod
from signal_inspector.tracing import metrics
from signal_inspector.tracing.metrics import BOUNDARIES, OTHER, Meters
from signal_inspector.tracing.sink import TracingSink
from tests.clocks import HALF_AN_HOUR, let_an_hour_pass
from tests.listening import SHARES_CONTEXT, Chained, ObservedBy, listening, run_python
from tests.tracing.spans import Traces, metrics_of

pytestmark = pytest.mark.usefixtures("nothing_failed")

SEND = "django.signal.send.duration"
RECEIVER = "django.signal.receiver.duration"


class Measuring(Observer):
    """Calls ``Meters`` as a sink does."""

    def __init__(self, meters: Meters) -> None:
        self.meters = meters

    def left(self, index: int | None, ended: bool) -> None:
        if index is not None and ended:
            self.meters.received(self.dispatch, index)

    def finished(self, error: BaseException | None) -> None:
        self.meters.sent(self.dispatch, error)


class Measured:
    """A meter provider, and what was measured by it."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader])

    def metrics(self) -> dict[str, Any]:
        return {metric.name: metric for metric in metrics_of(self.reader)}

    def points(self, name: str) -> list[HistogramDataPoint]:
        metric = self.metrics().get(name)
        return [] if metric is None else list(metric.data.data_points)

    def attributes(self, name: str) -> list[dict[str, Any]]:
        return [dict(point.attributes) for point in self.points(name)]


@pytest.fixture
def measured() -> Iterator[Measured]:
    measured = Measured()
    yield measured
    measured.provider.shutdown()


order_placed = Signal()


def returns(**kwargs: Any) -> None:
    pass


def raises(**kwargs: Any) -> None:
    raise LookupError("gone")


async def returns_soon(**kwargs: Any) -> None:
    await asyncio.sleep(0)


async def waits(**kwargs: Any) -> None:
    await asyncio.sleep(0.01)
    let_an_hour_pass()
    await asyncio.sleep(3600)


async def fails(**kwargs: Any) -> None:
    await asyncio.sleep(0)
    raise LookupError("gone")


def send(method: SendMethod, meters: Meters, *receivers: Callable[..., Any]) -> None:
    for receiver in receivers:
        order_placed.connect(receiver)
    try:
        with listening(ObservedBy(lambda: Measuring(meters))):
            sending = getattr(order_placed, method)(None)
            if method.is_async:
                asyncio.run(sending)
    except LookupError:
        pass
    finally:
        for receiver in receivers:
            order_placed.disconnect(receiver)


def named(**others: str) -> dict[str, str]:
    return {"django.signal.name": f"{__name__}.order_placed"} | others


class TestHistograms:
    def test_of_a_send_and_its_receiver(self, measured: Measured) -> None:
        """Each is measured once, in seconds, in buckets that fit seconds."""
        send(SendMethod.SEND, Meters(measured.provider), returns)
        for name in (SEND, RECEIVER):
            assert measured.metrics()[name].unit == "s"
            [point] = measured.points(name)
            assert point.count == 1
            assert 0 < point.sum < 1
            assert tuple(point.explicit_bounds) == BOUNDARIES

    @pytest.mark.parametrize("method", SendMethod)
    def test_attributes_are_few(self, measured: Measured, method: SendMethod) -> None:
        """A send is told apart by signal and method, a receiver by signal and function."""
        send(method, Meters(measured.provider), returns)
        assert measured.attributes(SEND) == [named(**{"django.signal.method": method.value})]
        function = f"{__name__}.returns"
        assert measured.attributes(RECEIVER) == [named(**{"code.function.name": function})]

    def test_a_failure_has_a_type(self, measured: Measured) -> None:
        """What raised to the sender has error.type on both, the receiver before it on neither."""
        send(SendMethod.SEND, Meters(measured.provider), returns, raises)
        assert [each.get("error.type") for each in measured.attributes(SEND)] == ["LookupError"]
        types = {
            each["code.function.name"].rpartition(".")[2]: each.get("error.type")
            for each in measured.attributes(RECEIVER)
        }
        assert types == {"returns": None, "raises": "LookupError"}

    @pytest.mark.parametrize("method", [SendMethod.SEND_ROBUST, SendMethod.ASEND_ROBUST])
    def test_a_robust_send_has_not_failed(self, measured: Measured, method: SendMethod) -> None:
        """Under a robust send error.type is the receiver's alone."""
        send(method, Meters(measured.provider), fails if method.is_async else raises)
        assert [each.get("error.type") for each in measured.attributes(SEND)] == [None]
        assert [each["error.type"] for each in measured.attributes(RECEIVER)] == ["LookupError"]

    def test_error_type_is_the_whole_path(self, measured: Measured) -> None:
        """The class of an exception that is no builtin has its module before it."""

        class Gone(LookupError):
            pass

        def lost(**kwargs: Any) -> None:
            raise Gone

        send(SendMethod.SEND, Meters(measured.provider), lost)
        [attributes] = measured.attributes(SEND)
        assert attributes["error.type"] == f"{__name__}.{Gone.__qualname__}"

    def test_skipped_receivers_are_not_measured(self, measured: Measured) -> None:
        """A receiver that an earlier failure kept from running has no duration."""
        send(SendMethod.SEND, Meters(measured.provider), raises, returns)
        assert [each["code.function.name"] for each in measured.attributes(RECEIVER)] == [
            f"{__name__}.raises"
        ]

    def test_cancelled_receivers_have_not_failed(self, measured: Measured) -> None:
        """A receiver whose task is cancelled, and its send, are measured without error.type."""

        async def hurry(meters: Meters) -> None:
            order_placed.connect(waits)
            try:
                with listening(ObservedBy(lambda: Measuring(meters))):
                    async with asyncio.timeout(HALF_AN_HOUR):
                        await order_placed.asend(None)
            except TimeoutError:
                pass
            finally:
                order_placed.disconnect(waits)

        asyncio.run(hurry(Meters(measured.provider)))
        assert "error.type" not in measured.attributes(SEND)[0]
        assert "error.type" not in measured.attributes(RECEIVER)[0]
        assert measured.points(RECEIVER)[0].sum >= 0.01

    @pytest.mark.skipif(not SHARES_CONTEXT, reason="before 6.1 siblings of a failure run on")
    def test_siblings_cancelled_by_a_failure(self, measured: Measured) -> None:
        """On Django 6.1 the failure of one receiver gives its cancelled sibling no error.type."""
        send(SendMethod.ASEND, Meters(measured.provider), waits, fails)
        types = {
            each["code.function.name"].rpartition(".")[2]: each.get("error.type")
            for each in measured.attributes(RECEIVER)
        }
        assert types == {"waits": None, "fails": "LookupError"}

    def test_a_dispatch_that_nobody_receives(self, measured: Measured) -> None:
        """An orphan is measured as a send alone."""
        send(SendMethod.SEND, Meters(measured.provider))
        assert len(measured.points(SEND)) == 1
        assert measured.points(RECEIVER) == []


class TestExemplars:
    def test_lead_to_the_span(self, measured: Measured) -> None:
        """What is measured while a span is current has an exemplar with that span's ids."""
        tracer = TracerProvider().get_tracer("test")
        with tracer.start_as_current_span("the span") as span:
            send(SendMethod.SEND, Meters(measured.provider), returns)
        metrics = measured.metrics()  # once: an exemplar is handed out once
        for name in (SEND, RECEIVER):
            [point] = metrics[name].data.data_points
            [exemplar] = point.exemplars
            assert exemplar.trace_id == span.get_span_context().trace_id
            assert exemplar.span_id == span.get_span_context().span_id

    def test_are_not_made_up(self, measured: Measured) -> None:
        """Where no span is current there is no exemplar."""
        assert not trace.get_current_span().get_span_context().is_valid
        send(SendMethod.SEND, Meters(measured.provider), returns)
        assert measured.points(SEND)[0].exemplars == []


class TestThroughTheSink:
    @pytest.mark.parametrize("method", SendMethod)
    def test_exemplars_lead_to_their_spans(
        self, measured: Measured, traces: Traces, method: SendMethod
    ) -> None:
        """A dispatch's duration leads to its span, a receiver's to the receiver's own."""
        order_placed.connect(returns)
        order_placed.connect(returns_soon)
        try:
            with traces.listening(meter_provider=measured.provider):
                sending = getattr(order_placed, method)(None)
                if method.is_async:
                    asyncio.run(sending)
        finally:
            order_placed.disconnect(returns)
            order_placed.disconnect(returns_soon)
        metrics = measured.metrics()
        [sent] = metrics[SEND].data.data_points
        leads = {f"{method} {__name__}.order_placed": sent.exemplars}
        for point in metrics[RECEIVER].data.data_points:
            leads[f"receive {point.attributes['code.function.name']}"] = point.exemplars
        assert len(leads) == len(traces.spans) == 3
        for name, [exemplar] in leads.items():
            context = traces.named(name).context
            assert (exemplar.trace_id, exemplar.span_id) == (context.trace_id, context.span_id)

    def test_unsampled_traces_are_measured(self, measured: Measured) -> None:
        """What no span is kept of is measured all the same, without an exemplar."""
        traces = Traces(sampling.ALWAYS_OFF)
        order_placed.connect(returns)
        try:
            with traces.listening(meter_provider=measured.provider):
                order_placed.send(None)
        finally:
            order_placed.disconnect(returns)
        assert traces.spans == []
        metrics = measured.metrics()
        for name in (SEND, RECEIVER):
            [point] = metrics[name].data.data_points
            assert (point.count, point.exemplars) == (1, [])

    def test_can_be_turned_off(
        self, measured: Measured, traces: Traces, settings: Settings
    ) -> None:
        """With METRICS off nothing is measured, and spans are made as before."""
        settings.SIGNAL_INSPECTOR = {"TRACING": {"METRICS": False}}
        with traces.listening(meter_provider=measured.provider):
            order_placed.send(None)
        assert measured.metrics() == {}
        assert len(traces.spans) == 1


class TestCardinality:
    def test_is_bounded(self, measured: Measured) -> None:
        """Beyond the limit every receiver goes by one name, and is counted as dropped."""
        meters = Meters(measured.provider, limit=3)
        for number in range(10):

            def made(**kwargs: Any) -> None:
                pass

            made.__qualname__ = f"made_{number}"
            send(SendMethod.SEND, meters, made)
        functions = [each["code.function.name"] for each in measured.attributes(RECEIVER)]
        assert functions == [*(f"{__name__}.made_{number}" for number in range(3)), OTHER]
        assert measured.points(RECEIVER)[-1].count == 7
        assert internal_errors.drops() == {"metric attributes": 7}

    def test_losses_are_exported(self, measured: Measured) -> None:
        """How much was measured without its name is a metric of its own, beside the histograms."""
        metrics.observe(measured.provider)
        send(SendMethod.SEND, Meters(measured.provider, limit=0))
        points = measured.metrics()["django.signal.inspector.dropped"].data.data_points
        [point] = [point for point in points if point.value]
        assert dict(point.attributes) == {metrics.KIND: "metric attributes"}
        assert point.value == 1

    def test_failures_stay_failures(self, measured: Measured) -> None:
        """Beyond the limit a failure keeps an error.type, and what returned gets none."""
        meters = Meters(measured.provider, limit=0)
        send(SendMethod.SEND_ROBUST, meters, returns, raises)
        types = [each.get("error.type") for each in measured.attributes(RECEIVER)]
        assert types == [None, OTHER]

    def test_known_names_stay(self, measured: Measured) -> None:
        """What was known before the limit was reached is measured under its name after it."""
        meters = Meters(measured.provider, limit=1)
        send(SendMethod.SEND, meters, returns, raises)
        send(SendMethod.SEND, meters, returns)
        counts = {
            point.attributes["code.function.name"]: point.count
            for point in measured.points(RECEIVER)
        }
        assert counts == {f"{__name__}.returns": 2, OTHER: 1}

    def test_attributes_are_made_once(self, measured: Measured) -> None:
        """Two measurements of the same share one dict."""
        meters = Meters(measured.provider)
        send(SendMethod.SEND, meters, returns)
        [first] = meters._sends._known.values()
        send(SendMethod.SEND, meters, returns)
        [second] = meters._sends._known.values()
        assert first is second


class TestIdle:
    def test_without_a_provider(self) -> None:
        """Where the API is alone there is nothing to measure, until an SDK is set."""
        out = run_python(
            "from opentelemetry import metrics\n"
            "from signal_inspector.tracing.metrics import Meters\n"
            "meters = Meters()\n"
            "print(meters.is_idle())\n"
            "from opentelemetry.sdk.metrics import MeterProvider\n"
            "metrics.set_meter_provider(MeterProvider())\n"
            "print(meters.is_idle(), Meters().is_idle())\n"
        )
        assert out.split() == ["True", "False", "False"]

    def test_with_an_sdk_set_late(self) -> None:
        """Histograms made before the SDK was set measure what is sent after."""
        out = run_python(
            "from types import SimpleNamespace\n"
            "from opentelemetry import metrics\n"
            "from opentelemetry.sdk.metrics import MeterProvider\n"
            "from opentelemetry.sdk.metrics.export import InMemoryMetricReader\n"
            "from signal_inspector import Outcome\n"
            "from signal_inspector.core.record.values import SendMethod\n"
            "from signal_inspector.tracing.metrics import Meters\n"
            "dispatch = SimpleNamespace(signal='s', method=SendMethod.SEND, duration_ns=1500,\n"
            "                           outcome=Outcome.RETURNED)\n"
            "meters = Meters()\n"
            "meters.sent(dispatch, None)\n"
            "reader = InMemoryMetricReader()\n"
            "metrics.set_meter_provider(MeterProvider([reader]))\n"
            "meters.sent(dispatch, None)\n"
            "[scope] = reader.get_metrics_data().resource_metrics[0].scope_metrics\n"
            "for metric in scope.metrics:\n"
            "    if metric.name.endswith('send.duration'):\n"
            "        [point] = metric.data.data_points\n"
            "        print(point.count, point.sum, point.explicit_bounds[0])\n"
        )
        assert out.split() == ["1", "1.5e-06", "0.0001"]

    def test_with_a_provider_that_does_nothing(self) -> None:
        """A provider whose meters measure nothing is idle too."""
        assert Meters(NoOpMeterProvider()).is_idle()

    def test_with_a_disabled_sdk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """OTEL_SDK_DISABLED=true leaves nothing to measure."""
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        assert Meters(MeterProvider()).is_idle()

    def test_with_a_provider_that_measures(self, measured: Measured) -> None:
        """A provider of an SDK is not idle."""
        assert not Meters(measured.provider).is_idle()

    def test_with_meters_of_another_make(self) -> None:
        """Histograms of an unknown make are taken to measure."""

        class Foreign(MeterProvider):
            def get_meter(self, *args: Any, **kwargs: Any) -> Any:
                return ForeignMeter()

        class ForeignMeter:
            def create_histogram(self, *args: Any, **kwargs: Any) -> object:
                return object()

        assert not Meters(Foreign()).is_idle()


def test_what_turned_out_to_be_no_dispatch_is_not_measured(measured: Measured) -> None:
    """A method of a signal's own that had nobody to call is no failure of ours either."""
    with listening(TracingSink(meter_provider=measured.provider)):
        Chained().send_chained(None, 1)
    assert measured.points(SEND) == []
