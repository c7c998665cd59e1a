"""Spans kept in memory, and the tree they make; what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from signal_inspector.core.listening.sinks import add_sink, remove_sink
from signal_inspector.tracing import TracingSink


def metrics_of(reader: InMemoryMetricReader) -> list[Metric]:
    """What has been measured, by all instruments."""
    data = reader.get_metrics_data()
    return [
        metric
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]


class Traces:
    """A provider whose spans stay in memory, and a tracer of the user's own on it."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self.provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("user")

    @contextmanager
    def listening(self, **arguments: Any) -> Iterator[TracingSink]:
        """Trace with a sink of these arguments for a while."""
        sink = TracingSink(tracer_provider=self.provider, **arguments)
        add_sink(sink)  # which outlives a change of settings
        try:
            yield sink
        finally:
            remove_sink(sink)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order they started."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> ReadableSpan:
        """The one span of this name, or that ends with it."""
        [span] = [span for span in self.spans if span.name.endswith(name)]
        return span

    def tree(self) -> list[Any]:
        """The names of the spans, each with those of its children: ``[("send x", [...])]``."""
        known = {span.context.span_id for span in self.spans}
        roots = [
            span for span in self.spans if span.parent is None or span.parent.span_id not in known
        ]
        return [self._branch(span) for span in roots]

    def _branch(self, span: ReadableSpan) -> Any:
        children = [
            self._branch(each)
            for each in self.spans
            if each.parent is not None and each.parent.span_id == span.context.span_id
        ]
        name = span.name.replace(" tests.tracing.", " ")
        return (name, children) if children else name

    def clear(self) -> None:
        self._exporter.clear()
