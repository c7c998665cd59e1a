"""Exceptions as log records, from a shop that exports by hand, as a collector received them."""

from __future__ import annotations

import pytest

from tests.otlp.arrived import Log
from tests.otlp.conftest import Start
from tests.otlp.running import Run, Way
from tests.otlp.test_traces import DECLINED, OWNER, RECEIVERS, SIGNALS

OPT_IN = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"
FAILURES = (
    ("refuse", "send", "order_refused", "charge_card"),
    ("cancel", "send_robust", "order_cancelled", "refund"),
)


def ours(ran: Run, page: str) -> list[Log]:
    """The log records of a page that Signal Inspector emitted."""
    logs = ran.arrived.logs_of(ran.visits[page].trace_id)
    return [log for log in logs if log.scope == "signal_inspector"]


@pytest.fixture(scope="module")
def opted(start: Start) -> Run:
    """A shop that has exceptions sent as log records, as the conventions will have it."""
    return start(Way(protocol="grpc", environment={OPT_IN: "logs"}))


@pytest.fixture(scope="module")
def doubled(start: Start) -> Run:
    """A shop that has them sent in both ways."""
    return start(Way(protocol="http/protobuf", environment={OPT_IN: "logs/dup"}))


def test_none_unless_asked(ran: Run) -> None:
    """Nobody gets log records who has not asked for them."""
    assert [log for log in ran.arrived.logs if log.scope == "signal_inspector"] == []


@pytest.mark.parametrize(("page", "method", "signal", "receiver"), FAILURES)
def test_opted(opted: Run, page: str, method: str, signal: str, receiver: str) -> None:
    """Each exception is one record in the context of its receiver, and no event of a span."""
    (log,) = ours(opted, page)
    span = opted.span(page, f"receive receivers.{receiver}")
    assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)
    assert log.severity == "ERROR"
    stack = log.attributes.pop("exception.stacktrace")
    assert f"in {receiver}" in stack
    assert log.attributes == {
        "exception.type": DECLINED,
        "exception.message": f"the card of {OWNER}",
        "django.signal.name": f"{SIGNALS}.{signal}",
        "django.signal.method": method,
        "django.signal.dispatch.id": opted.visits[page].dispatches[0]["id"],
        "code.function.name": f"{RECEIVERS}.{receiver}",
    }
    assert span.events == []
    assert span.status == "error"
    assert opted.span(page, f"{method} signals.{signal}").events == []


def test_doubled(doubled: Run) -> None:
    """Who asks for both gets both, and each once."""
    for page, _, _, receiver in FAILURES:
        (log,) = ours(doubled, page)
        (event,) = doubled.span(page, f"receive receivers.{receiver}").events
        assert event.attributes.items() <= log.attributes.items()


def test_nothing_failed(opted: Run) -> None:
    """No record is emitted where nothing failed."""
    for page in ("place", "pay", "forget", "unsampled place"):
        assert ours(opted, page) == []
