"""One secret in whatever carries it, sent through everything: it is found nowhere afterwards."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import hypothesis
import pytest
from django.db import connection
from django.dispatch import Signal
from django.test import override_settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from signal_inspector import Details, capture, gather, trouble
from signal_inspector.audit.payloads import payload_text, response_text
from signal_inspector.conf import Limits, get_config
from signal_inspector.payload import Redactor, summarize
from signal_inspector.scopes import add_sink, remove_sink
from signal_inspector.toolbar.store import pack
from signal_inspector.tracing import TracingSink
from signal_inspector.watching import wire
from tests.carriers import carriers

SECRET = "hunter2"

placed = Signal()

TEXTS = st.sampled_from(carriers(SECRET))
OBJECTS = st.sampled_from(
    [
        {"password": SECRET},
        {"name": "api_key", "value": SECRET},
        {"value": SECRET, "n": 1, "key": "password"},
        ("token", SECRET),
        ["mysqldump", "--password", SECRET],
        ["mysqldump", f"--password={SECRET}"],
        {b"authorization": SECRET},
    ]
)
VALUES = st.recursive(
    TEXTS | OBJECTS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "user", "body"]), inner, min_size=1, max_size=2)
        | inner.map(repr)
    ),
    max_leaves=3,
)


@pytest.mark.django_db
@hypothesis.settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(argument=VALUES, response=VALUES, message=TEXTS, strict=st.booleans())
def test_a_secret_leaves_no_trace(
    caplog: pytest.LogCaptureFixture, argument: Any, response: Any, message: str, strict: bool
) -> None:
    """Panel, spans, the audit's columns, the watcher's wire and our log have nothing of it."""
    trouble.reset()
    caplog.clear()
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stream = io.StringIO()

    def answers(**kwargs: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT 1 AS password WHERE '{SECRET}' = 'x'")
        return response

    def fails(**kwargs: Any) -> None:
        raise ValueError(message)

    receivers = [answers, fails]
    limits = {"PAYLOAD_LENGTH": 3000, "MESSAGE_LENGTH": 3000, "PAYLOAD_DEPTH": 9}
    tracing = {"TRACER_PROVIDER": provider, "PAYLOAD_ATTRIBUTES": ["argument"]}
    setting = {"STRICT": strict, "LIMITS": limits, "TRACING": tracing}
    handler = logging.StreamHandler(stream)
    logging.getLogger("signal_inspector").addHandler(handler)
    with override_settings(SIGNAL_INSPECTOR=setting):
        sink = TracingSink()
        add_sink(sink)
        try:
            for receiver in receivers:
                placed.connect(receiver)
            with capture(details=Details.ALL) as sent:
                placed.send_robust(None, argument=argument)
            trouble.report("a test", ValueError(message))
        finally:
            remove_sink(sink)
            for receiver in receivers:
                placed.disconnect(receiver)
            logging.getLogger("signal_inspector").removeHandler(handler)
        (dispatch,) = sent
        failures = [call.failure for call in dispatch.calls if call.failure]
        rooms = {
            "record": json.dumps(dispatch.as_dict()),
            "panel": json.dumps(pack([dispatch])),
            "wire": str(wire.dispatch_line(dispatch)),
            "audit": payload_text(dispatch.payload or {})
            + "".join(response_text(call.response) for call in dispatch.calls)
            + repr(failures),
            "spans": "".join(span.to_json() for span in exporter.get_finished_spans()),
            "log": stream.getvalue(),
        }
    assert exporter.get_finished_spans()
    assert failures
    assert [room for room, text in rooms.items() if SECRET in text] == []
    if strict:
        safe = json.dumps(dispatch.as_dict()["payload"])
        assert summarize("plain", Limits(), Redactor(strict=True)).text == "str of 5"
        assert "plain" not in safe
    assert gather.redactor(get_config()).strict is False
