"""``TracingSink`` beside spans written by hand, with the same providers.

Each turn is a request: it runs in a span of the same provider. "sampled" goes through the SDK's
own batch processor to an exporter that throws away. Its thread works beside the sends, and what
it has left in the queue is flushed before the clock stops: so its processor time is in the
figure, and no span is dropped, which would be cheaper than to export it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.dispatch import Signal
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

from signal_inspector.core.listening.sinks import add_sink, remove_sink
from signal_inspector.tracing import TracingSink
from tests.benchmarks import contest, handwritten
from tests.benchmarks.contest import API_ONLY, SAMPLED, UNSAMPLED
from tests.benchmarks.measure import FIRST, SENDS, Contestant, turn

#: More spans than a turn makes: the queue never drops one.
_QUEUE: Final = 1 << 14

METHOD: Final = """\
Tracing: each turn runs in the span of a request, of the same provider; metrics are off where it
does not say so. "sampled" is the SDK's batch processor with an exporter that throws away; the
exporting thread's processor time is part of the figure, the queue is flushed before the clock
stops, and no span is dropped (they are counted). Encoding and sending are not part of it."""


class Nowhere(SpanExporter):
    """Counts spans and lets go of them."""

    def __init__(self) -> None:
        self.count = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.count += len(spans)
        return SpanExportResult.SUCCESS


class Tracing:
    """What all contestants of one case share: the provider, or that there is none."""

    def __init__(self, case: str, sampler: Sampler | None) -> None:
        self.case = case
        self.samples = sampler is ALWAYS_ON
        self._exporter = Nowhere()
        self._provider: TracerProvider | None = None
        if sampler is not None:
            self._provider = TracerProvider(sampler=ParentBased(sampler), shutdown_on_exit=False)
            processor = BatchSpanProcessor(self._exporter, max_queue_size=_QUEUE)
            self._provider.add_span_processor(processor)
        self._tracer = trace.get_tracer("by hand", tracer_provider=self._provider)

    def contestants(self, receivers: int) -> list[Contestant]:
        """Ours, and both ways to do the same by hand."""
        by_hand = _traced_signal(self._tracer, receivers, handwritten.by_hand_receiver)
        managed = _traced_signal(self._tracer, receivers, handwritten.context_manager_receiver)
        name = contest.name_of(receivers)
        bare = contest.bare_send()
        return [
            self._ours(self.case, receivers),
            self._contestant(
                f"{self.case}: by hand",
                handwritten.by_hand_send(self._tracer, name, bare),
                by_hand,
                receivers,
            ),
            self._contestant(
                f"{self.case}: context managers",
                handwritten.context_manager_send(self._tracer, name, bare),
                managed,
                receivers,
            ),
        ]

    def with_metrics(self, receivers: int) -> Contestant:
        """Ours with the SDK's histograms."""
        meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
        return self._ours(f"{self.case}, with metrics", receivers, meters)

    def close(self) -> None:
        """End the exporting thread."""
        if self._provider is not None:
            self._provider.shutdown()

    def _ours(
        self, case: str, receivers: int, meter_provider: MeterProvider | None = None
    ) -> Contestant:
        sink = TracingSink(tracer_provider=self._provider, meter_provider=meter_provider)
        return self._contestant(case, Signal.send, contest.SIGNALS[receivers], receivers, sink)

    def _contestant(
        self,
        name: str,
        send: Callable[..., Any],
        signal: Signal,
        receivers: int,
        sink: TracingSink | None = None,
    ) -> Contestant:
        spans = (FIRST + SENDS) * (receivers + 1) + 1 if self.samples else 0
        take = turn(send, signal, lambda: self._request(spans, sink), self._settle)
        return Contestant(name, take)

    @contextmanager
    def _request(self, spans: int, sink: TracingSink | None) -> Iterator[None]:
        if sink is not None:
            add_sink(sink)
        before = self._exporter.count
        try:
            with self._tracer.start_as_current_span("GET /"):
                yield
        finally:
            if sink is not None:
                remove_sink(sink)
        self._settle()
        assert self._exporter.count - before == spans, "spans are missing, or doubled"

    def _settle(self) -> None:
        if self.samples and self._provider is not None:
            self._provider.force_flush()


def _traced_signal(
    tracer: trace.Tracer, receivers: int, traced: handwritten.TraceReceiver
) -> Signal:
    signal = Signal()
    name = contest.name_of(receivers)
    for receiver in contest.sync_receivers(receivers):
        signal.connect(traced(tracer, name, receiver), weak=False)
    return signal


def cases() -> list[list[Tracing]]:
    """The cases, by contest: spans that are made would leave the caches cold for the others."""
    return [
        [Tracing(API_ONLY, None), Tracing(UNSAMPLED, ALWAYS_OFF)],
        [Tracing(SAMPLED, ALWAYS_ON)],
    ]


def contestants(tracings: Sequence[Tracing], receivers: int) -> list[Contestant]:
    """Those of one contest, beside bare Django."""
    bare = Contestant(contest.BARE, turn(contest.bare_send(), contest.SIGNALS[receivers]))
    found = [bare]
    for tracing in tracings:
        found += tracing.contestants(receivers)
        if tracing.samples:
            found.append(tracing.with_metrics(receivers))
    return found
