"""The histograms of a shop that exports by hand, as a collector received them."""

from __future__ import annotations

from tests.otlp.arrived import Metric
from tests.otlp.running import Run
from tests.otlp.test_traces import DECLINED, RECEIVERS, SIGNALS

BOUNDARIES = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


def sends(ran: Run) -> Metric:
    return ran.arrived.metrics["django.signal.send.duration"]


def calls(ran: Run) -> Metric:
    return ran.arrived.metrics["django.signal.receiver.duration"]


def test_units(ran: Run) -> None:
    """Both histograms are in seconds and have boundaries for what takes microseconds, or long."""
    for metric in (sends(ran), calls(ran)):
        assert metric.unit == "s"
        assert metric.description
        assert metric.scope == "signal_inspector"
        for point in metric.points:
            assert point.boundaries == BOUNDARIES
            assert sum(point.bucket_counts) == point.count


def test_sends(ran: Run) -> None:
    """Each dispatch is counted once by signal and method, sampled or not; failed ones apart."""
    found = {
        (
            point.attributes["django.signal.name"].removeprefix(f"{SIGNALS}."),
            point.attributes["django.signal.method"],
            point.attributes.get("error.type"),
        ): point.count
        for point in sends(ran).points
    }
    assert found == {
        ("order_placed", "send", None): 2,
        ("invoice_sent", "send", None): 2,
        ("order_refused", "send", DECLINED): 1,
        ("order_cancelled", "send_robust", None): 1,
        ("order_paid", "asend", None): 1,
        ("order_forgotten", "send", None): 1,
    }


def test_receiver_calls(ran: Run) -> None:
    """Each receiver call that ran is counted once; one that never ran is not."""
    found = {
        (
            point.attributes["code.function.name"].removeprefix(f"{RECEIVERS}."),
            point.attributes.get("error.type"),
        ): point.count
        for point in calls(ran).points
    }
    assert found == {
        ("reserve_stock", None): 2,
        ("count_order", None): 2,
        ("send_invoice", None): 2,
        ("archive_invoice", None): 2,
        ("look_at_order", None): 1,
        ("charge_card", DECLINED): 1,
        ("refund", DECLINED): 1,
        ("restock", None): 1,
        ("close_order", None): 1,
        ("thank", None): 1,
        ("tell_warehouse", None): 1,
    }


def test_attributes(ran: Run) -> None:
    """A measurement holds names alone: no id, no value of an argument."""
    for metric, own in ((sends(ran), "django.signal.method"), (calls(ran), "code.function.name")):
        for point in metric.points:
            assert set(point.attributes) - {"error.type"} == {"django.signal.name", own}


def test_durations(ran: Run) -> None:
    """A send takes at least as long as its receivers, in the histograms as in the traces."""
    placed = sends(ran).point(
        django__signal__name=f"{SIGNALS}.order_placed", django__signal__method="send"
    )
    of_receivers = [
        point
        for point in calls(ran).points
        if point.attributes["django.signal.name"] == f"{SIGNALS}.order_placed"
    ]
    assert 0 < sum(point.sum for point in of_receivers) <= placed.sum
    assert placed.sum < 60


def test_exemplars(ran: Run) -> None:
    """A measurement leads to the very span that it measured."""
    spans = {(span.trace_id, span.span_id): span for span in ran.arrived.spans}
    for metric, name in (
        (sends(ran), "send_robust signals.order_cancelled"),
        (calls(ran), "receive receivers.refund"),
    ):
        span = ran.span("cancel", name)
        points = [
            point for point in metric.points if point.attributes.items() <= span.attributes.items()
        ]
        assert [point.exemplars for point in points] == [{(span.trace_id, span.span_id)}]
    for metric in (sends(ran), calls(ran)):
        for point in metric.points:
            for exemplar in point.exemplars:
                assert point.attributes.items() <= spans[exemplar].attributes.items()
