"""A real collector of OpenTelemetry data as a subprocess, and what it passed on."""

from __future__ import annotations

import gzip
import os
import socket
import subprocess
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ROOT = Path(__file__).resolve().parent.parent.parent
_PATIENCE = 60  # seconds for it to start, and to end
_ATTEMPTS = 3  # somebody else may take a port that was free a moment ago


def find_rotel() -> Path | None:
    """The program: the one that ROTEL names, or the one that `make rotel` has installed."""
    found = Path(os.environ.get("ROTEL") or ROOT / ".ci" / "cache" / "rotel" / "rotel")
    return found if os.access(found, os.X_OK) else None


@dataclass(slots=True)
class Passed:
    """The requests that the collector sent on, in the order they came."""

    traces: list[ExportTraceServiceRequest] = field(default_factory=list)
    metrics: list[ExportMetricsServiceRequest] = field(default_factory=list)
    logs: list[ExportLogsServiceRequest] = field(default_factory=list)


class Collector:
    """rotel, which receives OTLP over gRPC and over HTTP and sends all of it on to a list.

    What stands in the list has been accepted, understood and batched by a program that shares
    no code with the SDK. ``stop`` lets it send what it still holds, so that nothing is missing
    afterwards and nobody has to guess how long to wait.
    """

    def __init__(self, program: Path, directory: Path) -> None:
        self.passed = Passed()
        self._program = program
        self._log = directory / "rotel.log"
        self._directory = directory
        self._backend = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.passed))
        self._thread = Thread(target=self._backend.serve_forever, daemon=True)
        self._thread.start()
        try:
            self._start()
        except BaseException:
            self._close_backend()
            raise

    def endpoint(self, protocol: str) -> str:
        """Where ``protocol`` ("grpc" or "http/protobuf") is spoken."""
        port = self._grpc_port if protocol == "grpc" else self._http_port
        return f"http://127.0.0.1:{port}"

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Let it send on what it holds, and end it."""
        try:
            self._process.terminate()
            ended = self._process.wait(timeout=_PATIENCE)
            assert ended == 0, f"rotel ended with {ended}\n{self.output()}"
            assert "dropping data" not in self.output(), self.output()
        finally:
            self.kill()

    def kill(self) -> None:
        """End it at once. Harmless if it has ended."""
        self._process.kill()
        self._process.wait(timeout=_PATIENCE)
        self._close_backend()

    def _start(self) -> None:
        for _ in range(_ATTEMPTS):
            self._grpc_port, self._http_port = _free_ports()
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [str(self._program), *self._arguments()],
                    env=_without_settings(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            if self._is_ready():
                return
            self._process.kill()
            self._process.wait(timeout=_PATIENCE)
        raise RuntimeError(f"rotel does not start\n{self.output()}")

    def _arguments(self) -> list[str]:
        options = {
            "otlp-grpc-endpoint": f"127.0.0.1:{self._grpc_port}",
            "otlp-http-endpoint": f"127.0.0.1:{self._http_port}",
            "exporter": "otlp",
            "otlp-exporter-endpoint": f"http://127.0.0.1:{self._backend.server_port}",
            "otlp-exporter-protocol": "http",
            "batch-timeout": "50ms",
            "pid-file": str(self._directory / "rotel.pid"),
            "log-file": str(self._directory / "rotel-daemon.log"),
        }
        return ["start", *(part for key, value in options.items() for part in (f"--{key}", value))]

    def _is_ready(self) -> bool:
        """Whether both ports answer before it ends or patience does."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                for port in (self._grpc_port, self._http_port):
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return True
        return False

    def _close_backend(self) -> None:
        self._backend.shutdown()
        self._backend.server_close()
        self._thread.join(timeout=_PATIENCE)


def _handler(passed: Passed) -> type[BaseHTTPRequestHandler]:
    kinds: dict[str, tuple[Any, list[Any]]] = {
        "/v1/traces": (ExportTraceServiceRequest, passed.traces),
        "/v1/metrics": (ExportMetricsServiceRequest, passed.metrics),
        "/v1/logs": (ExportLogsServiceRequest, passed.logs),
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            kind, requests = kinds[self.path]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            requests.append(kind.FromString(body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing: what arrives is looked at, not how."""

    return Handler


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _without_settings() -> dict[str, str]:
    """The environment, without what would set rotel up in another way."""
    return {key: value for key, value in os.environ.items() if not key.startswith("ROTEL")}
