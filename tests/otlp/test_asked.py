"""What settings of TRACING ask for beyond the usual, as a collector received it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.otlp.conftest import Start
from tests.otlp.running import Run, Way
from tests.otlp.test_traces import DECLINED, OWNER, RECEIVERS, SIGNALS, ours


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"], ids=["grpc", "http"])
def ran(request: pytest.FixtureRequest, start: Start) -> Run:
    """A shop that logs failures, has hooks, and keeps to itself what exceptions say."""
    return start(Way(protocol=request.param, settings="asked_settings"))


def texts(ran: Run) -> Iterator[str]:
    """All that Signal Inspector has told: names, descriptions, attributes, bodies."""
    for span in ran.arrived.spans:
        if span.scope == "signal_inspector":
            yield f"{span.name} {span.description} {span.attributes} {span.events}"
    for log in ran.arrived.logs:
        if log.scope == "signal_inspector":
            yield f"{log.body} {log.attributes}"


def test_swallowed_failure(ran: Run) -> None:
    """A failure that a robust send swallowed is logged once, in the context of its receiver."""
    (log,) = (log for log in ran.arrived.logs if log.scope == "signal_inspector")
    span = ran.span("cancel", "receive receivers.refund")
    assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)
    assert log.event_name == "django.signal.receiver.exception"
    assert log.severity == "ERROR"
    assert f"{RECEIVERS}.refund" in log.body
    assert "in refund" in log.attributes.pop("exception.stacktrace")
    assert log.attributes == {
        "exception.type": DECLINED,
        "django.signal.name": f"{SIGNALS}.order_cancelled",
        "django.signal.method": "send_robust",
        "django.signal.dispatch.id": ran.visits["cancel"].dispatches[0]["id"],
        "code.function.name": f"{RECEIVERS}.refund",
    }


def test_messages_are_kept_back(ran: Run) -> None:
    """What an exception said stands nowhere in what we export, stack traces included."""
    assert any("CardDeclined" in text for text in texts(ran))
    assert [text for text in texts(ran) if OWNER in text] == []


def test_payload(ran: Run) -> None:
    """The arguments that settings name are attributes of the dispatch, summed up."""
    attributes = ran.span("place", "send signals.order_placed").attributes
    assert attributes["django.signal.payload.channel"] == "web"
    assert attributes["django.signal.payload.order"] == "otlp_shop.Order:1"
    assert (
        "django.signal.payload.channel"
        not in ran.span("place", "send signals.invoice_sent").attributes
    )


def test_hooks(ran: Run) -> None:
    """Hooks add to the spans of dispatches and receivers; one that raises harms nothing."""
    span = ran.span("place", "send signals.order_placed")
    assert span.attributes["shop.tenant"] == "tenant of order_placed"
    receivers = [child for child in span.children if child.scope == "signal_inspector"]
    assert [child.attributes["shop.receiver"] for child in receivers] == [0, 1, 2]
    assert {child.status for child in receivers} == {"unset"}


def test_own_failures(ran: Run) -> None:
    """Our own failures are counted, by kind and from 0 on, where an operator looks."""
    calls = [
        span for page in ran.visits for span in ours(ran, page) if span.name.startswith("receive ")
    ]
    counted = ran.arrived.counters["django.signal.inspector.failures"]
    assert [each for each in counted if each[1]] == [
        ({"django.signal.inspector.kind": "tracing RECEIVER_HOOK"}, len(calls))
    ]
    assert ({"django.signal.inspector.kind": "tracing DISPATCH_HOOK"}, 0) in counted
    assert {count for _, count in ran.arrived.counters["django.signal.inspector.dropped"]} == {0}
