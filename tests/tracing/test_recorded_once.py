"""An exception that passes through several dispatches, and two that look like one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.dispatch import Signal
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import StatusCode

from signal_inspector.core.record.values import Failure
from signal_inspector.tracing import exceptions, measured
from signal_inspector.tracing.otel import Tracing
from tests.tracing.spans import Traces

order_placed = Signal()
invoice_sent = Signal()


class DeclinedError(Exception):
    pass


def decline(**named: Any) -> None:
    raise DeclinedError


def sends_on(**named: Any) -> None:
    invoice_sent.send(None)


def sends_on_and_looks_away(**named: Any) -> None:
    invoice_sent.send_robust(None)


def sends_on_and_looks(**named: Any) -> None:
    for _, response in invoice_sent.send_robust(None):
        if isinstance(response, Exception):
            raise response


def fails(**named: Any) -> None:
    decline()


@pytest.fixture(autouse=True)
def _same_ids(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each exception is made where another one was, as happens when that is gone."""
    monkeypatch.setattr(measured, "id", lambda each: 1, raising=False)
    invoice_sent.connect(decline)
    yield
    for signal in (order_placed, invoice_sent):
        signal.receivers.clear()
        signal.sender_receivers_cache.clear()


def recorded(traces: Traces, receiver: Any) -> list[str]:
    """The receivers whose spans have the exception, after a robust send to this one."""
    order_placed.connect(receiver)
    with traces.listening():
        order_placed.send_robust(None)
    return [span.name.rpartition(".")[2] for span in traces.spans if span.events]


@pytest.mark.parametrize("receiver", [sends_on, sends_on_and_looks])
def test_one_exception(traces: Traces, receiver: Any) -> None:
    """What passes through a dispatch into a receiver of another is recorded where it began."""
    assert recorded(traces, receiver) == ["decline"]
    assert traces.named(f".{receiver.__name__}").status.status_code is StatusCode.ERROR


def test_another_exception(traces: Traces) -> None:
    """What was swallowed further in does not hide what happens afterwards, even at its place."""
    order_placed.connect(sends_on_and_looks_away)
    assert recorded(traces, fails) == ["decline", "fails"]


@pytest.mark.parametrize("logs", [True, False])
def test_not_in_words(settings: Any, monkeypatch: pytest.MonkeyPatch, logs: bool) -> None:
    """Where nobody is told of an exception, as in an unsampled trace, it is not put in words."""
    settings.SIGNAL_INSPECTOR = {"TRACING": {"LOG_FAILURES": logs}}
    put: list[BaseException] = []
    tell = exceptions.told

    def told(error: BaseException, tracing: Tracing, known: Failure | None = None) -> Failure:
        put.append(error)
        return tell(error, tracing, known)

    monkeypatch.setattr(exceptions, "told", told)
    traces = Traces(sampler=ALWAYS_OFF)
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    with traces.listening(meter_provider=provider):
        responses = invoice_sent.send_robust(None)
    assert put == ([responses[0][1]] if logs else [])
    assert "DeclinedError" in str(reader.get_metrics_data())
    provider.shutdown()
