"""What an operator sets up: a provider, a batch processor, and an exporter that writes a file.

Environment: SPANS_IN is a directory; each process appends to a file of its own there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from opentelemetry import trace
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


class LineExporter(SpanExporter):
    """Appends each span as one line of JSON."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        path = Path(os.environ["SPANS_IN"], f"{os.getpid()}.jsonl")
        with path.open("a") as file:
            file.writelines(json.dumps(plain(span)) + "\n" for span in spans)
        return SpanExportResult.SUCCESS


def plain(span: ReadableSpan) -> dict[str, object]:
    return {
        "name": span.name,
        "trace": span.context.trace_id,
        "id": span.context.span_id,
        "parent": span.parent.span_id if span.parent else None,
        "attributes": dict(span.attributes or {}),
        "status": span.status.status_code.name,
        "instance": span.resource.attributes.get("service.instance.id"),
    }


def set_up() -> TracerProvider:
    """Make the provider of this process. It flushes at exit, where the interpreter gets there."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(LineExporter()))
    trace.set_tracer_provider(provider)
    return provider


def set_up_web() -> TracerProvider:
    """The same, with a span for each request. Before the handler reads MIDDLEWARE."""
    provider = set_up()
    DjangoInstrumentor().instrument()
    return provider
