"""A project that knows nothing of us, traced by `opentelemetry-instrument` and the environment."""

from __future__ import annotations

import os
from importlib.metadata import entry_points

import pytest

from tests.otlp.conftest import Start
from tests.otlp.running import Run, Way
from tests.otlp.test_traces import DECLINED

GROUP = "opentelemetry_instrumentor"


@pytest.fixture(scope="module")
def start(start: Start) -> Start:
    """The same, where Signal Inspector is installed as a distribution."""
    if not entry_points(group=GROUP, name="signal_inspector"):
        missing = "Signal Inspector is not installed here: `pip install -e .` makes it known"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return start


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"], ids=["grpc", "http"])
def ran(request: pytest.FixtureRequest, start: Start) -> Run:
    """The shop with no line of code for traces, nor Signal Inspector among its apps."""
    return start(Way(protocol=request.param, settings="settings", by_hand=False))


def test_order(ran: Run) -> None:
    """The whole tree of an order arrives."""
    assert ran.outline("place") == [
        "GET place/",
        "  INSERT",
        "  send signals.order_placed",
        "    receive receivers.reserve_stock",
        "      INSERT",
        "    receive receivers.count_order",
        "    receive receivers.send_invoice",
        "      UPDATE",
        "      send signals.invoice_sent",
        "        receive receivers.archive_invoice",
        "          INSERT",
    ]


def test_failures(ran: Run) -> None:
    """Failures arrive as they do from a project that exports by hand."""
    assert ran.span("refuse", "send signals.order_refused").status == "error"
    assert ran.span("cancel", "receive receivers.refund").status == "error"
    assert ran.span("cancel", "send_robust signals.order_cancelled").status == "unset"


def test_async_send(ran: Run) -> None:
    """So do async sends."""
    assert sorted(ran.outline("pay")) == sorted(
        [
            "GET pay/",
            "  asend signals.order_paid",
            "    receive receivers.close_order",
            "      INSERT",
            "    receive receivers.thank",
            "      INSERT",
            "    receive receivers.tell_warehouse",
            "      SELECT",
        ]
    )


def test_metrics(ran: Run) -> None:
    """So do the histograms."""
    for name in ("django.signal.send.duration", "django.signal.receiver.duration"):
        assert ran.arrived.metrics[name].unit == "s"
        assert ran.arrived.metrics[name].points


def test_once(ran: Run) -> None:
    """No span arrives twice."""
    ids = [span.span_id for span in ran.arrived.spans]
    assert len(ids) == len(set(ids))


def test_orphan(ran: Run) -> None:
    """A dispatch that nobody received is seen here too."""
    assert ran.outline("forget") == ["GET forget/", "  send signals.order_forgotten"]


def test_listed_as_well(start: Start) -> None:
    """Nothing doubles where the project also names the sink in its settings."""
    ran = start(Way(protocol="http/protobuf", by_hand=False))
    assert ran.outline("cancel") == [
        "GET cancel/",
        "  send_robust signals.order_cancelled",
        "    receive receivers.refund",
        "    receive receivers.restock",
        "      INSERT",
    ]
    (event,) = ran.span("cancel", "receive receivers.refund").events
    assert event.attributes["exception.type"] == DECLINED
    metric = ran.arrived.metrics["django.signal.receiver.duration"]
    assert {point.count for point in metric.points} == {1, 2}  # "place" was visited twice
