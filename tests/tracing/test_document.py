"""docs/tracing.md: its examples run, and its tables say what the code does."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from django.contrib.contenttypes.models import ContentType
from django.dispatch import Signal
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from signal_inspector.conf import config_problems
from signal_inspector.tracing import attributes, metrics
from tests.tracing import document
from tests.tracing.processes import (
    PLACED,
    ROOT,
    SHIPPED,
    Outline,
    Span,
    ask,
    environment,
    linked,
    roots,
    serving,
)
from tests.tracing.spans import Traces

REQUEST: Outline = ("GET place/<token>", (PLACED,))
HISTOGRAMS = {"django.signal.send.duration", "django.signal.receiver.duration"}
GUNICORN = ("-m", "gunicorn", "--bind", "fd://{fd}", "--workers", "2")


class Backend(ThreadingHTTPServer):
    """Takes OTLP over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiving)
        self.spans: list[Span] = []
        self.metrics: set[str] = set()

    def take(self, path: str, body: bytes) -> None:
        if path == "/v1/traces":
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    self.spans += [
                        Span(
                            name=span.name,
                            trace=int.from_bytes(span.trace_id),
                            id=int.from_bytes(span.span_id),
                            parent=int.from_bytes(span.parent_span_id) or None,
                            attributes={each.key: each.value for each in span.attributes},
                            status=str(span.status.code),
                        )
                        for span in scope.spans
                    ]
        elif path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    self.metrics |= {metric.name for metric in scope.metrics}


class Receiving(BaseHTTPRequestHandler):
    server: Backend

    def do_POST(self) -> None:
        self.server.take(self.path, self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def receiving() -> Iterator[Backend]:
    with Backend() as backend:
        thread = Thread(target=backend.serve_forever, args=[0.05])
        thread.start()
        try:
            yield backend
        finally:
            backend.shutdown()
            thread.join()


def served(tmp_path: Path, arguments: tuple[str, ...], page: str, **more: str) -> Backend:
    """Run the document's project by a web server, and ask for a page six times."""
    with receiving() as backend:
        env = environment(
            tmp_path,
            PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
            DJANGO_SETTINGS_MODULE="shop.settings",
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{backend.server_port}",
            **more,
        )
        with serving(arguments, env) as url:
            ask(f"{url}/{page}/{token}" for token in range(6))
    return backend


@pytest.mark.parametrize("options", [(), ("--preload",)], ids=["", "preload"])
def test_the_wsgi_example_traces_and_measures(options: tuple[str, ...], tmp_path: Path) -> None:
    """Settings, telemetry.py and wsgi.py as they stand there, under gunicorn, over OTLP."""
    document.write_project(tmp_path, "shop/telemetry.py", "shop/wsgi.py")
    backend = served(tmp_path, (*GUNICORN, *options, "shop.wsgi"), "place")

    assert [root.outline() for root in roots(linked(backend.spans))] == [REQUEST] * 6
    assert backend.metrics >= HISTOGRAMS


def test_the_asgi_example_traces_and_flushes(tmp_path: Path) -> None:
    """asgi.py as it stands there, under uvicorn: its shutdown loses no span and no metric."""
    document.write_project(tmp_path, "shop/telemetry.py", "shop/asgi.py")
    arguments = ("-m", "uvicorn", "--fd", "{fd}", "shop.asgi:application")
    backend = served(tmp_path, arguments, "ship")

    request = ("GET ship/<token>", (SHIPPED,))
    assert [root.outline() for root in roots(linked(backend.spans))] == [request] * 6
    assert backend.metrics >= HISTOGRAMS


def test_the_agent_traces_gunicorn_without_any_code(tmp_path: Path) -> None:
    """A project that knows nothing of tracing, with the variables of the document's command."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "settings.py").write_text(
        "from tests.tracing.project.settings import *\n"
        "INSTALLED_APPS = ['tests.tracing.project']\n"
        "SIGNAL_INSPECTOR = {}\n"
    )
    (tmp_path / "shop" / "wsgi.py").write_text(
        "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n"
    )
    write_entry_points(tmp_path)
    agent = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"
    arguments = ("-c", agent, sys.executable, *GUNICORN, "shop.wsgi")
    backend = served(tmp_path, arguments, "place", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")

    assert [root.outline() for root in roots(linked(backend.spans))] == [REQUEST] * 6
    assert backend.metrics >= HISTOGRAMS


def write_entry_points(directory: Path) -> None:
    """What an installer leaves behind, for checkouts that are not installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    metadata = directory / "django_signal_inspector-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: 0\n"
    )
    (metadata / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project["entry-points"].items()
        )
    )


@pytest.mark.parametrize("defined", document.settings())
def test_the_settings_examples_are_right(defined: dict[str, dict[str, object]]) -> None:
    """No system check finds anything wrong in an example of settings."""
    assert config_problems(defined["SIGNAL_INSPECTOR"]) == []


@pytest.mark.django_db
def test_the_hooks_example_adds_attributes(traces: Traces) -> None:
    """Both hooks of hooks.py, as they stand there, reach their spans."""
    names: dict[str, object] = {"current_tenant": lambda: "acme"}
    [source] = document.examples("shop/hooks.py")
    exec(source, names)
    signal = Signal()
    signal.connect(_receive)

    with traces.listening(
        dispatch_hook=names["name_tenant"], receiver_hook=names["count_queries"]
    ):
        signal.send(None)

    sent, received = traces.spans
    assert (sent.attributes or {})["shop.tenant"] == "acme"
    assert (received.attributes or {})["shop.queries"] == 2


def _receive(sender: object, **kwargs: object) -> None:
    for _ in range(2):
        list(ContentType.objects.filter(pk=0))


def table_after(heading: str) -> str:
    """The rows of the tables of a section."""
    section = re.split(r"^## ", document.TEXT, flags=re.MULTILINE)
    [found] = [each for each in section if each.startswith(heading + "\n")]
    return "\n".join(line for line in found.splitlines() if line.startswith("|"))


def test_every_attribute_is_in_the_table() -> None:
    """The table of attributes names all that spans may have, and no others."""
    told = set(
        re.findall(r"`((?:django\.signal|code|error)\.[\w.]+?)\.?\*?`", table_after("Spans"))
    )
    known = {
        value.rstrip(".")
        for name, value in vars(attributes).items()
        if name.isupper() and isinstance(value, str)
    }
    assert told == known


def test_metrics_are_as_the_document_says() -> None:
    """Names of attributes, bounds and the limit are those of the code."""
    bounds = ", ".join(f"{bound:g}" for bound in metrics.BOUNDARIES)
    prose = " ".join(document.TEXT.split())

    assert f"in seconds: {bounds}." in prose
    assert f"at most {metrics.LIMIT} sets of attributes" in prose
    assert f"`{metrics.OTHER}`" in prose
    assert f"`{metrics.KIND}`" in table_after("Metrics")
