"""OpenTelemetry for the shop: into a file that the page /traces/ reads, and over OTLP if asked.

``wsgi.py`` and ``asgi.py`` call ``start()``, so that what serves requests is traced, and nothing
else: no command, no test, and of runserver not the process that only watches files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string
from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import Link, Span, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from config.optional import TELEMETRY_OF_POSTGRES, is_there
from traces.files import RotatingFile

#: Requests without a trace: pages about traces, the toolbar's own, and an icon.
UNTRACED = "/traces/,/__debug__/,/favicon.ico"
#: Where the exporters of a protocol live.
OTLP = {
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
}
DELAY_MS = 200  # so that whoever follows a link to a trace finds it
QUEUE = 65_536  # spans: an import of thousands of rows makes them faster than they are written

_provider: TracerProvider | None = None


class NoStatementAlone(Sampler):
    """Lets a database statement start no trace: outside of a request it is nobody's question."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        if kind is SpanKind.CLIENT:
            return SamplingResult(Decision.DROP)
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        return "NoStatementAlone"


class WithoutQuoting(BatchSpanProcessor):
    """Leaves out what Django asks SQLite for only to show a statement with its parameters.

    It does so for each statement when DEBUG is set, and the toolbar does so once more.
    """

    def on_end(self, span: ReadableSpan) -> None:
        attributes = span.attributes or {}
        statement = attributes.get("db.query.text") or attributes.get("db.statement")
        if not str(statement).startswith("SELECT QUOTE("):
            super().on_end(span)


def start() -> None:
    """Trace this process from now on: its requests, signals and statements."""
    global _provider
    if _provider is not None:
        return
    # Today's names of attributes, where the instrumentations still begin with older ones.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    known = trace.get_tracer_provider()
    # Under opentelemetry-instrument there is one already, with its own ways out.
    _provider = known if isinstance(known, TracerProvider) else _new_provider()
    file = RotatingFile(settings.TRACES_FILE, settings.TRACES_FILE_BYTES)
    exporter = FileSpanExporter(stream=file)  # type: ignore[arg-type]
    _provider.add_span_processor(
        WithoutQuoting(exporter, max_queue_size=QUEUE, schedule_delay_millis=DELAY_MS)
    )
    for instrumentor, options in _instrumentors():
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument(**options)


def flush() -> None:
    """Write down what this process has still in its queue."""
    if _provider is not None:
        _provider.force_flush()


def _instrumentors() -> Iterator[tuple[BaseInstrumentor, dict[str, Any]]]:
    yield DjangoInstrumentor(), {"excluded_urls": UNTRACED, "request_hook": _note_path}
    yield SQLite3Instrumentor(), {}
    if "postgresql" in settings.DATABASES["default"]["ENGINE"] and is_there(TELEMETRY_OF_POSTGRES):
        yield import_string(f"{TELEMETRY_OF_POSTGRES}.PsycopgInstrumentor")(), {}


def _note_path(span: Span, request: HttpRequest) -> None:
    """Django's own server does not tell the instrumentation what was asked for."""
    if span.is_recording():
        span.set_attribute("url.path", request.path)


def _new_provider() -> TracerProvider:
    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "bunting")})
    own = None if "OTEL_TRACES_SAMPLER" in os.environ else ParentBased(NoStatementAlone())
    provider = TracerProvider(resource=resource, sampler=own)
    trace.set_tracer_provider(provider)
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        _export_over_otlp(provider, resource)
    return provider


def _export_over_otlp(provider: TracerProvider, resource: Resource) -> None:
    """Send traces, metrics and logs where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    base = OTLP[os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")]
    spans = import_string(f"{base}.trace_exporter.OTLPSpanExporter")()
    provider.add_span_processor(WithoutQuoting(spans, max_queue_size=QUEUE))
    if _wanted("METRICS"):
        figures = import_string(f"{base}.metric_exporter.OTLPMetricExporter")()
        readers = [PeriodicExportingMetricReader(figures)]
        metrics.set_meter_provider(MeterProvider(metric_readers=readers, resource=resource))
    if _wanted("LOGS"):
        lines = import_string(f"{base}._log_exporter.OTLPLogExporter")()
        logs = LoggerProvider(resource=resource)
        logs.add_log_record_processor(BatchLogRecordProcessor(lines))
        set_logger_provider(logs)


def _wanted(what: str) -> bool:
    """Whether this sort is exported: a backend may take traces alone."""
    return os.environ.get(f"OTEL_{what}_EXPORTER", "otlp") == "otlp"
