"""What arrived, as objects that are pleasant to assert on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from tests.otlp.collector import Passed


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    name: str
    attributes: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Span:
    name: str
    kind: str  # "internal", "server", "client"
    trace_id: str
    span_id: str
    parent_id: str  # "" where there is none
    start_ns: int
    end_ns: int
    status: str  # "unset", "ok", "error"
    description: str
    attributes: dict[str, Any]
    events: list[SpanEvent]
    scope: str
    scope_version: str
    schema_url: str
    service: str
    children: list[Span] = field(default_factory=list, repr=False)

    def outline(self, depth: int = 0) -> list[str]:
        """Its name and, indented and in the order they started, those of all under it."""
        lines = ["  " * depth + self.name]
        for child in self.children:
            lines += child.outline(depth + 1)
        return lines

    def walk(self) -> Iterator[Span]:
        """Itself and all under it."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One set of attributes of a histogram, with all that was measured in the process."""

    attributes: dict[str, Any]
    count: int
    sum: float
    boundaries: tuple[float, ...]
    bucket_counts: tuple[int, ...]
    exemplars: frozenset[tuple[str, str]]  # trace id and span id; seen in any export


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    name: str
    unit: str
    description: str
    scope: str
    points: tuple[Point, ...]

    def point(self, **attributes: object) -> Point:
        """The only point whose attributes are these; dots are written as two underscores."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}
        (found,) = (point for point in self.points if point.attributes == wanted)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log record."""

    event_name: str
    severity: str
    body: Any
    attributes: dict[str, Any]
    trace_id: str
    span_id: str
    scope: str


class Arrived:
    """Everything that a collector passed on."""

    def __init__(self, passed: Passed) -> None:
        self.spans = list(_spans(passed))
        self.metrics = {metric.name: metric for metric in _metrics(passed)}
        self.counters = _counters(passed)
        self.logs = list(_logs(passed))
        by_id = {span.span_id: span for span in self.spans}
        for span in sorted(self.spans, key=lambda span: span.start_ns):
            if span.parent_id in by_id:
                by_id[span.parent_id].children.append(span)

    def trace(self, trace_id: str) -> list[Span]:
        """Every span of a trace."""
        return [span for span in self.spans if span.trace_id == trace_id]

    def tops(self, trace_id: str) -> list[Span]:
        """Those spans of a trace whose parent did not arrive."""
        trace = self.trace(trace_id)
        below = {child.span_id for span in trace for child in span.children}
        return [span for span in trace if span.span_id not in below]

    def outline(self, trace_id: str) -> list[str]:
        """The whole trace, see ``Span.outline``."""
        return [line for top in self.tops(trace_id) for line in top.outline()]

    def logs_of(self, trace_id: str) -> list[Log]:
        return [log for log in self.logs if log.trace_id == trace_id]


def _spans(passed: Passed) -> Iterator[Span]:
    for request in passed.traces:
        for resource in request.resource_spans:
            service = _attributes(resource.resource.attributes).get("service.name", "")
            for scope in resource.scope_spans:
                for span in scope.spans:
                    yield Span(
                        name=span.name,
                        kind=_word(SpanMessage.SpanKind.Name(span.kind)),
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        start_ns=span.start_time_unix_nano,
                        end_ns=span.end_time_unix_nano,
                        status=_word(Status.StatusCode.Name(span.status.code)),
                        description=span.status.message,
                        attributes=_attributes(span.attributes),
                        events=[
                            SpanEvent(name=event.name, attributes=_attributes(event.attributes))
                            for event in span.events
                        ],
                        scope=scope.scope.name,
                        scope_version=scope.scope.version,
                        schema_url=scope.schema_url,
                        service=service,
                    )


def _metrics(passed: Passed) -> Iterator[Metric]:
    """The histograms as their last export left them: each holds all those before it."""
    last: dict[str, tuple[str, Any]] = {}
    exemplars: dict[tuple[str, frozenset[tuple[str, Any]]], set[tuple[str, str]]] = {}
    for scope_name, metric in _exported(passed):
        if not metric.HasField("histogram"):
            continue
        temporality = metric.histogram.aggregation_temporality
        assert temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        last[metric.name] = (scope_name, metric)
        for point in metric.histogram.data_points:
            # The SDK tells of an exemplar in one export only.
            exemplars.setdefault(_key(metric, point), set()).update(
                (each.trace_id.hex(), each.span_id.hex()) for each in point.exemplars
            )
    for scope_name, metric in last.values():
        yield Metric(
            name=metric.name,
            unit=metric.unit,
            description=metric.description,
            scope=scope_name,
            points=tuple(
                Point(
                    attributes=_attributes(point.attributes),
                    count=point.count,
                    sum=point.sum,
                    boundaries=tuple(point.explicit_bounds),
                    bucket_counts=tuple(point.bucket_counts),
                    exemplars=frozenset(exemplars[_key(metric, point)]),
                )
                for point in metric.histogram.data_points
            ),
        )


def _counters(passed: Passed) -> dict[str, list[tuple[dict[str, Any], int]]]:
    """What each counter's last export says, by name: attributes and value."""
    return {
        metric.name: [
            (_attributes(point.attributes), point.as_int) for point in metric.sum.data_points
        ]
        for _, metric in _exported(passed)
        if metric.HasField("sum")
    }


def _exported(passed: Passed) -> Iterator[tuple[str, Any]]:
    """Each metric of each export, with the name of its scope."""
    for request in passed.metrics:
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                yield from ((scope.scope.name, metric) for metric in scope.metrics)


def _key(metric: Any, point: Any) -> tuple[str, frozenset[tuple[str, Any]]]:
    return metric.name, frozenset(_attributes(point.attributes).items())


def _logs(passed: Passed) -> Iterator[Log]:
    for request in passed.logs:
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    yield Log(
                        event_name=record.event_name,
                        severity=record.severity_text,
                        body=_value(record.body),
                        attributes=_attributes(record.attributes),
                        trace_id=record.trace_id.hex(),
                        span_id=record.span_id.hex(),
                        scope=scope.scope.name,
                    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    return tuple(_value(item) for item in found.values) if kind == "array_value" else found


def _word(constant: str) -> str:
    """``SPAN_KIND_SERVER`` as ``server``."""
    return constant.rsplit("_", 1)[-1].lower()
