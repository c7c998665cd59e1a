"""The example shop in OpenTelemetry: what it writes, sends, and does without it."""

from __future__ import annotations

import json
import os
import queue
import threading
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.test_example_project import ROOT, manage

pytestmark = pytest.mark.programs

# Grace orders, on a server that is one call away. As with a real one, telemetry is up before.
ORDER = """
from config import {server}
from django.contrib.auth.models import User
from django.test import Client
from guide.demo_data import ADDRESS
client = Client(SERVER_NAME="localhost")
client.force_login(User.objects.get(username="grace"))
client.post("/spell/", {{"word": "AHOY"}})
details = {{"name": "G. Hopper", "address": ADDRESS, "card_number": "4242 4242 4242 4242"}}
answer = client.post("/checkout/", details)
assert answer.status_code == 302, answer.content
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with something in it."""
    directory = tmp_path_factory.mktemp("filled")
    manage(directory, "migrate", "--verbosity", "0")
    manage(directory, "demo_data")
    return directory


def order(directory: Path, *, server: str = "wsgi", **environment: str) -> list[dict[str, Any]]:
    """Place an order in a process of its own; the spans that it wrote."""
    file = directory / "traces.jsonl"
    file.unlink(missing_ok=True)
    printed = manage(directory, "shell", "-c", ORDER.format(server=server), **environment)
    assert "already instrumented" not in printed, printed
    if not file.exists():
        return []
    messages = [json.loads(line) for line in file.read_text().splitlines()]
    return [
        {**span, "scope": scope["scope"]["name"], "resource": plain(resource["resource"])}
        for message in messages
        for resource in message["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def plain(holder: dict[str, Any]) -> dict[str, str]:
    """Attributes of OTLP JSON: each value has one key, which is its type."""
    return {pair["key"]: next(iter(pair["value"].values())) for pair in holder["attributes"]}


def named(spans: list[dict[str, Any]], ending: str) -> dict[str, Any]:
    (found,) = [span for span in spans if span["name"].endswith(ending)]
    return found


def path_of(span: dict[str, Any], spans: list[dict[str, Any]]) -> list[str]:
    """The names of the spans that a span is in, from the outermost on."""
    by_id = {each["spanId"]: each for each in spans}
    names: list[str] = []
    while True:
        names.insert(0, span["name"])
        if "parentSpanId" not in span:
            return names
        span = by_id[span["parentSpanId"]]


@pytest.mark.parametrize("server", ["wsgi", "asgi"])
def test_an_order_is_written(filled: Path, server: str) -> None:
    """Request, signal, receiver and statement stand under each other, written at the exit."""
    spans = order(filled, server=server)
    award = named(spans, "loyalty.receivers.award_points")
    (statement,) = [span for span in spans if span.get("parentSpanId") == award["spanId"]]
    assert path_of(statement, spans) == [
        "POST checkout/",
        "send_robust shop.signals.order_placed",
        "receive loyalty.receivers.award_points",
        "SELECT",
    ]
    assert "loyalty_loyaltyaccount" in plain(statement)["db.query.text"]
    assert statement["scope"] == "opentelemetry.instrumentation.sqlite3"
    assert award["resource"]["service.name"] == "bunting"


def test_a_failure_is_written(filled: Path) -> None:
    """The receiver that failed has its exception; the robust send around it says how many."""
    spans = order(filled)
    award = named(spans, "loyalty.receivers.award_points")
    assert award["status"]["code"] == 2
    assert plain(award["events"][0])["exception.type"].endswith("LoyaltyAccount.DoesNotExist")
    placed = named(spans, "send_robust shop.signals.order_placed")
    assert plain(placed)["django.signal.receiver.failed_count"] == "1"
    assert placed["status"].get("code", 0) == 0


def test_nothing_but_requests(filled: Path) -> None:
    """No statement begins a trace, and what Django asks SQLite for the toolbar is left out."""
    spans = order(filled)
    tops = [span["name"] for span in spans if "parentSpanId" not in span]
    assert sorted(tops) == ["POST checkout/", "POST spell/"]
    statements = [plain(span).get("db.query.text", "") for span in spans]
    assert len([text for text in statements if text]) > 10
    assert not [text for text in statements if "QUOTE(" in text]


def test_switched_off(filled: Path) -> None:
    """SHOP_TELEMETRY=0 writes nothing; nor does a command, or a test, of the shop."""
    assert order(filled, SHOP_TELEMETRY="0") == []
    manage(filled, "demo_data")
    manage(filled, "test", "loyalty")
    assert not (filled / "traces.jsonl").exists()


def test_without_the_inspector(filled: Path) -> None:
    """The bare shop is traced too, without a word of its signals."""
    spans = order(filled, SHOP_WITHOUT_INSPECTOR="1")
    assert "POST checkout/" in [span["name"] for span in spans]
    assert "signal_inspector" not in {span["scope"] for span in spans}


def test_under_the_agent(filled: Path) -> None:
    """What opentelemetry-instrument has set up already is used, and nothing is traced twice."""
    from opentelemetry.instrumentation import auto_instrumentation

    # It has a sitecustomize.py, which reads the settings before manage.py makes them importable.
    agent = Path(auto_instrumentation.__file__).parent
    spans = order(
        filled,
        PYTHONPATH=os.pathsep.join(map(str, (agent, ROOT / "example_project", ROOT))),
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        OTEL_SERVICE_NAME="by-the-agent",
    )
    award = named(spans, "loyalty.receivers.award_points")
    assert path_of(award, spans)[0] == "POST checkout/"
    assert award["resource"]["service.name"] == "by-the-agent"
    statements = [span for span in spans if span.get("parentSpanId") == award["spanId"]]
    assert len(statements) == 1


def test_without_opentelemetry(filled: Path, tmp_path: Path) -> None:
    """Where OpenTelemetry is not installed the shop sells, passes its tests, and says so."""
    (tmp_path / "sitecustomize.py").write_text(
        """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "opentelemetry":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
    )
    missing = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for server in ("wsgi", "asgi"):
        assert order(filled, server=server, **missing) == []
    look = """
from django.test import Client
for path in ("/traces/", "/guide/"):
    assert "opentelemetry-sdk" in Client(SERVER_NAME="localhost").get(path).content.decode(), path
"""
    manage(filled, "shell", "-c", look, **missing)
    assert "\nOK\n" in manage(filled, "test", "traces", "guide", "loyalty", **missing)


def test_otlp_over_http(filled: Path) -> None:
    """With OTEL_EXPORTER_OTLP_ENDPOINT set, traces, figures and logs go there too."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    arrived: dict[str, list[bytes]] = {}

    class Backend(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            arrived.setdefault(self.path, []).append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """The test has nothing to say of each request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as backend:
        thread = threading.Thread(target=backend.serve_forever)
        thread.start()
        try:
            endpoint = f"http://127.0.0.1:{backend.server_port}"
            written = order(filled, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        finally:
            backend.shutdown()
            thread.join()
    requests = [ExportTraceServiceRequest.FromString(body) for body in arrived["/v1/traces"]]
    assert sent_names(requests) == sorted(span["name"] for span in written)
    assert b"django.signal.receiver.duration" in b"".join(arrived["/v1/metrics"])
    assert b"LoyaltyAccount.DoesNotExist" in b"".join(arrived["/v1/logs"])


@pytest.fixture
def grpc_backend() -> Iterator[tuple[str, queue.Queue[Any]]]:
    """The address of a server for traces over gRPC, and what arrives there."""
    import grpc
    from opentelemetry.proto.collector.trace.v1 import (
        trace_service_pb2,
        trace_service_pb2_grpc,
    )

    arrived: queue.Queue[Any] = queue.Queue()

    class Backend(trace_service_pb2_grpc.TraceServiceServicer):  # type: ignore[misc]
        def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - as grpc calls it
            arrived.put(request)
            return trace_service_pb2.ExportTraceServiceResponse()

    server = grpc.server(futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Backend(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}", arrived
    server.stop(None).wait()


def test_otlp_over_grpc(filled: Path, grpc_backend: tuple[str, queue.Queue[Any]]) -> None:
    """OTEL_EXPORTER_OTLP_PROTOCOL=grpc sends the same over gRPC."""
    endpoint, arrived = grpc_backend
    only_traces = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    written = order(
        filled,
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL="grpc",
        **only_traces,
    )
    assert sent_names(list(arrived.queue)) == sorted(span["name"] for span in written)


def sent_names(requests: list[Any]) -> list[str]:
    return sorted(
        span.name
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )
