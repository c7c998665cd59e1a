"""An order in the example shop, as a collector received it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.otlp.arrived import Arrived
from tests.otlp.collector import Collector
from tests.test_example_traces import filled, order  # noqa: F401 - a fixture


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"], ids=["grpc", "http"])
def ordered(
    request: pytest.FixtureRequest,
    rotel: Path,
    filled: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[list[dict[str, Any]], Arrived]]:
    """The spans that the shop has written for its own page, and what arrived."""
    collector = Collector(rotel, tmp_path_factory.mktemp("collector"))
    try:
        written = order(
            filled,
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint(request.param),
            OTEL_EXPORTER_OTLP_PROTOCOL=request.param,
        )
        collector.stop()
        yield written, Arrived(collector.passed)
    finally:
        collector.kill()


def test_spans(ordered: tuple[list[dict[str, Any]], Arrived]) -> None:
    """All that the shop's page shows has arrived: the same spans under the same parents."""
    written, arrived = ordered
    assert sorted(
        (span["traceId"], span["spanId"], span.get("parentSpanId", ""), span["name"])
        for span in written
    ) == sorted((span.trace_id, span.span_id, span.parent_id, span.name) for span in arrived.spans)


def test_order(ordered: tuple[list[dict[str, Any]], Arrived]) -> None:
    """Under the request is the dispatch, under it receivers, and under these their statements."""
    _, arrived = ordered
    (request,) = (span for span in arrived.spans if span.name == "POST checkout/")
    assert (request.kind, request.service) == ("server", "bunting")
    (placed,) = (span for span in request.children if span.name.endswith(".order_placed"))
    (award,) = (span for span in placed.children if span.name.endswith(".award_points"))
    assert [span.kind for span in award.children] == ["client"]
    assert "loyalty_loyaltyaccount" in award.children[0].attributes["db.query.text"]
    assert (placed.status, award.status) == ("unset", "error")


def test_metrics_and_logs(ordered: tuple[list[dict[str, Any]], Arrived]) -> None:
    """The order's histograms and the record of the failure that was swallowed arrive too."""
    _, arrived = ordered
    (award,) = (span for span in arrived.spans if span.name.endswith(".award_points"))
    failures = [
        point
        for point in arrived.metrics["django.signal.receiver.duration"].points
        if "error.type" in point.attributes
    ]
    assert [point.exemplars for point in failures] == [{(award.trace_id, award.span_id)}]
    (log,) = (log for log in arrived.logs if log.scope == "signal_inspector")
    assert (log.trace_id, log.span_id) == (award.trace_id, award.span_id)
