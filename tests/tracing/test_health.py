"""What the counters of the inspector's own losses and failures say, and of whom."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from pytest_django import Settings

from signal_inspector.core import internal_errors
from signal_inspector.tracing import metrics
from tests.listening import run_python
from tests.tracing.spans import Traces, metrics_of

DROPPED = "django.signal.inspector.dropped"
FAILURES = "django.signal.inspector.failures"

Counts = dict[str, int]


@pytest.fixture(autouse=True)
def _counts_are_ours() -> Iterator[None]:
    """The counts of the process start and end empty."""
    internal_errors.reset()
    yield
    internal_errors.reset()


def fail(kind: str) -> None:
    internal_errors.report(kind, ValueError())


def read(reader: InMemoryMetricReader, *, with_zeros: bool = False) -> dict[str, Counts]:
    exported = metrics_of(reader)
    assert len({metric.name for metric in exported}) == len(exported)
    found = {
        metric.name: {
            point.attributes[metrics.KIND]: point.value
            for point in metric.data.data_points
            if point.value or with_zeros
        }
        for metric in exported
    }
    return {name: counts for name, counts in found.items() if counts}


@pytest.fixture
def reader() -> Iterator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    metrics.observe(provider)
    yield reader
    provider.shutdown()


class TestCounters:
    def test_tell_each_kind(self, reader: InMemoryMetricReader) -> None:
        """What was dropped and what failed is counted by kind."""
        internal_errors.drop("dispatches", 3)
        internal_errors.drop("metric attributes")
        fail("payload")
        fail("payload")
        assert read(reader) == {
            DROPPED: {"dispatches": 3, "metric attributes": 1},
            FAILURES: {"payload": 2},
        }

    def test_go_on(self, reader: InMemoryMetricReader) -> None:
        """Each reading tells all that happened so far, as a cumulative counter does."""
        internal_errors.drop("dispatches")
        read(reader)
        internal_errors.drop("dispatches")
        assert read(reader)[DROPPED] == {"dispatches": 2}

    def test_begin_at_zero(self, reader: InMemoryMetricReader) -> None:
        """What may fail is exported before it does: an alert on the increase needs that."""
        with Traces().listening():
            found = read(reader, with_zeros=True)
        assert set(found) == {DROPPED, FAILURES}
        assert {"dispatches": 0, "metric attributes": 0}.items() <= found[DROPPED].items()
        assert {
            "opening a record",
            "gathering the payload",
            "tracing RECEIVER_HOOK",
            "sink signal_inspector.tracing.sink.TracingSink.observer_for",
        } <= set(found[FAILURES])
        assert {*found[DROPPED].values(), *found[FAILURES].values()} == {0}

    def test_are_monotonic(self, reader: InMemoryMetricReader) -> None:
        """A backend may draw them as rates."""
        internal_errors.drop("dispatches")
        metric = metrics_of(reader)[0]
        assert metric.data.is_monotonic
        assert metric.unit == "{item}"


class TestRegistration:
    def test_happens_once(self) -> None:
        """Observing a provider again asks it for nothing more."""
        asked: list[str] = []

        class Asked(MeterProvider):
            def get_meter(self, name: str, *args: object, **kwargs: object):  # type: ignore[no-untyped-def]
                asked.append(name)
                return super().get_meter(name, *args, **kwargs)  # type: ignore[arg-type]

        provider = Asked()
        metrics.observe(provider)
        metrics.observe(provider)
        assert asked == ["signal_inspector"]
        provider.shutdown()

    def test_keeps_no_provider_alive(self) -> None:
        """A provider that is thrown away is collected."""
        provider = MeterProvider(shutdown_on_exit=False)
        metrics.observe(provider)
        gone = weakref.ref(provider)
        provider.shutdown()
        del provider
        gc.collect()
        assert gone() is None

    def test_before_and_after_the_sdk_is_set(self) -> None:
        """Observed as the API's stand-in and as itself, the global provider counts once."""
        out = run_python(
            "from opentelemetry import metrics\n"
            "from opentelemetry.sdk.metrics import MeterProvider\n"
            "from opentelemetry.sdk.metrics.export import InMemoryMetricReader\n"
            "from signal_inspector.core import internal_errors\n"
            "from signal_inspector.tracing.metrics import observe\n"
            "asked = []\n"
            "class Asked(MeterProvider):\n"
            "    def get_meter(self, name, *args, **kwargs):\n"
            "        asked.append(name)\n"
            "        return super().get_meter(name, *args, **kwargs)\n"
            "observe()\n"
            "reader = InMemoryMetricReader()\n"
            "provider = Asked([reader])\n"
            "metrics.set_meter_provider(provider)\n"
            "observe()\n"
            "observe(provider)\n"
            "internal_errors.drop('dispatches')\n"
            "metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics\n"
            "[metric] = [metric for metric in metrics if metric.name.endswith('dropped')]\n"
            "[point] = [point for point in metric.data.data_points if point.value]\n"
            "print(asked, metric.name, point.value)\n"
        )
        assert out.split() == ["['signal_inspector']", DROPPED, "1"]

    def test_each_provider_has_its_own(self, reader: InMemoryMetricReader) -> None:
        """Two providers both tell what happened in the process."""
        other = InMemoryMetricReader()
        provider = MeterProvider([other])
        metrics.observe(provider)
        internal_errors.drop("dispatches")
        assert read(reader) == read(other) == {DROPPED: {"dispatches": 1}}
        provider.shutdown()


class TestThroughTheSink:
    @pytest.mark.parametrize("metrics", [True, False])
    def test_go_with_the_histograms(
        self, traces: Traces, settings: Settings, metrics: bool
    ) -> None:
        """A sink lets its meter provider read the counts, unless METRICS is off."""
        settings.SIGNAL_INSPECTOR = {"TRACING": {"METRICS": metrics}}
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader], shutdown_on_exit=False)
        with traces.listening(meter_provider=provider):
            internal_errors.drop("dispatches")
        assert read(reader) == ({DROPPED: {"dispatches": 1}} if metrics else {})
        provider.shutdown()
